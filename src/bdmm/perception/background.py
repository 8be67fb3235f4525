"""The photo with the person removed and the hole filled from what is around it."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from bdmm.perception.seamless import join_copies
from bdmm.perception.shift_map import shift_map


def remove_person(
    photo: UInt8[np.ndarray, "h w 3"], foreground: Float[np.ndarray, "h w"], rim: float = 0.025
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the photo with the person filled from the surroundings.

    The hole is completed by copies of what is around it, joined without seams.

    Args:
        photo: RGB in 0..255.
        foreground: the person in [0, 1].
        rim: how far to grow the hole, as a share of the photo's longer side: soft edges, hair and
            contact shadows.
    """
    hole = person_hole(foreground, rim)
    if hole.all() or not hole.any():
        return photo.copy()
    return join_copies(photo, hole, shift_map(photo, hole))


def person_hole(
    foreground: Float[np.ndarray, "h w"], rim: float = 0.025
) -> Bool[np.ndarray, "h w"]:
    """Return what a person hides of a photo, grown by a rim; see `remove_person`."""
    grow = 2 * max(1, round(rim * max(foreground.shape))) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow))
    return cv2.dilate((foreground > 0.2).astype(np.uint8), disc) > 0
