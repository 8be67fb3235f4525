"""Generated and true frames as they lie on disk: videos, folders of pictures, the paper's strips.

What belongs together is checked before it is scored.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol, runtime_checkable

from bdmm.data.raw_clip import PICTURES, picture_files
from bdmm.errors import InputError, Notice
from bdmm.media.image import Picture, picture_size, read_image, resize_image
from bdmm.media.video_reader import VideoReader
from bdmm.metrics.frame_metrics import FramePair

MIN_SIZE = 16
"""Smallest height and width of a frame that can be judged."""
PANELS = ("source", "source_body", "target", "driving_body", "generated")
"""From the left."""


@dataclass(frozen=True)
class StoredFrame:
    """A frame that is read when it is needed.

    Attributes:
        name: that a user recognises: a path, or a video's path and the frame's number from 1.
        read: returns RGB in 0..255; raises `InputError` where the frame is damaged.
    """

    name: str
    read: Callable[[], Picture]


@runtime_checkable
class FrameSource(Protocol):
    """Frames in order, gone through again and again."""

    @property
    def path(self) -> Path:
        """Return the file or folder."""
        ...

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """Return the number in each frame's file name, rising, or None where names bear none."""
        ...

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def __iter__(self) -> Iterator[StoredFrame]:
        """Go through the frames."""
        ...


def open_frames(path: str | Path) -> FrameSource:
    """Open a video or a folder of pictures.

    Raises:
        InputError: it does not exist, cannot be read or holds no frames.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a video or a folder of pictures.")
    return FrameFolder(path) if path.is_dir() else FrameVideo(path)


class FrameFolder:
    """A folder of pictures, in the order of the last number in their names, else by name.

    Args:
        path: the folder; what is hidden or no picture is passed over.

    Raises:
        InputError: it holds no picture or two with the same number.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        files = sorted(file for file in picture_files(path) if not file.name.startswith("."))
        if not files:
            raise InputError(f"The folder {path} holds no pictures ({', '.join(PICTURES)}).")
        found = [_last_number(file) for file in files]
        numbers = [number for number in found if number is not None]
        if len(numbers) < len(files):
            self.numbers, self._files = None, files
            return
        order = sorted(range(len(files)), key=lambda i: numbers[i])
        self._files = [files[i] for i in order]
        self.numbers = tuple(numbers[i] for i in order)
        for i in range(1, len(files)):
            if self.numbers[i] == self.numbers[i - 1]:
                raise InputError(
                    f"{self._files[i - 1]} and {self._files[i].name} bear the same number: give "
                    "one folder for each clip."
                )

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._files)

    def __iter__(self) -> Iterator[StoredFrame]:
        """Go through the frames."""
        for file in self._files:
            yield StoredFrame(str(file), lambda file=file: read_image(file))


