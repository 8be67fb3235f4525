"""A job on a Ray cluster, where the jobs' folder lies under the same path on every node."""

import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from bdmm.errors import InputError
from bdmm.serve.job_process import JobProcess, Progress
from bdmm.serve.jobs import MAX_ATTEMPTS
from bdmm.serve.settings import Limits

LOCAL = "local"
"""Address that starts a Ray of its own on this machine."""
_CALLS_AT_ONCE = 4
_ANSWER_SECONDS = 1.0
_KNOCK_SECONDS = 10.0
_WAITING = Progress("Waiting for a worker")


def connect(address: str) -> Callable[[Path, Sequence[str], Limits], "RayJob"]:
    """Connect to a cluster.

    Args:
        address: of its head, such as ``10.0.0.1:6379``; ``auto`` for the one that runs here; or
            `LOCAL`.

    Returns:
        A function that starts a job on it.

    Raises:
        InputError: nobody answers there.
    """
    try:
        if address == LOCAL:
            ray.init(include_dashboard=False, log_to_driver=False)
        else:
            _knock(address)
            ray.init(address, log_to_driver=False)
    except (OSError, ValueError, RayError, RuntimeError) as error:
        raise InputError(f"No Ray cluster can be reached at {address}.") from error
    return RayJob


def _knock(address: str) -> None:
    """Raise an error at once where nothing listens; Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon:
        socket.create_connection((host.rpartition("/")[2], int(port)), _KNOCK_SECONDS).close()


class _Worker:
    """Runs a job's process on the node where Ray puts it."""

    def __init__(self, folder: Path, words: Sequence[str], limits: Limits) -> None:
        self._process = JobProcess(folder, words, limits)

    def progress(self) -> Progress:
        return self._process.progress

    def wait(self) -> tuple[str, tuple[str, ...]]:
        reason = self._process.wait()
        return reason, self._process.notices


def _start(folder: Path, words: Sequence[str], limits: Limits) -> Any:
    worker = ray.remote(_Worker).options(num_cpus=1, max_concurrency=_CALLS_AT_ONCE)
    return worker.remote(folder, words, limits)


class RayJob:
    """A job on a cluster, as `JobProcess` is one on this machine.

    A job whose worker is lost is started again, three times in all.
    """

    def __init__(self, folder: Path, words: Sequence[str], limits: Limits) -> None:
        self._order = (folder, tuple(words), limits)
        self._killed = False
        self._notices: tuple[str, ...] = ()
        self._worker = _start(*self._order)

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        with suppress(GetTimeoutError, RayError):
            return ray.get(self._worker.progress.remote(), timeout=_ANSWER_SECONDS)
        return _WAITING

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know although the job went on."""
        return self._notices

    def kill(self) -> None:
        """End it at once; its process ends with its worker."""
        self._killed = True
        ray.kill(self._worker)

    def wait(self) -> str:
        """Wait until it ends; return why it failed, one sentence, or nothing."""
        for _ in range(MAX_ATTEMPTS):
            try:
                reason, self._notices = ray.get(self._worker.wait.remote())
            except RayActorError:
                if self._killed:
                    return "The job was ended."
                self._worker = _start(*self._order)
            else:
                ray.kill(self._worker)
                return reason
        return f"The job's Ray worker was lost {MAX_ATTEMPTS} times."
