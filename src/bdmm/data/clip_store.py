"""A prepared clip on disk: a folder of plain files, read in any runs of frames.

| file | what |
|---|---|
| ``clip.json`` | metadata (`ClipInfo`), with size and SHA-256 of every other file |
| ``frames.mp4`` | the frames, H.264 4:4:4, a key frame every 12 |
| ``foreground.mp4`` | the person's foreground, H.264 grey |
| ``background.jpg`` | the background without the person |
| ``clip.motion`` | the fitted motion (`bdmm.media.motion_file`), in pixels of the frames |
| ``keypoints.safetensors`` | the 29 keypoints of that motion's body in every frame |
| ``warps.safetensors`` | warps from some source frames onto all frames (`warp_codec`) |
| ``truth.*`` | of rendered clips: motion, keypoints as the camera sees them, exact warps |

`clip_writer` writes it.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bdmm.data.clip_video import read_run
from bdmm.data.compress import (
    DamagedBlockError,
    load_blocks,
    load_header,
    pack_tracks,
    unpack_tracks,
)
from bdmm.data.warp_codec import FINEST, RUN, Quantisation, Warps, unpack_run
from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.files.names import is_file_name
from bdmm.files.outside import TEXT, read_json
from bdmm.media.image import read_image
from bdmm.media.motion_file import load_motion
from bdmm.media.pixels import to_frames
from bdmm.records import KEYPOINT_NAMES, Motion
from bdmm.shapes import Frames, Image, Keypoints

VERSION = 2
"""Format version that is written; version 1 does not store the quantisation of warps."""
_READ = (1, VERSION)
FILE_NAME = "clip.json"
FRAMES, FOREGROUND, BACKGROUND = "frames.mp4", "foreground.mp4", "background.jpg"
TRUTH = "truth"
MAX_FRAMES = 1_000_000
MAX_SIDE = 4096
_FPS = re.compile(r"[1-9][0-9]{0,8}/[1-9][0-9]{0,8}")
_PARTS = 16
"""Parts of a pixel to which keypoints are rounded."""
_LEVELS = 255
"""Parts of one to which confidences are rounded; what is above zero stays above zero."""
_FARTHEST = 8000.0
"""Pixels to which keypoints are clamped."""
_PARENTS = np.maximum(np.arange(len(KEYPOINT_NAMES)) - 1, 0)


@dataclass(frozen=True)
class CachedSource:
    """A frame whose warps onto all frames of the clip are stored.

    Attributes:
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
        body: name of the body model that the motion belongs to.
        flagged: numbers of the frames whose pose was not trusted.
        sources: frames with cached warps.
        truth: whether it has ground truth.
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


