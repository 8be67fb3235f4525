"""What is said about a prepared clip in its ``clip.json``, checked when it is read."""

import json
import re
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from bdmm.errors import InputError
from bdmm.files.names import is_file_name

VERSION = 2
"""Format version that this code writes; in version 1 all warps are as fine as the finest ones."""
_READ = (1, VERSION)
FILE_NAME = "clip.json"
MAX_FRAMES = 1_000_000
MAX_SIDE = 4096
_FPS = re.compile(r"[1-9][0-9]{0,8}/[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class CachedSource:
    """A frame whose warps onto all frames of the clip are stored.

    Attributes:
        frame: its number.
        error: mean error in pixels, over the keypoints, that its fit was given on purpose.
    """

    frame: int
    error: float = 0.0


@dataclass(frozen=True)
class Origin:
    """Where a clip comes from.

    Attributes:
        file: name of the video or folder, or of the maker of rendered clips.
        sha256: of the file, of a folder's names and sizes, or empty.
        size: (height, width) of its frames in pixels.
        crop: (left, top, side) of the square that was cut out, in pixels of its frames.
        frames: what part of it: first frame, one past the last, in frames of this clip's rate.
    """

    file: str
    sha256: str
    size: tuple[int, int]
    crop: tuple[int, int, int]
    frames: tuple[int, int]


@dataclass(frozen=True)
class ClipInfo:
    """The metadata of a prepared clip.

    Attributes:
        name: of the clip's folder.
        dataset: such as ``fashion``, ``iper``, ``videos`` or ``synth``.
        split: ``train``, ``val`` or ``test``.
        fps: frames per second.
        size: (height, width) of the frames.
        frames: how many.
        body: name of the body model that the motion belongs to.
        flagged: numbers of the frames whose pose was not trusted.
        sources: frames with cached warps.
        origin: where it comes from.
        truth: whether ground truth lies beside it.
        made_by: program and version.
        files: bytes and SHA-256 of every other file in the folder.
    """

    name: str
    dataset: str
    split: str
    fps: Fraction
    size: tuple[int, int]
    frames: int
    body: str
    flagged: tuple[int, ...]
    sources: tuple[CachedSource, ...]
    origin: Origin
    truth: bool
    made_by: str
    files: dict[str, tuple[int, str]]


def save_info(folder: Path, info: ClipInfo) -> None:
    """Write ``clip.json`` into a clip's folder; the same metadata gives the same bytes."""
    content = {"version": VERSION, **asdict(info)}
    content["fps"] = f"{info.fps.numerator}/{info.fps.denominator}"
    text = json.dumps(content, indent=1, sort_keys=True)
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


def load_info(folder: Path) -> ClipInfo:
    """Read and check ``clip.json``.

    Raises:
        InputError: it is missing, damaged, or of another version.
    """
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{folder} is no prepared clip: it has no {FILE_NAME}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: prepare the clip again.") from error
    if not isinstance(content, dict) or content.get("version") not in _READ:
        raise InputError(
            f"{path} is of another format than this program reads (version {VERSION}): prepare "
            "the clip again with this program, or use a newer one."
        )
    try:
        return _checked(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}): prepare the clip again.") from error


def _checked(content: dict[str, Any]) -> ClipInfo:
    """Build the record; whatever doesn't fit raises ValueError and the like."""
    plain = {field.name: content[field.name] for field in fields(ClipInfo)}
    if not _FPS.fullmatch(plain["fps"]):
        raise ValueError("the rate is no fraction")
    frames = _whole(plain["frames"], 1, MAX_FRAMES)
    origin = plain["origin"]
    height, width = (_whole(side, 1, MAX_SIDE) for side in plain["size"])
    return ClipInfo(
        name=_file_name(plain["name"]),
        dataset=_text(plain["dataset"]),
        split=_text(plain["split"]),
        fps=Fraction(plain["fps"]),
        size=(height, width),
        frames=frames,
        body=_text(plain["body"]),
        flagged=tuple(_whole(frame, 0, frames - 1) for frame in plain["flagged"]),
        sources=tuple(
            CachedSource(_whole(one["frame"], 0, frames - 1), float(one["error"]))
            for one in plain["sources"]
        ),
        origin=Origin(
            file=_text(origin["file"]),
            sha256=_text(origin["sha256"]),
            size=_pair(origin["size"]),
            crop=(*_pair(origin["crop"][:2]), _number(origin["crop"][2])),
            frames=_pair(origin["frames"]),
        ),
        truth=bool(plain["truth"]),
        made_by=_text(plain["made_by"]),
        files={
            _file_name(name): (_whole(size, 0, 2**40), _text(digest))
            for name, (size, digest) in plain["files"].items()
        },
    )


def _whole(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{value!r} is out of range")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _file_name(value: Any) -> str:
    if not is_file_name(_text(value)):
        raise ValueError(f"{value!r} is no file of the clip")
    return value


def _pair(values: Any) -> tuple[int, int]:
    first, second = values
    return _number(first), _number(second)


def _number(value: Any) -> int:
    return _whole(value, -(10**9), 10**9)
