"""Any system's frames beside the true ones: what belongs together, checked before it is judged."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from bdmm.errors import InputError, Notice
from bdmm.media.image import Picture, picture_size, resize_image
from bdmm.metrics.frame_metrics import FramePair
from bdmm.metrics.frame_sources import FrameSource, StoredFrame, open_frames

MIN_SIZE = 16
"""Smallest height and width of a frame that can be judged."""


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
