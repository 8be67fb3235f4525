"""What stands around a person: a picture that is made once, and where it takes shadows."""

from dataclasses import dataclass

import cv2
import numpy as np

from bdmm.data.synthetic.camera import Camera

NEAR = 1.6
"""Metres around the person's place within which surroundings take full shadows."""
_FADING = 1.2
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

    def shaded(self, light: np.ndarray) -> np.ndarray:
        """Return the picture, ``h w 3``, with shadows.

        Args:
            light: ``m 3`` the part of the full light that gets to each square.
        """
        height, width = self.picture.shape[:2]
        squares = np.ones((-(-height // COARSE), -(-width // COARSE), 3), np.float32)
        squares[self.rows, self.columns] = 1 - self.depth[:, None] * (1 - light)
        squares = cv2.GaussianBlur(squares, (5, 5), 1.0)
        wide = (squares.shape[1] * COARSE, squares.shape[0] * COARSE)
        factor = cv2.resize(squares, wide, interpolation=cv2.INTER_LINEAR)
        return self.picture * factor[:height, :width]


def fading(position: np.ndarray) -> np.ndarray:
    """Return ``n`` how deep shadows may be at points: 1 near the scene's origin, 0 far away."""
    away = np.hypot(position[..., 0], position[..., 2])
    return 1 - np.clip((away - NEAR) / _FADING, 0, 1)


def on_floor(picture: np.ndarray, camera: Camera, depth: np.ndarray | float = 1.0) -> Scenery:
    """Let the floor y = 0 near the scene's origin take shadows.

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
    strength = strength * fading(points) * down
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
