"""The photo with the person removed and the hole filled from what is around it."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

COARSEST = 48
"""Pixels of the longer side at which the whole hole is filled first."""


def remove_person(
    photo: UInt8[np.ndarray, "h w 3"], foreground: Float[np.ndarray, "h w"], rim: float = 0.025
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the photo with the person filled from the surroundings.

    Filled from coarse to fine: the coarsest level by OpenCV's inpainting (Telea), each finer
    level by the one before, with the inpainting's detail only near the rim. So a large hole ends
    in calm colours rather than in streaks.

    Args:
        photo: RGB in 0..255.
        foreground: the person in [0, 1].
        rim: how far to grow the hole, as a share of the photo's longer side: soft edges, hair and
            contact shadows.
    """
    height, width = photo.shape[:2]
    grow = 2 * max(1, round(rim * max(height, width))) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow))
    hole = cv2.dilate((foreground > 0.2).astype(np.uint8), disc) > 0
    if hole.all() or not hole.any():
        return photo.copy()
    return _fill(photo, hole)


def _fill(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    height, width = hole.shape
    if max(height, width) <= COARSEST or min(height, width) < 8:
        return cv2.inpaint(photo, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    half = max(1, width // 2), max(1, height // 2)
    outside = (~hole).astype(np.float32)
    weight = cv2.resize(outside, half, interpolation=cv2.INTER_AREA)
    colours = cv2.resize(photo * outside[..., None], half, interpolation=cv2.INTER_AREA)
    small = (colours / np.maximum(weight, 1e-3)[..., None]).clip(0, 255).astype(np.uint8)
    filled = _fill(small, weight < 0.5)
    calm = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    near = cv2.inpaint(photo, hole.astype(np.uint8), 2, cv2.INPAINT_TELEA)
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
    share = np.exp(-depth / 2)[..., None]
    blended = (share * near + (1 - share) * calm).astype(np.uint8)
    return np.where(hole[..., None], blended, photo)
