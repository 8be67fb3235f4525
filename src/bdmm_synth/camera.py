"""A pinhole camera."""

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole without lens faults.

    Attributes:
        size: (height, width) in samples.
        focal: in samples.
        centre: (x, y) of the optical axis in samples; (0, 0) is the outer corner of the first one.
        position: ``3`` metres in the scene.
        turn: ``3 3`` rotation from the scene's axes to the camera's (x right, y down, z away).
    """

    size: tuple[int, int]
    focal: float
    centre: tuple[float, float]
    position: np.ndarray
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return ``v 3``: x, y in samples, depth in metres."""
        seen = (points - self.position) @ self.turn.T
        x = self.focal * seen[:, 0] / seen[:, 2] + self.centre[0]
        y = self.focal * seen[:, 1] / seen[:, 2] + self.centre[1]
        return np.stack([x, y, seen[:, 2]], axis=-1)

    def rays(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return ``n 3`` directions through samples' centres, one metre deep, in the scene."""
        x = (columns + 0.5 - self.centre[0]) / self.focal
        y = (rows + 0.5 - self.centre[1]) / self.focal
        return np.stack([x, y, np.ones_like(x)], axis=-1) @ self.turn

    def coarser(self, times: int) -> "Camera":
        """Return the camera whose samples are squares of ``times`` by ``times``."""
        return replace(
            self,
            size=(-(-self.size[0] // times), -(-self.size[1] // times)),
            focal=self.focal / times,
            centre=(self.centre[0] / times, self.centre[1] / times),
        )

    def finer(self, times: int) -> "Camera":
        """Return the camera with ``times`` as many samples along each side of its picture."""
        return replace(
            self,
            size=(self.size[0] * times, self.size[1] * times),
            focal=self.focal * times,
            centre=(self.centre[0] * times, self.centre[1] * times),
        )
