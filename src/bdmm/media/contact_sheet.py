"""A contact sheet: the source photo and some frames of a clip on one picture."""

import math
from collections.abc import Sequence

import numpy as np

from bdmm.media.image import Picture, resize_image

_GAP = 4
_WHITE = 255


class ContactSheet:
    """Collects evenly spread frames while a clip passes by.

    Args:
        first: the picture of the first place.
        frame_count: frames of the clip.
        shown: how many frames are shown, at most all of them.
    """

    def __init__(self, first: Picture, frame_count: int, shown: int = 11) -> None:
        spread = np.linspace(0, frame_count - 1, min(shown, frame_count))
        self._wanted = {round(place) for place in spread}
        self._pictures = [first]
        self._seen = 0

    def add(self, frame: Picture) -> None:
        """Look at the next frame and keep it if it is one of those shown."""
        if self._seen in self._wanted:
            self._pictures.append(frame.copy())
        self._seen += 1

    def picture(self) -> Picture:
        """Return the sheet."""
        return tile(self._pictures)


def tile(pictures: Sequence[Picture]) -> Picture:
    """Lay pictures out in rows on white, all at the height of the last one.

    Args:
        pictures: at least one, of any sizes.
    """
    height = pictures[-1].shape[0]
    scaled = [_at_height(picture, height) for picture in pictures]
    width = max(picture.shape[1] for picture in scaled)
    columns = _columns(len(scaled), width / height)
    rows = math.ceil(len(scaled) / columns)
    step_y, step_x = height + _GAP, width + _GAP
    sheet = np.full((rows * step_y + _GAP, columns * step_x + _GAP, 3), _WHITE, np.uint8)
    for i, picture in enumerate(scaled):
        top, left = _GAP + i // columns * step_y, _GAP + i % columns * step_x
        left += (width - picture.shape[1]) // 2
        sheet[top : top + height, left : left + picture.shape[1]] = picture
    return sheet


def _at_height(picture: Picture, height: int) -> Picture:
    width = max(round(picture.shape[1] * height / picture.shape[0]), 1)
    return resize_image(picture, (height, width))


def _columns(count: int, aspect: float) -> int:
    """Return the number of columns that makes the sheet near to 16:9 with few places empty."""

    def unsightly(columns: int) -> float:
        rows = math.ceil(count / columns)
        shape = abs(math.log(columns * aspect / rows * 9 / 16))
        return shape + 1.5 * (rows * columns - count) / count

    return min(range(1, count + 1), key=unsightly)
