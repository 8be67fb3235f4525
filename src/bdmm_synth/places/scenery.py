"""The surroundings of a person: one picture, and the points of it that take shadows."""

from dataclasses import dataclass

import cv2
import numpy as np

from bdmm_synth.camera import Camera

NEAR = 1.6
"""Metres around the person within which surroundings take full shadows."""
_FADING = 1.2
_FURTHEST = 12.0
"""Metres from the scene's origin beyond which nothing takes a shadow."""
COARSE = 2
"""Pixels along a side of the squares for which shadows are found."""


@dataclass(frozen=True)
class Scenery:
    """The surroundings as one camera sees them.

    Attributes:
        picture: ``h w 3`` float32 linear RGB in full light.
        rows, columns: ``m`` squares of `COARSE` pixels that may get a shadow.
        position, normal: ``m 3`` what is seen there.
        depth: ``m`` the part of the light that a shadow can take away, in [0, 1].
    """

    picture: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    position: np.ndarray
    normal: np.ndarray
    depth: np.ndarray

    def around(self, place: np.ndarray) -> np.ndarray:
        """Return ``n`` indices of the squares that a person at ``place`` (``3``) may shade."""
        away = np.hypot(self.position[:, 0] - place[0], self.position[:, 2] - place[2])
        return np.flatnonzero(away < NEAR + _FADING)

    def shaded(self, place: np.ndarray, squares: np.ndarray, light: np.ndarray) -> np.ndarray:
        """Return the picture, ``h w 3``, with shadows.

        Args:
            place: ``3`` where the person is.
            squares: ``n`` indices; see `around`.
            light: ``n 3`` the part of the full light that gets to each of them.
        """
        near = self.position[squares]
        away = np.hypot(near[:, 0] - place[0], near[:, 2] - place[2])
        depth = self.depth[squares] * (1 - np.clip((away - NEAR) / _FADING, 0, 1))
        height, width = self.picture.shape[:2]
        kept = np.ones((-(-height // COARSE), -(-width // COARSE), 3), np.float32)
        kept[self.rows[squares], self.columns[squares]] = 1 - depth[:, None] * (1 - light)
        kept = cv2.GaussianBlur(kept, (5, 5), 1.0)
        wide = (kept.shape[1] * COARSE, kept.shape[0] * COARSE)
        factor = cv2.resize(kept, wide, interpolation=cv2.INTER_LINEAR)
        return self.picture * factor[:height, :width]


def within_reach(position: np.ndarray) -> np.ndarray:
    """Return which points (``*n 3``) a person may shade."""
    return np.hypot(position[..., 0], position[..., 2]) < _FURTHEST


def on_floor(picture: np.ndarray, camera: Camera, depth: np.ndarray | float = 1.0) -> Scenery:
    """Let the floor y = 0 take shadows.

    Args:
        picture: ``h w 3`` linear RGB.
        camera: with the picture's size.
        depth: of shadows, ``h w`` or one number.
    """
    coarse = camera.coarser(COARSE)
    height, width = coarse.size
    rows, columns = np.mgrid[:height, :width].reshape(2, -1)
    rays = coarse.rays(rows.astype(float), columns.astype(float))
    down = rays[:, 1] > 1e-4
    distance = -camera.position[1] / np.where(down, rays[:, 1], 1)
    points = camera.position + rays * distance[:, None]
    strength = np.broadcast_to(depth, picture.shape[:2])[rows * COARSE, columns * COARSE]
    strength = strength * (within_reach(points) & down)
    near = strength > 0
    count = int(near.sum())
    return Scenery(
        picture.astype(np.float32),
        rows[near],
        columns[near],
        points[near] - [0, 0.004, 0],
        np.tile([0.0, -1, 0], (count, 1)),
        strength[near].astype(np.float32),
    )
