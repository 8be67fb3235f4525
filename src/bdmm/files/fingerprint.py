"""What tells two files or folders apart."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from bdmm.errors import InputError


def fingerprint(path: Path, files: Iterable[Path] | None = None) -> str:
    """Return the SHA-256 of a file, or of the names and sizes of a folder's files.

    Args:
        path: a file or a folder.
        files: of a folder, those that count, in their order.

    Raises:
        InputError: something cannot be read.
    """
    try:
        if files is None:
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        listed = "".join(f"{file.name} {file.stat().st_size}\n" for file in files)
        return hashlib.sha256(listed.encode()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
