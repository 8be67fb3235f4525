"""The dark rim around what touches the ground."""

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from bdmm_synth.light import REACH

_CELLS = 128
_LOW = 0.05
_DARKEST = 0.75


def contact(points: np.ndarray, centre: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Return ``m`` the part of the light that ground keeps next to what stands on it.

    Args:
        points: ``v 3`` of the person in the scene; the floor is y = 0, up is negative.
        centre: ``3`` the middle of the person.
        ground: ``m 3`` points of the ground.
    """
    cell = 2 * REACH / _CELLS
    low = points[points[:, 1] > -5 * _LOW]
    above = np.zeros((_CELLS, _CELLS), np.float32)
    place = np.floor((low[:, [0, 2]] - centre[[0, 2]]) / cell + _CELLS / 2).astype(int)
    within = ((place >= 0) & (place < _CELLS)).all(axis=1)
    near = np.exp(low[within, 1].clip(-1, 0) / _LOW).astype(np.float32)
    np.maximum.at(above, (place[within, 1], place[within, 0]), near)
    above = cv2.dilate(above, np.ones((3, 3), np.uint8))
    dark = 0.6 * cv2.GaussianBlur(above, (0, 0), 1.0) + 0.4 * cv2.GaussianBlur(above, (0, 0), 3.0)
    at = (ground[:, [0, 2]] - centre[[0, 2]]) / cell + _CELLS / 2 - 0.5
    found = map_coordinates(dark, at.T[::-1], order=1)
    return 1 - _DARKEST * found.clip(0, 1)
