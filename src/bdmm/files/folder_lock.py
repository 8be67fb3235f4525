"""One run per folder: a lock that the system itself lets go of when its holder dies."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bdmm.errors import InputError
from bdmm.files.output_file import writing

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder during a ``with`` statement.

    The file holds the number of the process. What a killed run left behind is taken over.

    Raises:
        InputError: another run is at work in it, or the file cannot be made.
    """
    path = folder / NAME
    handle = _take(path)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)


def _take(path: Path) -> int:
    while True:
        with writing(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise InputError(
                f"Another run (process {holder}) is writing into {path.parent}: wait for it, or "
                "choose another folder."
            ) from error
        if _is_current(handle, path):
            return handle
        os.close(handle)


def _is_current(handle: int, path: Path) -> bool:
    """Tell whether the file was not removed by its last holder just before it was locked."""
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
