"""Files that appear whole or not at all, and mistakes in their paths found before the work."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bdmm.errors import InputError

MIN_FREE_BYTES = 4 * 2**20
"""Less free space than this is called a full disk before any work begins."""


def check_output(
    path: str | Path, suffixes: Sequence[str], inputs: Iterable[str | Path] = ()
) -> Path:
    """Check that a file can be written here, without leaving anything behind.

    Args:
        path: where the file shall appear.
        suffixes: the file types that can be written, such as ``.mp4``.
        inputs: files that are read meanwhile and must not be replaced.

    Returns:
        The path.

    Raises:
        InputError: the type is unknown, the folder is missing, read-only or full, the path is a
            folder, or the output would replace an input.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise InputError(
            f"The output {path} has no known file type; use a name that ends in "
            f"{', '.join(suffixes)}."
        )
    if path.is_dir():
        raise InputError(f"The output {path} is a folder; give the name of a file.")
    for other in inputs:
        if path.exists() and Path(other).exists() and path.samefile(other):
            raise InputError(f"The output {path} would replace an input; choose another name.")
    check_folder(path.parent)
    return path


def check_folder(folder: Path) -> None:
    """Check that a new file can be made in a folder.

    Raises:
        InputError: the folder is missing, read-only or full.
    """
    if not folder.is_dir():
        raise InputError(f"The output folder {folder} does not exist; make it first.")
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".bdmm-"):
            pass
    except OSError as error:
        raise InputError(f"Nothing can be written to {folder}: {_reason(error)}.") from error
    if shutil.disk_usage(folder).free < MIN_FREE_BYTES:
        raise InputError(f"Nothing can be written to {folder}: the disk is full.")


@contextmanager
def appearing(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Lend a temporary place beside a file; rename it to the file's name at the end.

    Whatever stops the work before, an error or Ctrl-C, the temporary is removed and an older file
    under the name stays as it was.

    Args:
        path: the final name.
        folder: lend a folder instead of a file.

    Yields:
        The temporary path, of the same suffix.

    Raises:
        InputError: the temporary cannot be made or renamed.
    """
    with writing(path):
        part = _new_part(path, folder)
    try:
        yield part
        with writing(path):
            part.replace(path)
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's errors while a file is written into one sentence.

    Raises:
        InputError: the disk is full, writing is not permitted and the like.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} could not be written: {_reason(error)}; nothing was kept."
        ) from error


def _new_part(path: Path, folder: bool) -> Path:
    prefix = f".{path.stem}-"
    mask = os.umask(0)
    os.umask(mask)
    if folder:
        part = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix))
        part.chmod(0o777 & ~mask)
        return part
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    part.chmod(0o666 & ~mask)
    return part


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "writing is not permitted there"
    return (error.strerror or str(error)).lower()
