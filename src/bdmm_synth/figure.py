"""The body at rest, the layers that are worn over it, and the surfaces that they show.

NumPy arrays in metres, in camera axes (x right, y down, z away).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import sparse

from bdmm.body.model import AnnyBody
from bdmm.body.rotations import pose_bones
from bdmm.records import BONE_NAMES


@dataclass(frozen=True)
class Surface:
    """How points of a layer take light; RGB linear in [0, 1].

    Attributes:
        albedo: ``n 3`` of the outer side; inner sides are drawn half as bright.
        height: ``n`` metres that the point stands out of the mesh: bumps.
        roughness: ``n`` of the gloss.
        gloss: ``n`` reflectance at normal incidence.
        fuzz: ``n`` strength of the light edge of cloth.
        wrap: ``n 3`` how far red, green and blue light creeps around an edge (skin).
    """

    albedo: np.ndarray
    height: np.ndarray
    roughness: np.ndarray
    gloss: np.ndarray
    fuzz: np.ndarray
    wrap: np.ndarray


Colour = tuple[float, float, float]
"""RGB linear albedo in [0, 1]."""
Paint = Callable[[np.ndarray], Surface]
"""``n k`` coordinates of a layer (`geometry.Layer.coords`) -> the surface there.

It must depend on nothing else: its result is computed once and kept.
"""


def mix(tone: np.ndarray, other: np.ndarray | tuple, part: np.ndarray) -> np.ndarray:
    """Lay ``other`` (RGB) over ``tone``, ``n 3``, as far as ``part``, ``n`` in [0, 1], says."""
    part = np.clip(part, 0, 1)[:, None]
    return tone * (1 - part) + np.asarray(other) * part


@dataclass(frozen=True)
class Layer:
    """One mesh of a dressed person: skin, a garment, a shoe, an eye.

    Attributes:
        name: which material paints it.
        rest: ``v 3`` vertices in the identity pose.
        faces: ``f 3`` front sides counter-clockwise from outside.
        weights: ``v 24`` skinning weights.
        coords: ``v k`` what the material is painted by, by default the rest positions.
        inside: ``v`` a smooth field, positive where the layer exists; its zero line is the hem.
        recede: ``v`` metres by which the layer is drawn further from the camera than it is, so
            that it does not poke through what is worn over it; None for nowhere.
    """

    name: str
    rest: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    coords: np.ndarray
    inside: np.ndarray | None = None
    recede: np.ndarray | None = None


@dataclass(frozen=True)
class Figure:
    """A body of one shape at rest, with what garments are built from.

    Attributes:
        rest: ``v 3`` vertices, the pelvis joint at the origin.
        joints: ``24 3``.
        normals: ``v 3`` outward.
        smoother: ``v v`` matrix that averages each vertex with its neighbours.
    """

    body: AnnyBody
    shape: np.ndarray
    rest: np.ndarray
    joints: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    parts: np.ndarray
    normals: np.ndarray
    smoother: sparse.csr_matrix = field(repr=False)


def make_figure(body: AnnyBody, shape: np.ndarray) -> Figure:
    """Take a body of the given shape components."""
    components = torch.from_numpy(np.asarray(shape, np.float32))
    rest = body.rest_vertices(components).double().numpy()
    faces = body.faces.numpy()
    return Figure(
        body=body,
        shape=shape,
        rest=rest,
        joints=body.joints(components).double().numpy(),
        faces=faces,
        weights=body.weights.double().numpy(),
        parts=body.parts.numpy(),
        normals=vertex_normals(rest, faces),
        smoother=averaging(faces, len(rest)),
    )


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return ``v 3`` area-weighted outward unit normals."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for k in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(faces[:, k], normal[:, axis], len(vertices))
    return unit(total)


def unit(vector: np.ndarray) -> np.ndarray:
    """Return directions of length one along the last axis."""
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True).clip(1e-12)


def averaging(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    """Return the matrix that replaces each vertex by the mean of its neighbours."""
    start = faces[:, [0, 1, 2, 1, 2, 0]].ravel()
    end = faces[:, [1, 2, 0, 0, 1, 2]].ravel()
    links = sparse.coo_matrix((np.ones(len(start)), (start, end)), (count, count)).tocsr()
    links.data[:] = 1.0
    degree = np.asarray(links.sum(axis=1)).ravel().clip(1)
    return sparse.diags(1 / degree) @ links


def pose(figure: Figure, rotations: np.ndarray) -> np.ndarray:
    """Return the posed bones' frames, ``24 3 4``, from local rotations ``24 3 3``."""
    frames = pose_bones(torch.from_numpy(rotations), torch.from_numpy(figure.joints))
    return frames.numpy()


def submesh(faces: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return the faces all of whose vertices are kept."""
    return faces[keep[faces].all(axis=1)]


ARM = ("shoulder", "elbow", "wrist", "hand")
"""Bones of an arm."""


def joint(figure: Figure, name: str) -> np.ndarray:
    """Return a joint's rest position."""
    return figure.joints[BONE_NAMES.index(name)]


def of_arms(figure: Figure) -> np.ndarray:
    """Return ``v`` how much of each vertex hangs on the arms."""
    return of_bones(figure, ARM, "left") + of_bones(figure, ARM, "right")


def of_bones(figure: Figure, bones: tuple[str, ...], side: str) -> np.ndarray:
    """Return ``v`` how much of each vertex hangs on some bones of one side."""
    return figure.weights[:, [BONE_NAMES.index(f"{side}_{bone}") for bone in bones]].sum(axis=1)


def grid_faces(rows: int, columns: int, closed: bool = True) -> np.ndarray:
    """Return the faces, ``f 3``, of a grid of vertices.

    Args:
        rows: of vertices.
        columns: vertices of a row.
        closed: join the last column to the first.
    """
    index = np.arange(rows * columns).reshape(rows, columns)
    ahead = np.roll(index, -1, axis=1) if closed else index[:, 1:]
    here = index if closed else index[:, :-1]
    a, b, c, d = here[:-1], here[1:], ahead[1:], ahead[:-1]
    return np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
