"""Pictures side by side with a line of text above each: the frames of comparing videos."""

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from bdmm.media.image import Picture, picture_size, resize_image

_GAP = 4
_AROUND = ((_GAP // 2, _GAP // 2), (_GAP // 2, _GAP // 2), (0, 0))
_WHITE = 255
_INK = (20, 20, 20)
_CAPTIONS = (14, 28)
"""Least and largest height of a caption in pixels."""
_CAPTION_SHARE = 1 / 14
"""Height of a caption in widths of its picture."""
_LETTERS = 0.72
"""Size of the letters in heights of the caption."""


def contain(picture: Picture, size: tuple[int, int]) -> Picture:
    """Scale a picture so that all of it shows in the middle of a white one.

    Args:
        size: (height, width) of the result.
    """
    height, width = picture_size(picture)
    scale = min(size[0] / height, size[1] / width)
    inner = (max(round(height * scale), 1), max(round(width * scale), 1))
    result = np.full((*size, 3), _WHITE, np.uint8)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    result[top : top + inner[0], left : left + inner[1]] = resize_image(picture, inner)
    return result


def captioned(picture: Picture, text: str) -> Picture:
    """Put a line of text on white above a picture; the end of a long line is left out."""
    width = picture.shape[1]
    height = min(max(round(width * _CAPTION_SHARE), _CAPTIONS[0]), _CAPTIONS[1])
    strip = Pillow.new("RGB", (width, height), (_WHITE,) * 3)
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(_LETTERS * height)
    shown = text
    while len(shown) > 1 and draw.textlength(shown, font) > width:
        shown = shown.rstrip("…")[:-1] + "…"
    draw.text((width / 2, height / 2), shown, _INK, font, anchor="mm")
    return np.concatenate([np.asarray(strip), picture])


def mosaic(rows: Sequence[Sequence[Picture]]) -> Picture:
    """Lay pictures of one size out in rows on white.

    Args:
        rows: the rows, all of one length.
    """
    bordered = [
        np.concatenate([np.pad(one, _AROUND, constant_values=_WHITE) for one in row], axis=1)
        for row in rows
    ]
    return np.concatenate(bordered)
