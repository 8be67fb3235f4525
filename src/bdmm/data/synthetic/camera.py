"""A camera at chest height and what its samples see: meshes drawn with clean hems."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from bdmm.body.rasterize import rasterize
from bdmm.data.synthetic.geometry import Layer, vertex_normals


@dataclass(frozen=True)
class Camera:
    """A pinhole without lens faults that looks along +z.

    Attributes:
        size: (height, width) in samples.
        focal: in samples.
        centre: (x, y) of the optical axis in samples.
        position: ``3`` metres in the scene.
    """

    size: tuple[int, int]
    focal: float
    centre: tuple[float, float]
    position: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return ``v 3``: x, y in samples, depth in samples at the distance of the origin."""
        seen = points - self.position
        near = self.focal / -self.position[2]
        x = self.focal * seen[:, 0] / seen[:, 2] + self.centre[0]
        y = self.focal * seen[:, 1] / seen[:, 2] + self.centre[1]
        return np.stack([x, y, seen[:, 2] * near], axis=-1)

    def rays(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return ``n 3`` directions of samples, their z is 1."""
        x = (columns + 0.5 - self.centre[0]) / self.focal
        y = (rows + 0.5 - self.centre[1]) / self.focal
        return np.stack([x, y, np.ones_like(x)], axis=-1)


@dataclass
class Seen:
    """The samples of one layer that are in front of everything else.

    Attributes:
        row, column: ``n`` where.
        position: ``n 3`` posed, in the scene.
        normal: ``n 3`` towards the viewer.
        coords: ``n k`` the layer's own coordinates.
        inside: ``n`` distance from the hem, or infinity.
        back: ``n`` the inner side of a garment is seen.
    """

    name: str
    row: np.ndarray
    column: np.ndarray
    position: np.ndarray
    normal: np.ndarray
    coords: np.ndarray
    inside: np.ndarray
    back: np.ndarray


Hidden = Callable[[str, np.ndarray], np.ndarray]
"""(layer name, rest coords) -> True where another layer surely covers this one."""


def look(
    camera: Camera, layers: list[Layer], posed: list[np.ndarray], hidden: Hidden
) -> tuple[list[Seen], np.ndarray]:
    """Draw all layers.

    Args:
        camera: the camera.
        layers: what to draw.
        posed: vertices of each in the scene.
        hidden: which points are under other layers and are not drawn, so that nothing pokes
            through.

    Returns:
        What is seen of each layer, and the depth (``h w``, samples) of what is in front.
    """
    front = np.full(camera.size, np.inf, np.float32)
    owner = np.full(camera.size, -1)
    found = []
    for index, (layer, vertices) in enumerate(zip(layers, posed, strict=True)):
        for faces in _peels(layer):
            seen, depth = _draw(camera, layer, vertices, faces, hidden)
            nearer = depth < front[seen.row, seen.column]
            place = seen.row[nearer], seen.column[nearer]
            front[place] = depth[nearer]
            owner[place] = len(found)
            found.append(seen)
        del index
    visible = [
        _take(seen, owner[seen.row, seen.column] == number) for number, seen in enumerate(found)
    ]
    return [seen for seen in visible if len(seen.row)], front


def _peels(layer: Layer) -> list[np.ndarray]:
    """Return the faces to draw: all with a part inside; then without those that the hem cuts."""
    if layer.inside is None:
        return [layer.faces]
    corner = layer.inside[layer.faces]
    return [layer.faces[(corner > 0).any(axis=1)], layer.faces[(corner > 0).all(axis=1)]]


def _draw(
    camera: Camera, layer: Layer, vertices: np.ndarray, faces: np.ndarray, hidden: Hidden
) -> tuple[Seen, np.ndarray]:
    points = torch.from_numpy(camera.project(vertices)).float()[None]
    raster = rasterize(points, torch.from_numpy(faces.astype(np.int32)), camera.size)
    face = raster.face[0].numpy()
    row, column = np.nonzero(face >= 0)
    corners = faces[face[row, column]]
    share = raster.barycentric[0].numpy()[row, column].astype(np.float64)
    depth = raster.depth[0].numpy()[row, column]

    def blend(values: np.ndarray) -> np.ndarray:
        return np.einsum("nk,nk...->n...", share, values[corners])

    coords = blend(layer.coords)
    inside = np.full(len(row), np.inf) if layer.inside is None else blend(layer.inside)
    keep = (inside > 0) & ~hidden(layer.name, coords)
    position, normal = blend(vertices), blend(vertex_normals(vertices, layer.faces))
    view = camera.position - position
    back = (normal * view).sum(axis=-1) < 0
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    back &= (np.cross(b - a, c - a) * view).sum(axis=-1) < 0
    normal = np.where(back[:, None], -normal, normal)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True).clip(1e-9)
    seen = Seen(layer.name, row, column, position, normal, coords, inside, back)
    return _take(seen, keep), depth[keep]


def _take(seen: Seen, keep: np.ndarray) -> Seen:
    arrays = {name: value[keep] for name, value in vars(seen).items() if name != "name"}
    return Seen(seen.name, **arrays)
