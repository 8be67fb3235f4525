"""What may be sent: names, types and sizes, judged by the first bytes; nothing is decoded here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bdmm.errors import InputError
from bdmm.files.names import file_name

FIRST = 16
"""Bytes at the start of a file by which its type is known."""
_ISO = ((4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"wide"), (4, b"free"), (4, b"skip"))
_MATROSKA = ((0, b"\x1aE\xdf\xa3"),)


@dataclass(frozen=True)
class Accepted:
    """Files that are accepted for a purpose.

    Attributes:
        name: what messages call them.
        signatures: by suffix, the bytes that such files start with, each with its place.
    """

    name: str
    signatures: Mapping[str, tuple[tuple[int, bytes], ...]]

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffixes of their names."""
        return tuple(self.signatures)


_PICTURES = {
    ".jpg": ((0, b"\xff\xd8\xff"),),
    ".jpeg": ((0, b"\xff\xd8\xff"),),
    ".png": ((0, b"\x89PNG\r\n\x1a\n"),),
    ".webp": ((8, b"WEBP"),),
}
_VIDEOS = {
    ".mp4": _ISO,
    ".mov": _ISO,
    ".m4v": _ISO,
    ".mkv": _MATROSKA,
    ".webm": _MATROSKA,
    ".avi": ((8, b"AVI "),),
    ".gif": ((0, b"GIF8"),),
}
PHOTO = Accepted("photo", _PICTURES)
DRIVING = Accepted("driving file", {**_VIDEOS, ".motion": ((8, b"{"),)})


class UnsupportedTypeError(InputError):
    """A file is of a type that is not accepted, or not of the type that it says.

    Args:
        sentence: for the user.
        accepted: what the file was sent as.
    """

    def __init__(self, sentence: str, accepted: Accepted) -> None:
        super().__init__(sentence)
        self.accepted = accepted


def checked_name(name: str, first: bytes, accepted: Accepted) -> str:
    """Return a safe name for an upload.

    Args:
        name: as the client says it.
        first: its first `FIRST` bytes.

    Raises:
        UnsupportedTypeError: its suffix is not accepted, or its first bytes are of another type.
    """
    safe = file_name(name.replace("\\", "/").rsplit("/", 1)[-1])
    safe = safe if safe[0].isalnum() else f"_{safe}"
    suffix = Path(safe).suffix.lower()
    listing = ", ".join(accepted.suffixes)
    if suffix not in accepted.signatures:
        raise UnsupportedTypeError(
            f"The {accepted.name} {safe} has no known file type; send a file whose name ends in "
            f"{listing}.",
            accepted,
        )
    family = _PICTURES if suffix in _PICTURES else _VIDEOS if suffix in _VIDEOS else None
    allowed = family or {suffix: accepted.signatures[suffix]}
    if not any(
        first[place : place + len(mark)] == mark
        for marks in allowed.values()
        for place, mark in marks
    ):
        raise UnsupportedTypeError(
            f"The {accepted.name} {safe} is not what its name says: it does not start as a "
            f"{suffix} file does.",
            accepted,
        )
    return safe
