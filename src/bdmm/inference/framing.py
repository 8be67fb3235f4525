"""What part of the photo is rendered, at which size, and the way back into the photo.

Convention:
    Positions are (x, y) pixels with (0, 0) at the outer corner of the first pixel, so a pixel's
    centre lies at its index + 0.5. Working pixels are those of the rendered frames.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from PIL import Image as Pillow

from bdmm.errors import InputError
from bdmm.media.image import Picture

SIZES = (64, 2048)
"""Least and largest working resolution."""
LEAST_SIDE = 32
"""A photo whose shorter side has fewer pixels shows nobody."""
WIDEST = 4.0
"""A photo's longer side is at most this many times the shorter one."""
PERSON_MARGIN = 1.5
"""Side of the square cut around the person, in sizes of the person."""


@dataclass(frozen=True)
class View:
    """A rectangle of the photo, rendered at a size.

    Attributes:
        left: of the rectangle, in whole pixels of the photo; it may reach over the border.
        top: as ``left``.
        width: of the rectangle in pixels of the photo.
        height: as ``width``.
        size: (height, width) in working pixels.
    """

    left: int
    top: int
    width: int
    height: int
    size: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Working pixels per pixel of the photo, along (x, y)."""
        return self.size[1] / self.width, self.size[0] / self.height

    def to_working(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Map positions in the photo to positions in the frames."""
        return (points - np.array([self.left, self.top])) * np.array(self.scale)

    def to_photo(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Map positions in the frames to positions in the photo."""
        return points / np.array(self.scale) + np.array([self.left, self.top])


def check_photo(photo: Picture, size: int) -> None:
    """Refuse a photo or a working resolution that cannot work.

    Args:
        photo: the photo.
        size: the working resolution asked for.

    Raises:
        InputError: the photo is tiny or a strip, or the size is out of range.
    """
    height, width = photo.shape[:2]
    check_size(size)
    if min(height, width) < LEAST_SIDE:
        raise InputError(
            f"The photo has {width} x {height} pixels; a person needs at least {LEAST_SIDE} on the "
            "shorter side."
        )
    if max(height, width) > WIDEST * min(height, width):
        raise InputError(
            f"The photo has {width} x {height} pixels; crop it, since the longer side may be at "
            f"most {WIDEST:g} times the shorter one."
        )


def check_size(size: int) -> None:
    """Refuse a working resolution out of range.

    Raises:
        InputError: it is, or it is odd.
    """
    if not SIZES[0] <= size <= SIZES[1] or size % 2:
        raise InputError(
            f"The size is {size}; it must be an even number from {SIZES[0]} to {SIZES[1]}."
        )


def whole_view(photo_size: tuple[int, int], size: int) -> View:
    """Show the photo's own framing and aspect.

    Args:
        photo_size: (height, width) of the photo.
        size: the shorter side in working pixels; the longer one is rounded to an even number.
    """
    height, width = photo_size
    scale = size / min(height, width)
    rows, columns = (2 * round(side * scale / 2) for side in (height, width))
    return View(0, 0, width, height, (rows, columns))


def person_view(
    box: tuple[float, float, float, float], size: int, margin: float = PERSON_MARGIN
) -> View:
    """Show a square around the person.

    Args:
        box: (left, top, right, bottom) of the person in pixels of the photo.
        size: side of the square in working pixels.
        margin: side of the square in longer sides of the box.
    """
    left, top, right, bottom = box
    side = max(round(margin * max(right - left, bottom - top)), 2)
    x, y = (round((a + b - side) / 2) for a, b in ((left, right), (top, bottom)))
    return View(x, y, side, side, (size, size))


def cut(photo: Picture, view: View) -> Picture:
    """Return the view's part of the photo in working pixels; its rim repeated beyond the border."""
    height, width = photo.shape[:2]
    left, top = max(view.left, 0), max(view.top, 0)
    right, bottom = min(view.left + view.width, width), min(view.top + view.height, height)
    assert right > left, "the view lies beside the photo"
    assert bottom > top, "the view lies above or below the photo"
    part = photo[top:bottom, left:right]
    around = (
        (top - view.top, view.top + view.height - bottom),
        (left - view.left, view.left + view.width - right),
        (0, 0),
    )
    part = np.pad(part, around, mode="edge")
    if part.shape[:2] == view.size:
        return part
    rows, columns = view.size
    return np.asarray(Pillow.fromarray(part).resize((columns, rows), Pillow.Resampling.LANCZOS))


def paste(
    photo: Picture,
    frame: Picture,
    opacity: Float[np.ndarray, "h1 w1"],
    view: View,
) -> Picture:
    """Lay a rendered frame over its part of the photo.

    Args:
        photo: what lies beneath; it is not changed.
        frame: ``view.size`` working pixels.
        opacity: of the frame's pixels, in [0, 1].
        view: where the frame belongs.

    Returns:
        The photo with the frame; pixels outside the view, or under opacity 0, are the photo's own.
    """
    height, width = photo.shape[:2]
    left, top = max(view.left, 0), max(view.top, 0)
    right, bottom = min(view.left + view.width, width), min(view.top + view.height, height)
    result = photo.copy()
    if right <= left or bottom <= top:
        return result
    inner = np.s_[
        top - view.top : bottom - view.top,
        left - view.left : right - view.left,
    ]
    whole = (view.width, view.height)
    over = cv2.resize(frame, whole, interpolation=cv2.INTER_CUBIC)[inner].astype(np.float32)
    share = cv2.resize(opacity.astype(np.float32), whole, interpolation=cv2.INTER_LINEAR)[inner]
    share = share.clip(0, 1)[..., None]
    under = result[top:bottom, left:right].astype(np.float32)
    mixed = under + (over - under) * share
    result[top:bottom, left:right] = (mixed + 0.5).clip(0, 255).astype(np.uint8)
    return result


def feather(size: tuple[int, int], width: float) -> Float[np.ndarray, "h w"]:
    """Return an opacity of 1 that falls to 0 at the border, so that no edge of a cut shows.

    Args:
        size: (height, width).
        width: of the fall in pixels.
    """
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) / width, (n - np.arange(n) - 0.5) / width).clip(0, 1)
        for n in size
    )
    return np.minimum.outer(rows, columns).astype(np.float32)
