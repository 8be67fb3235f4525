"""A Ray cluster that exists, or one of this machine that ends with this process."""

import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported

import logging
import socket

from bdmm.errors import InputError

try:
    import ray
    from ray.exceptions import RayError
except ImportError as error:
    raise InputError("A Ray cluster needs the extra: pip install 'bdmm[ray]'.") from error

LOCAL = "local"
"""Address that starts a Ray of its own on this machine."""
_KNOCK_SECONDS = 10.0
_SILENT = {"log_to_driver": False, "logging_level": logging.ERROR}


def join_cluster(address: str, cores: int | None = None) -> None:
    """Connect this process to a cluster.

    Args:
        address: of its head, such as ``10.0.0.1:6379``; ``auto`` for the one that runs here; or
            `LOCAL`.
        cores: of a local one; None for all of the machine.

    Raises:
        InputError: nobody answers there.
    """
    try:
        if address == LOCAL:
            ray.init(num_cpus=cores, include_dashboard=False, **_SILENT)
        else:
            _knock(address)
            ray.init(address, **_SILENT)
    except (OSError, ValueError, RayError, RuntimeError) as error:
        raise InputError(f"No Ray cluster can be reached at {address}.") from error


def _knock(address: str) -> None:
    """Raise an error at once where nothing listens; Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon:
        socket.create_connection((host.rpartition("/")[2], int(port)), _KNOCK_SECONDS).close()
