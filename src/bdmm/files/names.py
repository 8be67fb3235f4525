"""Names from outside: the one way into a path, and the one way to remove what bears one."""

import hashlib
import re
import shutil
from pathlib import Path, PurePosixPath

_MAX_BYTES = 180
"""Longest name that `file_name` gives; systems take 255, temporary names need some of them."""
_MAX_ENTRY = 240
"""Bytes of the longest path in a list."""


def is_file_name(text: str) -> bool:
    """Return whether a text names a file in a folder: no path, neither ``.`` nor ``..``."""
    return (
        text not in ("", ".", "..")
        and not any(mark in text for mark in "/\\\0")
        and len(text.encode(errors="replace")) <= 255
    )


def file_name(text: str) -> str:
    """Return a name for a file or folder on every system, made of a name from outside.

    Whatever is not a letter, a digit or one of ``_.+-`` becomes ``_``. The result never begins with
    a dot. Names over 180 bytes are cut, and end with eight digits of their hash.
    """
    name = re.sub(r"[^\w.+-]", "_", text).lstrip(".") or "clip"
    if len(name.encode()) > _MAX_BYTES:
        digits = hashlib.sha256(name.encode()).hexdigest()[:8]
        start = name.encode()[: _MAX_BYTES - 9].decode(errors="ignore")
        name = f"{start}-{digits}"
    return name


def inner_path(entry: str) -> Path | None:
    """Return the relative path that a list names, None if it may lead out of its folder."""
    if (
        len(entry.encode(errors="replace")) > _MAX_ENTRY
        or entry.startswith(("/", "\\"))
        or ":" in entry
    ):
        return None
    parts = PurePosixPath(entry.replace("\\", "/")).parts
    return Path(*parts) if parts and all(is_file_name(part) for part in parts) else None


def remove_inside(folder: Path, name: str) -> None:
    """Remove a file or a folder of this name in a folder; of a link, the link alone.

    Raises:
        ValueError: the name leads out of the folder.
        OSError: it cannot be removed.
    """
    if not is_file_name(name):
        raise ValueError(f"{name!r} is no name inside {folder}")
    path = folder / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
