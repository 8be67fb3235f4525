"""File types of videos, and which of them can be transparent."""

from pathlib import Path

from bdmm.errors import InputError

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".gif")
"""What is written: H.264, or VP9 in .webm, or a palette per frame in .gif (no sound)."""
TRANSPARENT = "transparent"
"""The background that leaves the person alone, on alpha."""
TRANSPARENT_SUFFIXES = (".webm", ".mov", ".gif")
"""Types with alpha: VP9, ProRes 4444, one transparent colour; a folder of PNG files has it too."""


def check_transparent(path: str | Path) -> None:
    """Refuse a transparent video in a file type without alpha.

    Raises:
        InputError: the type has none.
    """
    suffix = Path(path).suffix.lower()
    if suffix and suffix not in TRANSPARENT_SUFFIXES:
        raise InputError(
            f"The output {path} cannot be transparent: use .webm (VP9), .mov (ProRes 4444), .gif "
            "(no soft edges), or a name without a suffix for a folder of PNG files."
        )
