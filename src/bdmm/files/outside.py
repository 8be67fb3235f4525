"""The one entrance for files from outside: regular files of bounded size, read without surprises.

Every reader of a user's file goes through `reading` with the `Kind` of the file. What a kind may
hold at most stands here and nowhere else; ``docs/bounds.md`` is printed from this table.
"""

import errno
import json
import math
import os
import stat
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bdmm.errors import InputError

MIB = 2**20
_PACKAGES = ("bdmm", "bdmm_synth")
_DEFECTS = (AssertionError, AttributeError, ImportError, NameError, TypeError)


@dataclass(frozen=True)
class Kind:
    """A kind of file from outside, and how much of it is read at most.

    Attributes:
        name: what messages call it.
        max_bytes: larger files are refused unread; None where the file is read in pieces.
        limits: further bounds by what they count.
    """

    name: str
    max_bytes: int | None
    limits: Mapping[str, int] = field(default_factory=dict)

    def most(self, counted: str) -> int:
        """Return the bound on what is counted, such as ``pixels``."""
        return self.limits[counted]


PICTURE = Kind("picture", 512 * MIB, {"pixels": 50_000_000, "pixels of a side": 32_768})
VIDEO = Kind(
    "video",
    None,
    {
        "frames": 500_000,
        "minutes": 60,
        "pixels of a frame": 2**25,
        "pixels of a side": 16_384,
        "seconds between frames": 10,
    },
)
MOTION = Kind("motion file", 64 * MIB, {"frames": 500_000})
SMPL = Kind(
    "SMPL file",
    320 * MIB,
    {
        "unpacked bytes": 512 * MIB,
        "opcodes of a pickle": 3_000_000,
        "numbers in lists": 5_000_000,
    },
)
KEYPOINTS = Kind(
    "keypoint file",
    16 * MIB,
    {"frames": 500_000, "people": 1000, "pixels of a side": 65_535, "pixels": 1_000_000},
)
BVH = Kind("BVH file", 64 * MIB, {"joints": 1000, "frames times joints": 4_000_000})
PERSON = Kind(
    "person file", 512 * MIB, {"photos": 8, "pixels of a side": 8192, "texels of a side": 1024}
)
WEIGHTS = Kind("weights file", 4096 * MIB)
CLIP = Kind("file of a prepared clip", 1024 * MIB)
ROWS = Kind("file of scores", None, {"characters of a line": 2**20})
LIST = Kind("list of clips", 4 * MIB)
TEXT = Kind("text file", 64 * MIB)
KINDS = (PICTURE, VIDEO, MOTION, SMPL, KEYPOINTS, BVH, PERSON, WEIGHTS, CLIP, ROWS, LIST, TEXT)
"""All kinds of files that are read."""


@contextmanager
def reading(path: Path, kind: Kind, trouble: str | None = None) -> Iterator[Path]:
    """Guard the reading of a file in a ``with`` statement that holds nothing but its parser.

    Args:
        trouble: the sentence for a file that cannot be parsed.

    Yields:
        The path of a regular file within the kind's size.

    Raises:
        InputError: the file is missing, no regular file, too large or unreadable, or its parser
            raised something. Defects of this package keep their own error, see `is_defect`.
    """
    try:
        _check_file(path, kind)
        yield path
    except InputError:
        raise
    except Exception as error:  # a parser may raise anything about a stranger's bytes
        if is_defect(error):
            raise
        if isinstance(error, MemoryError):
            trouble = f"The {kind.name} {path} takes more memory than there is."
        elif isinstance(error, OSError) and error.errno in errno.errorcode:
            reason = os.strerror(error.errno or 0).lower()
            trouble = f"The {kind.name} {path} cannot be read: {reason}."
        raise InputError(
            trouble or f"{path} is not a usable {kind.name}: it is damaged or of another kind."
        ) from error


def is_defect(error: BaseException) -> bool:
    """Return whether an error shows a mistake in this package's code, not a damaged file.

    True where a line of bdmm itself raised an error that only wrong code raises: one of
    `AssertionError`, `AttributeError`, `ImportError`, `NameError`, `TypeError`. A library raises
    the same ones about damaged bytes.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if not isinstance(error, _DEFECTS) or not frames:
        return False
    return frames[-1].f_globals.get("__name__", "").split(".")[0] in _PACKAGES


def read_json(path: Path, kind: Kind, trouble: str | None = None) -> Any:
    """Return what a JSON file holds; its numbers are finite.

    Raises:
        InputError: see `reading`; or the file holds NaN or an infinite number.
    """
    with reading(path, kind, trouble):
        return parse_json(path.read_bytes())


def parse_json(text: str | bytes) -> Any:
    """Return what JSON from outside holds; every number fits a float.

    Raises:
        ValueError: it is no JSON, is nested too deep, or has a number that fits none.
    """
    try:
        return json.loads(text, parse_float=_finite, parse_int=_whole, parse_constant=_finite)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return value


def _whole(number: str) -> int:
    _finite(number)
    return int(number)


def _check_file(path: Path, kind: Kind) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        status = None
    if status is None or not stat.S_ISREG(status.st_mode):
        raise InputError(f"The {kind.name} {path} does not exist or is not a file.")
    if kind.max_bytes is not None and status.st_size > kind.max_bytes:
        raise InputError(
            f"The {kind.name} {path} has {status.st_size / MIB:.0f} MiB; at most "
            f"{kind.max_bytes // MIB} MiB are read."
        )