class FrameVideo:
    """A video at its own constant rate; a damaged frame shows the one before it.

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.numbers = None
        self._reader = VideoReader(path)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._reader)

    def __iter__(self) -> Iterator[StoredFrame]:
        """Go through the frames."""
        for number, picture in enumerate(self._reader, start=1):
            yield StoredFrame(f"{self.path} frame {number}", lambda picture=picture: picture)


def _last_number(file: Path) -> int | None:
    found = re.findall(r"\d+", file.stem)
    return int(found[-1]) if found else None


class PairedFrames:
    """Generated and true frames side by side; iterate as often as you like.

    Frames are read one pair at a time. Frames of folders belong together by the number in their
    names; frames of videos by their order.

    Args:
        generated: a video or a folder of pictures.
        target: a video or a folder of pictures.
        size: (height, width) to bring every frame to with an anti-aliased filter; by default
            frames are judged as they are and all must be of one size.
        skip_bad: told of each frame that cannot be read or is of another size, which is then left
            out; by default such a frame ends the work.

    Raises:
        InputError: either cannot be read, or frames are missing; the sentence names the first.
    """

    def __init__(
        self,
        generated: str | Path,
        target: str | Path,
        *,
        size: tuple[int, int] | None = None,
        skip_bad: Callable[[str], None] | None = None,
    ) -> None:
        self._generated, self._target = open_frames(generated), open_frames(target)
        check_belong_together(self._generated, self._target)
        self._size = size
        self._skip_bad = skip_bad

    def __len__(self) -> int:
        """Return the number of pairs, bad ones included."""
        return len(self._target)

    def __iter__(self) -> Iterator[FramePair]:
        """Read pair after pair.

        Raises:
            InputError: a frame is damaged or of another size and bad ones are not skipped, or a
                video ends early.
        """
        size = self._size
        stored = zip(_whole(self._generated), _whole(self._target), strict=True)
        for generated, target in stored:
            try:
                pair = self._read(generated, target, size)
            except InputError as error:
                if self._skip_bad is None:
                    raise
                self._skip_bad(str(error))
                continue
            size = picture_size(pair.target_uint8)
            yield pair

    def _read(
        self, generated: StoredFrame, target: StoredFrame, size: tuple[int, int] | None
    ) -> FramePair:
        pictures = [generated.read(), target.read()]
        if self._size is not None:
            pictures = [resize_image(picture, self._size) for picture in pictures]
        ours, theirs = pictures
        expected = size or picture_size(theirs)
        check_size(target.name, theirs, expected)
        check_size(generated.name, ours, expected)
        return FramePair(generated.name, ours, theirs)


def check_size(name: str, picture: Picture, expected: tuple[int, int]) -> None:
    """Check a frame's size.

    Raises:
        InputError: it is another one, or too small to be judged.
    """
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


def check_belong_together(generated: FrameSource, target: FrameSource) -> None:
    """Check that each frame has its partner.

    Raises:
        InputError: one has frames that the other lacks.
    """
    if generated.numbers is not None and target.numbers is not None:
        _match_numbers(generated, target, generated.numbers, target.numbers)
        return
    for source in (generated, target):
        _refuse_gap(source)
    if len(generated) != len(target):
        short, long = sorted((generated, target), key=len)
        raise InputError(
            f"{short.path} has {len(short)} frames and {long.path} {len(long)}: frame "
            f"{len(short) + 1} of {long.path} has no partner."
        )


def _match_numbers(
    generated: FrameSource, target: FrameSource, ours: Sequence[int], theirs: Sequence[int]
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
    numbers = set(ours) ^ set(theirs)
    first = min(numbers)
    lacking, having = (target, generated) if first in set(ours) else (generated, target)
    raise InputError(
        f"{lacking.path} lacks frame {first}, which {having.path} has ({len(ours)} generated "
        f"frames, {len(theirs)} true ones)."
    )


def _steps(numbers: Sequence[int]) -> list[int]:
    return [b - a for a, b in pairwise(numbers)]


def _refuse_gap(source: FrameSource) -> None:
    """Where frames go by their order alone, a gap would shift all that follow."""
    if source.numbers is None:
        return
    steps = _steps(source.numbers)
    usual = min(steps, default=1)
    for number, step in zip(source.numbers, steps, strict=False):
        if step != usual:
            raise InputError(f"{source.path} lacks frame {number + usual}.")


def _whole(source: FrameSource) -> Iterator[StoredFrame]:
    """Go through a source; one that ends early is damaged.

    Raises:
        InputError: it has fewer frames than it said.
    """
    count = 0
    for count, frame in enumerate(source, start=1):  # noqa: B007
        yield frame
    if count != len(source):
        raise InputError(f"{source.path} ends after frame {count} of {len(source)}.")


@dataclass(frozen=True)
class Strip:
    """A strip cut into its panels, each ``h h 3`` RGB in 0..255.

    Attributes:
        name: the file.
        panels: by the names of `PANELS`.
    """

    name: str
    panels: dict[str, Picture]

    def pair(self) -> FramePair:
        """Return the generated frame beside the true one."""
        return FramePair(self.name, self.panels["generated"], self.panels["target"])


def cut_strip(name: str, picture: Picture) -> Strip:
    """Cut a strip into its panels.

    Args:
        name: of the file, for messages.
        picture: five times as wide as it is high.

    Raises:
        InputError: it is not.
    """
    height, width = picture.shape[:2]
    if width != len(PANELS) * height:
        raise InputError(
            f"{name} has {width} x {height} pixels and is not a strip of {len(PANELS)} square "
            "panels in a row."
        )
    cuts = (picture[:, i * height : (i + 1) * height] for i in range(len(PANELS)))
    return Strip(name, dict(zip(PANELS, cuts, strict=True)))


class StripFolder:
    """One clip's strips in a folder, in the order of their numbers; iterate for the pairs.

    Args:
        path: the folder.
        skip_bad: told of each strip that cannot be read, which is then left out; by default such a
            strip ends the work.

    Raises:
        InputError: the folder does not exist or holds no pictures.
    """

    def __init__(self, path: str | Path, *, skip_bad: Callable[[str], None] | None = None) -> None:
        path = Path(path)
        if not path.is_dir():
            raise InputError(f"The folder {path} does not exist.")
        self._folder = FrameFolder(path)
        self._skip_bad = skip_bad

    def __len__(self) -> int:
        """Return the number of strips, bad ones included."""
        return len(self._folder)

    def __iter__(self) -> Iterator[FramePair]:
        """Read strip after strip.

        Raises:
            InputError: a strip is damaged or of another size and bad ones are not skipped.
        """
        size: tuple[int, int] | None = None
        for stored in self._folder:
            try:
                pair = cut_strip(stored.name, stored.read()).pair()
                check_size(stored.name, pair.target_uint8, size or picture_size(pair.target_uint8))
            except InputError as error:
                if self._skip_bad is None:
                    raise
                self._skip_bad(str(error))
                continue
            size = picture_size(pair.target_uint8)
            yield pair


def is_strip_folder(path: Path) -> bool:
    """Tell whether a folder's first picture has the form of a strip.

    Raises:
        InputError: the folder holds no pictures or the first is damaged.
    """
    height, width = next(iter(FrameFolder(path))).read().shape[:2]
    return width == len(PANELS) * height
