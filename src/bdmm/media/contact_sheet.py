"""A contact sheet: the source photo and some frames of a clip on one picture."""

import math
from collections.abc import Sequence

import numpy as np

from bdmm.media.image import AnyPicture, Picture
from bdmm.media.panels import contain, mosaic
from bdmm.media.pixels import on_white

_WHITE = 255


class ContactSheet:
    """Collects evenly spread frames while a clip passes by.

    Args:
        first: the picture of the first place.
        frame_count: frames of the clip.
        shown: how many frames are shown, at most all of them.
    """

    def __init__(self, first: Picture, frame_count: int, shown: int = 11) -> None:
        self._wanted = spread(frame_count, shown)
        self._pictures = [first]
        self._seen = 0

    def add(self, frame: AnyPicture) -> None:
        """Look at the next frame and keep it, over white, if it is one of those shown."""
        if self._seen in self._wanted:
            self._pictures.append(on_white(frame).copy())
        self._seen += 1

    def picture(self) -> Picture:
        """Return the sheet."""
        return tile(self._pictures)


def spread(count: int, samples: int) -> list[int]:
    """Return the numbers of at most ``samples`` frames, evenly spread over ``count``."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(samples, count))})


def tile(pictures: Sequence[Picture]) -> Picture:
    """Lay pictures out in rows on white, all at the height of the last one.

    Args:
        pictures: at least one, of any sizes.
    """
    height = pictures[-1].shape[0]
    width = max(max(round(one.shape[1] * height / one.shape[0]), 1) for one in pictures)
    columns = _columns(len(pictures), width / height)
    cells = [contain(one, (height, width)) for one in pictures]
    cells += [np.full_like(cells[0], _WHITE)] * (-len(cells) % columns)
    return mosaic([cells[i : i + columns] for i in range(0, len(cells), columns)])


def _columns(count: int, aspect: float) -> int:
    """Return the number of columns that makes the sheet near to 16:9 with few places empty."""

    def unsightly(columns: int) -> float:
        rows = math.ceil(count / columns)
        shape = abs(math.log(columns * aspect / rows * 9 / 16))
        return shape + 1.5 * (rows * columns - count) / count

    return min(range(1, count + 1), key=unsightly)
