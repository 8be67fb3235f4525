"""A server from its settings: the page and the API at an address, until it is asked to end."""

import errno
import logging
import os
import socket
import tempfile
from collections.abc import Callable

import uvicorn

from bdmm.errors import InputError
from bdmm.files.output_file import check_folder, locked, writing
from bdmm.serve.api import create_api
from bdmm.serve.crew import ARRIVING, Crew
from bdmm.serve.guard import Guard
from bdmm.serve.settings import Settings

_LAST_ANSWERS_SECONDS = 3
_BACKLOG = 256


def serve(settings: Settings, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until the process is asked to end.

    Args:
        port: 0 for any free one.
        say: is called with the address, as soon as it can be used.

    Raises:
        InputError: another server works in the folder, the address cannot be used, or no Ray
            cluster answers.
    """
    with writing(settings.folder):
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_folder(settings.folder)
    with locked(settings.folder), listening(host, port) as listener:
        crew = _crew(settings)
        arriving = str(settings.folder / ARRIVING)
        tempfile.tempdir = os.environ["GRADIO_TEMP_DIR"] = arriving
        from bdmm.serve.page import add_page  # late: it reads the environment

        api = add_page(create_api(crew), crew)
        application = Guard(api, settings.token, settings.limits.upload_bytes)
        logging.basicConfig(format="bdmm: %(message)s")
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
        )
        name = f"[{host}]" if ":" in host else host
        say(f"http://{name}:{listener.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listener])


def _crew(settings: Settings) -> Crew:
    if settings.ray is None:
        return Crew(settings)
    from bdmm.serve.ray_job import connect  # late: Ray is an extra of its own

    return Crew(settings, connect(settings.ray))


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Raises:
        InputError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        known = error.errno in errno.errorcode  # names of hosts have codes of their own
        reason = (os.strerror(error.errno or 0) if known else str(error)).lower()
        raise InputError(f"The address {host}:{port} cannot be used: {reason}.") from error
