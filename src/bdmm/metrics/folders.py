"""Generated and true frames as they lie on disk: videos, folders of pictures, the paper's strips.

What belongs together is checked before it is scored.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bdmm.data.raw_clip import PICTURES, picture_files
from bdmm.errors import InputError, Notice
from bdmm.media.image import Picture, picture_size, read_image, resize_image
from bdmm.media.video_reader import VideoReader
from bdmm.metrics.frame_metrics import FramePair

MIN_SIZE = 16
"""Smallest height and width of a frame that can be scored."""
PANELS = ("source", "source_body", "target", "driving_body", "generated")
"""Of a strip, from the left."""


class StoredPair(NamedTuple):
    """Names of a generated and a true frame; reading them raises `InputError` on damage."""

    generated: str
    target: str
    read: Callable[[], tuple[Picture, Picture]]


class StoredPairs:
    """Pairs of frames, read one by one; iterate as often as you like.

    Args:
        stored: starts from the first pair.
        size: (height, width) to bring every frame to with an anti-aliased filter; by default
            frames are scored as they are and all must be of one size.
        skip_bad: called with a sentence for each frame that cannot be read or has another size; the
            frame is left out. By default it is an error.
    """

    def __init__(
        self,
        stored: Callable[[], Iterator[StoredPair]],
        size: tuple[int, int] | None = None,
        skip_bad: Callable[[str], None] | None = None,
    ) -> None:
        self._stored, self._size, self._skip_bad = stored, size, skip_bad

    def __iter__(self) -> Iterator[FramePair]:
        """Read pair after pair.

        Raises:
            InputError: a frame is damaged or of another size and bad ones are not skipped, or a
                video ends early.
        """
        expected = self._size
        for stored in self._stored():
            try:
                pair = self._read(stored, expected)
            except InputError as error:
                if self._skip_bad is None:
                    raise
                self._skip_bad(str(error))
                continue
            expected = picture_size(pair.target_uint8)
            yield pair

    def _read(self, stored: StoredPair, expected: tuple[int, int] | None) -> FramePair:
        ours, theirs = stored.read()
        if self._size is not None:
            ours, theirs = resize_image(ours, self._size), resize_image(theirs, self._size)
        expected = expected or picture_size(theirs)
        _check_size(stored.target, theirs, expected)
        _check_size(stored.generated, ours, expected)
        return FramePair(stored.generated, ours, theirs)


def paired_frames(
    generated: Path,
    target: Path,
    size: tuple[int, int] | None = None,
    skip_bad: Callable[[str], None] | None = None,
) -> StoredPairs:
    """Return the pairs of two videos or folders of pictures.

    Frames of folders belong together by the number in their names; frames of videos by their order.

    Args:
        size: see `StoredPairs`.
        skip_bad: see `StoredPairs`.

    Raises:
        InputError: either cannot be read, or frames are missing; the sentence names the first.
    """
    ours, theirs = _open_frames(generated), _open_frames(target)
    _check_belong_together(ours, theirs)

    def stored() -> Iterator[StoredPair]:
        for one, other in zip(ours.frames(), theirs.frames(), strict=True):
            yield StoredPair(one.name, other.name, lambda one=one, other=other: _both(one, other))

    return StoredPairs(stored, size, skip_bad)


def strip_pairs(path: Path, skip_bad: Callable[[str], None] | None = None) -> StoredPairs:
    """Return the pairs of one clip's strips in a folder, in the order of their numbers.

    Raises:
        InputError: the folder does not exist or holds no pictures.
    """
    if not path.is_dir():
        raise InputError(f"The folder {path} does not exist.")
    folder = _open_folder(path)

    def read(frame: "_Frame") -> tuple[Picture, Picture]:
        panels = cut_strip(frame.name, frame.read())
        return panels["generated"], panels["target"]

    def stored() -> Iterator[StoredPair]:
        for frame in folder.frames():
            yield StoredPair(frame.name, frame.name, lambda frame=frame: read(frame))

    return StoredPairs(stored, skip_bad=skip_bad)


def cut_strip(name: str, picture: Picture) -> dict[str, Picture]:
    """Cut a strip into its panels, each ``h h 3`` by the names of `PANELS`.

    Args:
        name: of the file, for messages.
        picture: RGB in 0..255, five times as wide as it is high.

    Raises:
        InputError: it has another shape.
    """
    height, width = picture.shape[:2]
    if width != len(PANELS) * height:
        raise InputError(
            f"{name} has {width} x {height} pixels and is not a strip of {len(PANELS)} square "
            "panels in a row."
        )
    cuts = (picture[:, i * height : (i + 1) * height] for i in range(len(PANELS)))
    return dict(zip(PANELS, cuts, strict=True))


def is_strip_folder(path: Path) -> bool:
    """Return whether a folder's first picture has the form of a strip.

    Raises:
        InputError: the folder holds no pictures or the first is damaged.
    """
    height, width = next(_open_folder(path).frames()).read().shape[:2]
    return width == len(PANELS) * height


class _Frame(NamedTuple):
    """A path, or a video's path and the frame's number from 1; and what reads the picture."""

    name: str
    read: Callable[[], Picture]


@dataclass(frozen=True)
class _FrameSource:
    """Frames in order, with the number in each file name, rising, if all have one."""

    path: Path
    count: int
    numbers: tuple[int, ...] | None
    frames: Callable[[], Iterator[_Frame]]


def _both(generated: _Frame, target: _Frame) -> tuple[Picture, Picture]:
    return generated.read(), target.read()


def _open_frames(path: Path) -> _FrameSource:
    """Open a folder, or a video: at its own constant rate, damaged frames show the one before."""
    if not path.exists():
        raise InputError(f"{path} does not exist; give a video or a folder of pictures.")
    if path.is_dir():
        return _open_folder(path)
    reader = VideoReader(path)

    def frames() -> Iterator[_Frame]:
        number = 0
        for number, picture in enumerate(reader, start=1):
            yield _Frame(f"{path} frame {number}", lambda picture=picture: picture)
        if number != len(reader):
            raise InputError(f"{path} ends after frame {number} of {len(reader)}.")

    return _FrameSource(path, len(reader), None, frames)


def _open_folder(path: Path) -> _FrameSource:
    """Open a folder, in the order of the last number in its files' names, else by name."""
    files = sorted(file for file in picture_files(path) if not file.name.startswith("."))
    if not files:
        raise InputError(f"The folder {path} holds no pictures ({', '.join(PICTURES)}).")
    digits = [re.findall(r"\d+", file.stem) for file in files]
    numbers = None
    if all(digits):
        numbered = sorted((int(one[-1]), file) for one, file in zip(digits, files, strict=True))
        for (number, file), (following, other) in pairwise(numbered):
            if number == following:
                raise InputError(
                    f"{file} and {other.name} bear the same number: give one folder for each clip."
                )
        numbers, files = tuple(one for one, _ in numbered), [file for _, file in numbered]

    def frames() -> Iterator[_Frame]:
        for file in files:
            yield _Frame(str(file), lambda file=file: read_image(file))

    return _FrameSource(path, len(files), numbers, frames)


