"""Generated and true frames as they lie on disk: videos, folders of pictures, the paper's strips.

What belongs together is checked before it is scored.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bdmm.data.raw_clip import PICTURES, picture_files
from bdmm.errors import InputError, Notice
from bdmm.media.image import Picture, picture_size, read_image, resize_image
from bdmm.media.video_reader import VideoReader
from bdmm.metrics.frame_metrics import FramePair

MIN_SIZE = 16
"""Smallest height and width of a frame that can be scored."""
PANELS = ("source", "source_body", "target", "driving_body", "generated")
"""From the left."""


@dataclass(frozen=True)
class StoredFrame:
    """A frame that is read when it is needed.

    Attributes:
        name: a path, or a video's path and the frame's number from 1.
        read: returns RGB in 0..255; raises `InputError` where the frame is damaged.
    """

    name: str
    read: Callable[[], Picture]


@dataclass(frozen=True)
class FrameSource:
    """Frames in order, read again and again.

    Attributes:
        path: the file or folder.
        count: frames.
        numbers: number in each frame's file name, rising; None where names have none.
        frames: starts from the first frame.
    """

    path: Path
    count: int
    numbers: tuple[int, ...] | None
    frames: Callable[[], Iterator[StoredFrame]]


def open_frames(path: Path) -> FrameSource:
    """Open a video or a folder of pictures.

    A video has its own constant rate; a damaged frame shows the one before it.

    Raises:
        InputError: it does not exist, cannot be read or holds no frames.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; give a video or a folder of pictures.")
    if path.is_dir():
        return open_folder(path)
    reader = VideoReader(path)

    def frames() -> Iterator[StoredFrame]:
        for number, picture in enumerate(reader, start=1):
            yield StoredFrame(f"{path} frame {number}", lambda picture=picture: picture)

    return FrameSource(path, len(reader), None, frames)


def open_folder(path: Path) -> FrameSource:
    """Open a folder of pictures, in the order of the last number in their names, else by name.

    Args:
        path: the folder; hidden files and other kinds of files are passed over.

    Raises:
        InputError: it holds no picture or two with the same number.
    """
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

    def frames() -> Iterator[StoredFrame]:
        for file in files:
            yield StoredFrame(str(file), lambda file=file: read_image(file))

    return FrameSource(path, len(files), numbers, frames)


class PairedFrames:
    """Generated and true frames in pairs; iterate as often as you like.

    Frames are read one pair at a time. Frames of folders belong together by the number in their
    names; frames of videos by their order.

    Args:
        generated: a video or a folder of pictures.
        target: a video or a folder of pictures.
        size: (height, width) to bring every frame to with an anti-aliased filter; by default
            frames are scored as they are and all must be of one size.
        skip_bad: called with a sentence for each frame that cannot be read or has another size; the
            frame is left out. By default it is an error.

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
        self._generated, self._target = open_frames(Path(generated)), open_frames(Path(target))
        check_belong_together(self._generated, self._target)
        self._size = size
        self._skip_bad = skip_bad

    def __len__(self) -> int:
        """Return the number of pairs, bad ones included."""
        return self._target.count

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
        InputError: it is another one, or too small to be scored.
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
    if generated.count != target.count:
        short, long = sorted((generated, target), key=lambda one: one.count)
        raise InputError(
            f"{short.path} has {short.count} frames and {long.path} {long.count}: frame "
            f"{short.count + 1} of {long.path} has no partner."
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
    for count, frame in enumerate(source.frames(), start=1):  # noqa: B007
        yield frame
    if count != source.count:
        raise InputError(f"{source.path} ends after frame {count} of {source.count}.")


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


class StripFolder:
    """One clip's strips in a folder, in the order of their numbers; iterate for the pairs.

    Args:
        path: the folder.
        skip_bad: called with a sentence for each strip that cannot be read; the strip is left out.
            By default it is an error.

    Raises:
        InputError: the folder does not exist or holds no pictures.
    """

    def __init__(self, path: str | Path, *, skip_bad: Callable[[str], None] | None = None) -> None:
        path = Path(path)
        if not path.is_dir():
            raise InputError(f"The folder {path} does not exist.")
        self._folder = open_folder(path)
        self._skip_bad = skip_bad

    def __len__(self) -> int:
        """Return the number of strips, bad ones included."""
        return self._folder.count

    def __iter__(self) -> Iterator[FramePair]:
        """Read strip after strip.

        Raises:
            InputError: a strip is damaged or of another size and bad ones are not skipped.
        """
        size: tuple[int, int] | None = None
        for stored in self._folder.frames():
            try:
                panels = cut_strip(stored.name, stored.read())
                pair = FramePair(stored.name, panels["generated"], panels["target"])
                check_size(stored.name, pair.target_uint8, size or picture_size(pair.target_uint8))
            except InputError as error:
                if self._skip_bad is None:
                    raise
                self._skip_bad(str(error))
                continue
            size = picture_size(pair.target_uint8)
            yield pair


def is_strip_folder(path: Path) -> bool:
    """Return whether a folder's first picture has the form of a strip.

    Raises:
        InputError: the folder holds no pictures or the first is damaged.
    """
    height, width = next(open_folder(path).frames()).read().shape[:2]
    return width == len(PANELS) * height
