"""The background of a clip, without the person."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from bdmm.media.image import Picture
from bdmm.perception.background import remove_person

SAMPLES = 16
"""Frames of a clip, evenly spread, from which the background is made."""
_GROW = 4 / 256
"""Share of the picture's side by which the person is grown: soft edges, hair, shadows."""
_GONE = 256


def spread(count: int, samples: int = SAMPLES) -> list[int]:
    """Return the numbers of at most ``samples`` frames, evenly spread over ``count``."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(samples, count))})


def median_background(
    pictures: Sequence[Picture], foregrounds: Sequence[UInt8[np.ndarray, "h w"]]
) -> Picture:
    """Return the median of each background pixel over time; pixels never seen are filled in."""
    side = max(pictures[0].shape[:2])
    radius = max(1, round(_GROW * side))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    person = np.stack([cv2.dilate(one, disc) > 40 for one in foregrounds])
    table = np.stack(pictures).astype(np.int16)
    table[person] = _GONE
    table.sort(axis=0)
    seen = (~person).sum(axis=0)
    middle = np.maximum(seen - 1, 0)[None, :, :, None] // 2
    median = np.take_along_axis(table, middle, axis=0)[0].clip(0, 255).astype(np.uint8)
    hole = (seen == 0).astype(np.float32)
    return remove_person(median, hole, rim=1 / side)