def _check_size(name: str, picture: Picture, expected: tuple[int, int]) -> None:
    height, width = picture_size(picture)
    if (height, width) != expected:
        raise InputError(
            f"{name} has {width} x {height} pixels where {expected[1]} x {expected[0]} are "
            "expected: all frames that are compared must be of one size."
        )
    if min(height, width) < MIN_SIZE:
        raise InputError(
            f"{name} has {width} x {height} pixels; at least {MIN_SIZE} each way are needed."
        )


def _check_belong_together(generated: _FrameSource, target: _FrameSource) -> None:
    """Check that each frame has its partner."""
    if generated.numbers is not None and target.numbers is not None:
        _match_numbers(generated, target, generated.numbers, target.numbers)
        return
    for source in (generated, target):
        _refuse_gap(source)
    if generated.count != target.count:
        short, long = sorted((generated, target), key=lambda one: one.count)
        raise InputError(
            f"{short.path} has {short.count} frames and {long.path} {long.count}: frame "
            f"{short.count + 1} of {long.path} has no partner."
        )


def _match_numbers(
    generated: _FrameSource, target: _FrameSource, ours: Sequence[int], theirs: Sequence[int]
) -> None:
    if ours == theirs:
        return
    shifted = not set(ours) & set(theirs) or {ours[0], theirs[0]} == {0, 1}
    if shifted and _steps(ours) == _steps(theirs):
        warnings.warn(
            f"{generated.path} counts from {ours[0]} and {target.path} from {theirs[0]}; their "
            "frames are compared in order.",
            Notice,
            stacklevel=4,
        )
        return
    first = min(set(ours) ^ set(theirs))
    lacking, having = (target, generated) if first in set(ours) else (generated, target)
    raise InputError(
        f"{lacking.path} lacks frame {first}, which {having.path} has ({len(ours)} generated "
        f"frames, {len(theirs)} true ones)."
    )


def _steps(numbers: Sequence[int]) -> list[int]:
    return [b - a for a, b in pairwise(numbers)]


def _refuse_gap(source: _FrameSource) -> None:
    """Where frames go by their order alone, a gap would shift all that follow."""
    if source.numbers is None:
        return
    steps = _steps(source.numbers)
    usual = min(steps, default=1)
    for number, step in zip(source.numbers, steps, strict=False):
        if step != usual:
            raise InputError(f"{source.path} lacks frame {number + usual}.")
