"""From where in a picture each pixel of a hole may be copied."""

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8

SIDE = 192
"""Pixels of the longer side at which copies are sought: ten seconds at full size, one here."""
_PLACE = 1e-7
"""What a step to the next pixel adds to a fourth colour channel: too little to be a colour."""


def shift_map(
    picture: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]
) -> Int[np.ndarray, "h w 2"]:
    """Return how far from each pixel of a hole its copy lies, down and to the right.

    OpenCV's shift map (He and Sun, Statistics of Patch Offsets for Image Completion, 2012) chooses
    a few shifts by which the picture is most like itself and lays few and hidden seams between
    them. It returns colours alone, so each pixel's place travels along as a fourth one.

    Args:
        picture: RGB in 0..255.
        hole: what shall be copied; neither empty nor everything.

    Returns:
        (rows, columns) to the copy, 0 outside the hole; some may end in the hole or off the
        picture.
    """
    height, width = hole.shape
    scale = min(1.0, SIDE / max(height, width))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    share = cv2.resize(hole.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    known = (share == 0).astype(np.uint8)
    shifts = np.zeros((height, width, 2), np.int64)
    if not known.any():
        return shifts
    place = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    told = np.dstack((lab, place * _PLACE))
    copied = np.zeros_like(told)
    cv2.setRNGSeed(0)
    cv2.xphoto.inpaint(told, 255 * known, copied, cv2.xphoto.INPAINT_SHIFTMAP)
    taken = np.rint(copied[..., 3] / _PLACE).astype(np.int64)
    far = np.stack(np.divmod(taken, columns), -1) - np.stack(np.divmod(place, columns), -1)
    far = far * (height / rows, width / columns)
    full = cv2.resize(far.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)
    shifts[hole] = np.rint(full[hole])
    return shifts
