"""Pictures of a clip's generated and true frames: a sheet, the worst frames, a video.

They are collected in one pass, in memory that does not grow with the clip.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np

from bdmm.evaluation.config import EvalFrame
from bdmm.evaluation.jobs.scores import FrameRow
from bdmm.media.image import Picture, picture_size, resize_image, write_image
from bdmm.media.video_writer import FrameWriter, create_video
from bdmm.metrics.frame_metrics import WHOLE, FramePair
from bdmm.metrics.regions import PERSON

SHEET, WORST, VIDEO = "sheet.jpg", "worst.jpg", "video.mp4"
SHOWN = 8
"""Frames of a sheet."""
WORST_SHOWN = 4
"""Frames of the picture of the worst."""
_HEIGHT = 192
"""Pixels of a frame's height in pictures, at most."""
_VIDEO_HEIGHT = 256
_VIDEO_QUALITY = 26
_QUALITY = 88
_GAP = 3
_APART = 0.5
"""Seconds between two of the worst frames: neighbours look alike."""


class Pictures:
    """Makes the pictures of one clip of one system; use it in a ``with`` statement.

    Args:
        folder: exists; `SHEET`, `WORST` and `VIDEO` are written into it.
    """

    def __init__(self, folder: Path, fps: float) -> None:
        self._folder = folder
        self._fps = Fraction(fps).limit_denominator(1001)
        self._spread = _Spread(SHOWN)
        self._worst = _Worst(WORST_SHOWN, max(1, round(_APART * fps)))
        self._recent: dict[int, FramePair] = {}
        self._stack = ExitStack()
        self._video: FrameWriter | None = None

    def __enter__(self) -> "Pictures":
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the video; on an error nothing of it is kept."""
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def watch(self, frames: Iterable[EvalFrame]) -> Iterator[EvalFrame]:
        """Pass frames on, looking at each."""
        for frame in frames:
            pair = frame.pair
            if self._video is None:
                video = create_video(self._folder / VIDEO, self._fps, crf=_VIDEO_QUALITY)
                self._video = self._stack.enter_context(video)
            self._video.write(
                _side_by_side([pair.target_uint8, pair.generated_uint8], _VIDEO_HEIGHT)
            )
            self._spread.add(frame)
            self._recent[frame.number] = pair
            yield frame

    def rate(self, rows: Iterable[FrameRow]) -> Iterator[FrameRow]:
        """Pass rows on; they come in the order of the frames, a few frames later."""
        for row in rows:
            pair = self._recent.pop(row.frame)
            region = PERSON if PERSON in row.scores else WHOLE
            self._worst.add(row.frame, row.scores[region]["l1"], pair)
            yield row

    def finish(self) -> None:
        """Write the sheet and the worst frames."""
        write_image(self._folder / SHEET, columns(self._spread.pairs(), False), quality=_QUALITY)
        write_image(self._folder / WORST, columns(self._worst.pairs(), True), quality=_QUALITY)


def columns(pairs: Iterable[FramePair], difference: bool) -> Picture:
    """Return frames side by side: the true one, below it the generated one.

    Args:
        difference: show the absolute difference below both.
    """
    stacks = []
    for pair in pairs:
        shown = [pair.target_uint8, pair.generated_uint8]
        if difference:
            away = np.abs(pair.target_uint8.astype(np.int16) - pair.generated_uint8)
            shown.append(away.astype(np.uint8))
        rows = [_at_most(picture, _HEIGHT) for picture in shown]
        stacks.append(np.concatenate([_framed(row) for row in rows]))
    return np.concatenate(stacks, axis=1)


class _Spread:
    """Keeps some frames that are spread evenly over a clip of unknown length."""

    def __init__(self, shown: int) -> None:
        self._shown, self._step = shown, 1
        self._kept: list[EvalFrame] = []
        self._seen = 0

    def add(self, frame: EvalFrame) -> None:
        if self._seen % self._step == 0:
            self._kept.append(frame)
        self._seen += 1
        if len(self._kept) > 2 * self._shown:
            self._kept = self._kept[::2]
            self._step *= 2

    def pairs(self) -> list[FramePair]:
        last = len(self._kept) - 1
        places = np.linspace(0, last, min(self._shown, last + 1))
        return [self._kept[round(place)].pair for place in places]


class _Worst:
    """Keeps the frames with the largest errors, one of each stretch of time."""

    def __init__(self, shown: int, stretch: int) -> None:
        self._shown, self._stretch = shown, stretch
        self._kept: dict[int, tuple[float, int, FramePair]] = {}

    def add(self, number: int, error: float, pair: FramePair) -> None:
        place = number // self._stretch
        if place in self._kept and self._kept[place][0] >= error:
            return
        self._kept[place] = (error, number, pair)
        if len(self._kept) > self._shown:
            del self._kept[min(self._kept, key=lambda one: self._kept[one][0])]

    def pairs(self) -> list[FramePair]:
        kept = sorted(self._kept.values(), key=lambda one: -one[0])
        return [pair for _, _, pair in kept]


def _side_by_side(pictures: list[Picture], height: int) -> Picture:
    return np.concatenate([_at_most(picture, height) for picture in pictures], axis=1)


def _at_most(picture: Picture, height: int) -> Picture:
    tall, wide = picture_size(picture)
    if tall <= height:
        return picture
    return resize_image(picture, (height, max(1, round(wide * height / tall))))


def _framed(picture: Picture) -> Picture:
    return np.pad(picture, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
