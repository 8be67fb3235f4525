"""`bdmm serve`: a page and an HTTP API."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from bdmm.cli.report import say
from bdmm.errors import InputError
from bdmm.files.outside import TEXT, reading

_LEAST_TOKEN = 16
_SERVE = ("fastapi", "gradio", "prometheus_client", "pydantic", "python_multipart", "uvicorn")
_EXTRAS = {**dict.fromkeys(_SERVE, "serve"), "ray": "ray"}
"""The extra of each package that may be missing."""


@dataclass(frozen=True)
class Serve:
    """Serve a page and an HTTP API.

    $ bdmm serve
    $ bdmm serve --host 0.0.0.0 --port 8000 --token-file token.txt
    """

    host: str = "127.0.0.1"
    """Address to listen at; any but this machine's own needs a token."""
    port: int = 8000
    """Port to listen at; 0 for any that is free."""
    token_file: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """File that holds what clients must know: a bearer token, and the password of the page."""
    folder: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where jobs, uploads and results are kept; ~/.local/share/bdmm/serve otherwise."""
    queue: int = 20
    """Animations that may wait; more are refused."""
    jobs: int = 1
    """Animations that run at the same time."""
    keep_hours: float = 24.0
    """How long results are kept."""
    upload_mib: int = 256
    """Largest request in MiB."""
    memory_gib: float = 4.0
    """Memory of one job in GiB."""
    job_minutes: float = 30.0
    """Time of one job."""
    max_size: int = 1080
    """Largest working resolution of a job: pixels of the shorter side."""
    max_frames: int = 3000
    """Longest driving motion of a job."""

    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Run jobs on a Ray cluster, whose nodes see --folder under the same path: HOST:PORT, auto, or
    local for one that is started here."""

    def run(self) -> None:
        """Check the options and serve.

        Raises:
            InputError: an option is wrong, or the extra packages are missing.
        """
        self._check()
        with _extras():
            from bdmm.serve.server import serve
        from bdmm.serve.settings import GIB, LOOPBACK, MIB, Limits, Settings

        token = None if self.token_file is None else _read_token(self.token_file)
        if token is None and self.host not in LOOPBACK:
            raise InputError(
                f"At {self.host} others reach the server: give --token-file FILE, with a long "
                "random text in it."
            )
        limits = Limits(
            self.upload_mib * MIB,
            round(self.memory_gib * GIB),
            self.job_minutes * 60,
            self.max_size,
            self.max_frames,
        )
        folder = (self.folder or _default_folder()).absolute()
        settings = Settings(
            folder, token, self.queue, self.jobs, self.keep_hours * 3600, limits, self.ray
        )
        with _extras():
            serve(settings, self.host, self.port, lambda address: say(f"{address}: page and API."))

    def _check(self) -> None:
        if self.port not in range(2**16):
            raise InputError(f"The port is {self.port}; it must lie between 0 and 65535.")
        for name in (
            "queue", "jobs", "keep_hours", "upload_mib", "memory_gib", "job_minutes", "max_frames",
        ):  # fmt: skip
            value = getattr(self, name)
            if not 0 < value < 1e6:
                option = name.replace("_", "-")
                raise InputError(f"--{option} is {value:g}; it must be above 0.")


@contextmanager
def _extras() -> Iterator[None]:
    """Say which extra a package belongs to that is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        raise InputError(
            f"bdmm serve needs the package {error.name}: run pip install 'bdmm[{extra}]'."
        ) from error


def _read_token(path: Path) -> str:
    with reading(path, TEXT):
        token = path.read_text().strip()
    if len(token) < _LEAST_TOKEN or not token.isprintable() or not token.isascii():
        raise InputError(
            f"The token in {path} must be one line of at least {_LEAST_TOKEN} characters."
        )
    return token


def _default_folder() -> Path:
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "bdmm" / "serve"
