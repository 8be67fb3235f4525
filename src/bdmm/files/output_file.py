"""Files that appear whole or not at all, folders with one writer, and mistakes found before work.

Whoever writes holds a lock that the system itself releases when the process ends: on the temporary
file of each output, and on a file in each folder that one run fills. So a later run knows what dead
ones left.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bdmm.errors import InputError
from bdmm.files.names import remove_inside

MIN_FREE_BYTES = 4 * 2**20
"""Less free space than this is called a full disk before any work begins."""
LOCK = ".lock"
"""File in a folder that one run fills; it holds the number of the process."""
_PART = re.compile(r"\..*\.bdmm-[a-z0-9_]{8}(\.\w+)?")
"""Names of temporary files and folders."""
_STEM = 40
"""Characters of the final name in a temporary one."""


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
    check_name(path)
    if path.suffix.lower() not in suffixes:
        raise InputError(
            f"The output {path} has no known file type; use a name that ends in "
            f"{', '.join(suffixes)}."
        )
    if path.is_dir():
        raise InputError(f"The output {path} is a folder; give the name of a file.")
    check_separate([path], map(Path, inputs))
    check_folder(path.parent)
    return path


def check_name(path: Path) -> None:
    """Check that the system knows files of such a name.

    Raises:
        InputError: it is too long, or a link that leads round in circles.
    """
    try:
        path.exists()
    except OSError as error:
        raise InputError(f"{path} cannot be used: {_reason(error)}.") from error


def check_separate(outputs: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Check that no output replaces an input or another output, by whatever names.

    Args:
        outputs: files or folders that will be written.
        inputs: files or folders that are read meanwhile.

    Raises:
        InputError: one does.
    """
    for first, second in itertools.combinations(outputs, 2):
        if first.resolve() == second.resolve():
            raise InputError(f"{first} is named for two outputs; they need different names.")
    files = [path for path in outputs if path.is_file()]
    for path, other in itertools.product(files, inputs):
        if other.exists() and path.samefile(other):
            raise InputError(f"The output {path} would replace an input; choose another name.")


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
    """Lend a temporary place in a file's folder; rename it to the file's name at the end.

    Whatever stops the work before, an error or Ctrl-C, the temporary is removed and an older file
    under the name stays as it was. What a killed process left in the folder is removed first.

    Args:
        path: the final name.
        folder: lend a folder instead of a file.

    Yields:
        The temporary path, of the same suffix.

    Raises:
        InputError: the temporary cannot be made or renamed.
    """
    if not any(_PART.fullmatch(name) for name in path.parent.parts):  # else all in it is our own
        sweep(path.parent)
    with writing(path):
        part, handle = _new_part(path, folder)
    try:
        yield part
        with writing(path):
            part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            remove_inside(part.parent, part.name)
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove temporary files of processes that were killed; those of living ones stay."""
    with contextlib.suppress(OSError):
        for name in filter(_PART.fullmatch, [path.name for path in folder.iterdir()]):
            with contextlib.suppress(OSError):
                handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove_inside(folder, name)
                finally:
                    os.close(handle)


@contextmanager
def locked(folder: Path, name: str = LOCK) -> Iterator[None]:
    """Keep other runs out of a folder during a ``with`` statement.

    What a killed run left behind is taken over.

    Args:
        name: of the file that is locked; several runs that share the work have one each.

    Raises:
        InputError: another run is at work in it, or the file cannot be made.
    """
    path = folder / name
    handle = _take(path)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file; it appears whole or not at all.

    Args:
        content: bytes, or a text that is written as UTF-8.

    Raises:
        InputError: it cannot be written.
    """
    with appearing(path) as part, writing(path):
        part.write_bytes(content.encode() if isinstance(content, str) else content)


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


def _new_part(path: Path, folder: bool) -> tuple[Path, int]:
    """Return a new temporary place and the handle that locks it as long as this process lives."""
    prefix, suffix = f".{path.stem[:_STEM]}.bdmm-", "" if folder else path.suffix
    mask = os.umask(0)
    os.umask(mask)
    while True:
        if folder:
            part = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix))
        else:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=suffix)
            os.close(handle)
            part = Path(name)
        with contextlib.suppress(FileNotFoundError, BlockingIOError):  # a sweep was faster
            held = _held(part)
            part.chmod((0o777 if folder else 0o666) & ~mask)
            return part, held


def _held(part: Path) -> int:
    """Lock a temporary place; return the handle that keeps the lock.

    Raises:
        FileNotFoundError, BlockingIOError: somebody is removing it.
    """
    handle = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        return handle  # a file system without locks, where nothing is swept
    if not _is_current(handle, part):
        os.close(handle)
        raise FileNotFoundError(part)
    return handle


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
    """Return whether an opened file still lies under its name, not removed just before its lock."""
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "writing is not permitted there"
    return (error.strerror or str(error)).lower()
