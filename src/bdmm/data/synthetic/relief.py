"""Bumps: tilt normals by a height that is known per sample."""

import numpy as np

from bdmm.data.synthetic.camera import Camera, Seen


class Relief:
    """The samples of one layer as a picture, for differences between neighbours.

    Args:
        camera: the camera that saw them.
        seen: the samples.
    """

    def __init__(self, camera: Camera, seen: Seen) -> None:
        self.seen = seen
        self.index = np.full((camera.size[0] + 1, camera.size[1] + 1), -1)
        self.index[seen.row, seen.column] = np.arange(len(seen.row))
        self.right = self._neighbour(0, 1)
        self.down = self._neighbour(1, 0)

    def bump(self, height: np.ndarray) -> np.ndarray:
        """Return ``n 3`` normals of the surface raised by ``height`` (``n`` metres, outwards)."""
        normal = self.seen.normal
        across = self._difference(self.seen.position, self.right)
        along = self._difference(self.seen.position, self.down)
        rise_x = self._difference(height, self.right)
        rise_y = self._difference(height, self.down)
        first, second = np.cross(along, normal), np.cross(normal, across)
        area = (across * first).sum(axis=-1)
        slope = rise_x[:, None] * first + rise_y[:, None] * second
        tilted = np.abs(area)[:, None] * normal - np.sign(area)[:, None] * slope
        length = np.linalg.norm(tilted, axis=-1, keepdims=True)
        return np.where(length > 1e-14, tilted / length.clip(1e-14), normal)

    def _neighbour(self, down: int, right: int) -> np.ndarray:
        """Return each sample's neighbour below or to the right, or itself at the layer's edge."""
        own = np.arange(len(self.seen.row))
        other = self.index[self.seen.row + down, self.seen.column + right]
        step = self.seen.position[other] - self.seen.position
        near = (other >= 0) & (np.abs(step).max(axis=-1) < 0.01)
        return np.where(near, other, own)

    def _difference(self, values: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
        return values[neighbour] - values