class PreparedClip:
    """A clip that `clip_writer.write_clip` wrote."""

    def __init__(self, folder: str | Path) -> None:
        """Open a clip: read its metadata and check that its files are all there.

        Raises:
            InputError: something is missing or cut off.
        """
        self.folder = Path(folder)
        self.info = load_info(self.folder)
        for name, (size, _) in self.info.files.items():
            path = self.folder / name
            if not path.is_file() or path.stat().st_size != size:
                raise InputError(f"{path} is missing or cut off: prepare the clip again.")

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.info.frames

    def verify(self) -> None:
        """Compare every file with its checksum.

        Raises:
            InputError: one was changed.
        """
        for name, (_, digits) in self.info.files.items():
            if fingerprint(self.folder / name) != digits:
                raise InputError(f"{self.folder / name} was changed: prepare the clip again.")

    def frames(self, start: int = 0, stop: int | None = None) -> Frames:
        """Return frames in [-1, 1].

        Raises:
            InputError: the file is damaged.
        """
        start, stop = self._run(start, stop)
        pictures = read_run(self.folder / FRAMES, start, stop, self.info.fps, "colour")
        return to_frames(list(self._sized(FRAMES, pictures)))

    def foregrounds(self, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return ``t 1 h w`` foregrounds in [0, 1]; see `frames`."""
        start, stop = self._run(start, stop)
        grey = read_run(self.folder / FOREGROUND, start, stop, self.info.fps, "grey")
        return torch.from_numpy(self._sized(FOREGROUND, grey)).float()[:, None] / 255

    def background(self) -> Image:
        """Return the place without the person, RGB in [-1, 1]."""
        picture = read_image(self.folder / BACKGROUND)
        return to_frames([self._sized(BACKGROUND, picture[None])[0]])[0]

    def motion(self, part: str = "") -> Motion:
        """Return the motion; with `TRUTH` that of the rendered body."""
        path = self.folder / f"{part or 'clip'}.motion"
        motion = load_motion(path)
        if len(motion) != len(self) or motion.size != self.info.size:
            raise InputError(f"{path} doesn't belong to its clip: prepare the clip again.")
        return motion

    def keypoints(self, part: str = "") -> Keypoints:
        """Return ``t 29 3`` keypoints in pixels of the frames; see `motion`."""
        path = self.folder / file_of("keypoints", part)
        with _naming(path):
            return unpack_keypoints(load_blocks(path, ["0"])[0], len(self))

    def warps(self, place: int, start: int = 0, stop: int | None = None, part: str = "") -> Warps:
        """Return cached warps of a run of frames.

        Args:
            place: which of ``info.sources``.
            part: empty, or `TRUTH` for the exact flow of rendered clips, of the first sources:
                there hidden is what the source doesn't show, and nothing has a fallback.

        Raises:
            InputError: the file is damaged.
        """
        start, stop = self._run(start, stop)
        path = self.folder / file_of("warps", part)
        runs = range(start // RUN, (stop - 1) // RUN + 1)
        with _naming(path):
            header = load_header(path)
            count = int(header["sources"])
            old = Quantisation(step=float(header.get("quantum", FINEST.step)))
            if place >= count:
                raise InputError(f"{path} has warps of {count} sources, not of {place + 1}.")
            blocks = load_blocks(path, [f"{place}/{run}" for run in runs])
            parts = [
                unpack_run(block, self.info.size, _within(run, start, stop), old)
                for run, block in zip(runs, blocks, strict=True)
            ]
            grid, state, fallback = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
            if len(grid) != stop - start:
                raise DamagedBlockError
        return Warps(self.info.sources[place].frame, grid, state, fallback)

    def _run(self, start: int, stop: int | None) -> tuple[int, int]:
        stop = len(self) if stop is None else stop
        assert 0 <= start < stop <= len(self), (start, stop, len(self))
        return start, stop

    def _sized(self, name: str, pictures: np.ndarray) -> np.ndarray:
        if pictures.shape[1:3] != self.info.size:
            raise InputError(f"{self.folder / name} has frames of another size than its clip.")
        return pictures


def find_clips(folder: str | Path) -> list[Path]:
    """Return the folders of all prepared clips in a folder, sorted by name.

    Raises:
        InputError: there are none.
    """
    folder = Path(folder)
    if (folder / "clip.json").is_file():
        return [folder]
    places = [folder, folder / "clips"]
    found = [path.parent for place in places for path in place.glob("[!.]*/clip.json")]
    if not found:
        raise InputError(
            f"{folder} holds no prepared clips: make some with bdmm prepare or bdmm synth."
        )
    return sorted(found)


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
    if not path.exists():
        raise InputError(f"{folder} is no prepared clip: it has no {FILE_NAME}.")
    content = read_json(path, TEXT, f"{path} is damaged: prepare the clip again.")
    if not isinstance(content, dict) or content.get("version") not in _READ:
        raise InputError(
            f"{path} is of another format than this program reads (version {VERSION}): prepare "
            "the clip again with this program, or use a newer one."
        )
    try:
        return _checked(content)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}): prepare the clip again.") from error


def pack_keypoints(keypoints: Keypoints) -> bytes:
    """Code ``t 29 3`` keypoints (x, y in pixels, confidence in [0, 1])."""
    places = keypoints[..., :2].nan_to_num().clamp(-_FARTHEST, _FARTHEST) * _PARTS
    trust = keypoints[..., 2:].clamp(0, 1) * _LEVELS
    trust = torch.where(trust > 0, trust.clamp(min=1), 0)
    values = torch.cat([places, trust], dim=-1).round().int()
    return pack_tracks(values.cpu().numpy(), _PARENTS)


def unpack_keypoints(block: bytes, frames: int) -> Keypoints:
    """Return what `pack_keypoints` was given.

    Raises:
        DamagedBlockError: the block is damaged, or of another number of frames.
    """
    values = torch.from_numpy(unpack_tracks(block, frames, 3, _PARENTS)).float()
    return torch.cat([values[..., :2] / _PARTS, values[..., 2:] / _LEVELS], dim=-1)


def file_of(what: str, part: str) -> str:
    """Return the name of a file of blocks, such as ``truth.warps.safetensors``."""
    return f"{part}.{what}.safetensors" if part else f"{what}.safetensors"


def _within(run: int, start: int, stop: int) -> slice:
    return slice(max(start - run * RUN, 0), min(stop - run * RUN, RUN))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file a damaged block is in."""
    try:
        yield
    except (DamagedBlockError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: prepare the clip again.") from error


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
