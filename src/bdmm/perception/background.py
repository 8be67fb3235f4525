"""The photo with the person removed and the hole filled from what is around it."""

import warnings

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from bdmm.errors import Notice
from bdmm.perception.seamless import join_copies
from bdmm.perception.shift_map import shift_map

NO_XPHOTO = (
    "Another OpenCV hides the one that bdmm came with, so the place behind the person is blurred:"
    " pip install --force-reinstall --no-deps opencv-contrib-python mends it."
)
_AROUND = 0.04
"""Width of what is looked at around a hole, as a share of the picture's longer side."""
_FINE = 2.0
"""Size of detail in pixels."""
_PLAIN = 2.5
"""Levels of detail: studios have up to 1.6, rooms with a bare wall from 4.5 on."""


def remove_person(
    photo: UInt8[np.ndarray, "h w 3"], foreground: Float[np.ndarray, "h w"], rim: float = 0.025
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the photo with the person filled from the surroundings.

    The hole is completed by copies of what is around it, joined without seams. Behind who stands
    before a plain backdrop only its light goes on: a copy would bring the picture's edge along.

    Args:
        photo: RGB in 0..255.
        foreground: the person in [0, 1].
        rim: how far to grow the hole, as a share of the photo's longer side: soft edges, hair and
            contact shadows.
    """
    hole = person_hole(foreground, rim)
    if hole.all() or not hole.any():
        return photo.copy()
    shifts = np.zeros((*hole.shape, 2), np.int64)
    if not _is_plain(photo, hole):
        if hasattr(cv2, "xphoto"):
            shifts = shift_map(photo, hole)
        else:
            warnings.warn(NO_XPHOTO, Notice, stacklevel=2)
    return join_copies(photo, hole, shifts)


def person_hole(
    foreground: Float[np.ndarray, "h w"], rim: float = 0.025
) -> Bool[np.ndarray, "h w"]:
    """Return what a person hides of a photo, grown by a rim; see `remove_person`."""
    grow = 2 * max(1, round(rim * max(foreground.shape))) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow))
    return cv2.dilate((foreground > 0.2).astype(np.uint8), disc) > 0


def _is_plain(photo: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]) -> bool:
    """Tell whether what is around a hole has no texture and no edges."""
    reach = 2 * max(1, round(_AROUND * max(hole.shape))) + 1
    grown = cv2.dilate(hole.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    known = (~hole).astype(np.float32)
    colours = photo.astype(np.float32) * known[..., None]
    share = cv2.GaussianBlur(known, (0, 0), _FINE).clip(1e-3)
    smooth = cv2.GaussianBlur(colours, (0, 0), _FINE) / share[..., None]
    detail = np.abs(photo - smooth).mean(axis=2)[grown & ~hole]
    return detail.size > 0 and float(np.percentile(detail, 98)) < _PLAIN
