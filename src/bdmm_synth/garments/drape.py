"""Garments grown from the body: smoothed offset layers, finely divided, with folds and hems."""

import functools
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

from bdmm.body.model import PART_NAMES, AnnyBody
from bdmm.records import BONE_NAMES
from bdmm_synth.figure import (
    ARM,
    Figure,
    averaging,
    of_bones,
    submesh,
    unit,
    vertex_normals,
)
from bdmm_synth.noise import step

SIDES = ("left", "right")
_LEG = ("hip", "knee", "ankle", "foot")
_LIMBS = {
    "arms": (ARM, ("shoulder", "elbow", "wrist")),
    "legs": (_LEG, ("hip", "knee", "ankle")),
}


@dataclass(frozen=True)
class Fabric:
    """A garment before folds: coarse mesh over the body.

    Attributes:
        rest: ``v 3``.
        faces: ``f 3``.
        weights: ``v 24``.
        limb: ``v`` in [-1, 1]: how much the vertex belongs to a limb (1 the left, -1 the right).
        along: ``v`` metres down the limb, from the shoulder or hip joint.
        carried: ``v k`` whatever else belongs to the vertices.
    """

    rest: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    limb: np.ndarray
    along: np.ndarray
    carried: np.ndarray


def drape(
    figure: Figure,
    clearance: np.ndarray,
    keep: np.ndarray,
    rounds: int,
    limbs: str,
    snug: np.ndarray | float = 0.0,
) -> tuple[Fabric, np.ndarray]:
    """Lay a membrane around the body: taut over hollows, never nearer than the clearance.

    Args:
        figure: the body.
        clearance: ``v`` metres off the skin.
        keep: ``v`` vertices that the garment may use.
        rounds: how taut.
        limbs: "arms" or "legs": what `Fabric.limb` and ``along`` describe.
        snug: ``v`` in [0, 1]: 1 where it lies on the skin like a cuff, hollows and all.

    Returns:
        The fabric, and ``u`` which vertex of the body each of its vertices lies over.
    """
    skin, normals = _softened(figure)
    cloth = tight = skin + normals * clearance[:, None]
    for _ in range(rounds):
        cloth = 0.4 * cloth + 0.6 * (figure.smoother @ cloth)
        off = ((cloth - skin) * normals).sum(axis=1)
        cloth += np.clip(clearance - off, 0, None)[:, None] * normals
    part = np.broadcast_to(snug, len(cloth))[:, None]
    cloth = cloth * (1 - part) + tight * part
    weights = figure.weights
    for _ in range(4):
        weights = 0.5 * weights + 0.5 * (figure.smoother @ weights)
    limb, along = down_limbs(figure, cloth, limbs)
    faces = submesh(figure.faces, keep)
    used = np.unique(faces)
    number = np.full(len(cloth), -1)
    number[used] = np.arange(len(used))
    bare = np.zeros((len(used), 0))
    return Fabric(cloth[used], number[faces], weights[used], limb[used], along[used], bare), used


def _softened(figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    """Return the body without those details of the chest that cloth does not show, and normals."""
    blur, part = _chest_blur(figure.body)
    soft = figure.rest + part[:, None] * (blur @ figure.rest - figure.rest)
    return soft, vertex_normals(soft, figure.faces)


@functools.lru_cache(maxsize=2)
def _chest_blur(body: AnnyBody) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return the matrix that averages vertices with those around them, and where to use it."""
    rest = body.template.double().numpy()
    chest = (body.parts.numpy() == PART_NAMES.index("torso")) & (rest[:, 1] < -0.05)
    number = np.flatnonzero(chest)
    pairs = KDTree(rest[chest]).sparse_distance_matrix(KDTree(rest[chest]), 0.07)
    near = pairs.tocoo()
    share = np.exp(-((near.data / 0.028) ** 2) / 2)
    size = len(rest)
    # Where vertices lie densely each counts for less.
    density = np.bincount(near.row, share, len(number))
    share = share / density[near.col]
    share = share / np.bincount(near.row, share, len(number))[near.row]
    blur = sparse.csr_matrix((share, (number[near.row], number[near.col])), (size, size))
    part = chest * step(-0.06, -0.16, rest[:, 1]) * step(-0.50, -0.42, rest[:, 1])
    return blur, part


def down_limbs(figure: Figure, cloth: np.ndarray, limbs: str) -> tuple[np.ndarray, np.ndarray]:
    """Return how much each vertex belongs to a limb, and how far down the limb it is.

    Args:
        figure: the body.
        cloth: ``v 3`` where its vertices are taken to be.
        limbs: "arms" or "legs".
    """
    bones, names = _LIMBS[limbs]
    limb, along = np.zeros(len(cloth)), np.zeros(len(cloth))
    for side, sign in zip(SIDES, (1, -1), strict=True):
        first, second, third = (figure.joints[BONE_NAMES.index(f"{side}_{name}")] for name in names)
        whole = of_bones(figure, bones, side)
        lower = np.clip(of_bones(figure, bones[1:], side) / whole.clip(1e-3), 0, 1)
        limb += sign * whole
        length = np.linalg.norm(second - first)
        upper = (cloth - first) @ (second - first) / length
        beyond = length + (cloth - second) @ unit(third - second)
        own = figure.rest[:, 0] * sign > 0
        along = np.where(own, upper * (1 - lower) + beyond * lower, along)
    return limb, along


def divide(fabric: Fabric, times: int = 1) -> Fabric:
    """Cut each face into four and smooth what is new, so that the garment can fold."""
    for _ in range(times):
        count = len(fabric.rest)
        unique, place, _ = _edges(fabric.faces, count)
        middle = count + place.reshape(-1, 3)
        a, b, c = fabric.faces.T
        ab, bc, ca = middle.T
        faces = np.concatenate(
            [
                np.stack(corner, -1)
                for corner in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
            ]
        )
        rows = np.repeat(np.arange(len(unique)), 2)
        halves = sparse.csr_matrix(
            (np.full(2 * len(unique), 0.5), (rows, unique.ravel())), (len(unique), count)
        )
        grow = sparse.vstack([sparse.eye(count), halves]).tocsr()
        rest = grow @ fabric.rest
        smoother = averaging(faces, len(rest))
        inner = ~_border(faces, len(rest))
        for weight in (0.5, 0.25):
            rest = np.where(inner[:, None], rest + weight * (smoother @ rest - rest), rest)
        fabric = Fabric(
            rest, faces, grow @ fabric.weights, grow @ fabric.limb, grow @ fabric.along,
            grow @ fabric.carried,
        )  # fmt: skip
    return fabric


def _edges(faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``e 2`` edges, the ``3 f`` edge of each side of a face, how often each occurs."""
    sides = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).astype(np.int64)
    keys = sides.min(axis=1) * count + sides.max(axis=1)
    unique, place, times = np.unique(keys, return_inverse=True, return_counts=True)
    return np.stack([unique // count, unique % count], axis=-1), place, times


def _border(faces: np.ndarray, count: int) -> np.ndarray:
    unique, _, times = _edges(faces, count)
    border = np.zeros(count, bool)
    border[unique[times == 1].ravel()] = True
    return border


def raise_folds(fabric: Fabric, height: np.ndarray) -> Fabric:
    """Move each vertex outwards by ``height`` (``v`` metres)."""
    rest = fabric.rest + vertex_normals(fabric.rest, fabric.faces) * height[:, None]
    return replace(fabric, rest=rest)


def on_limb(fabric: Fabric) -> np.ndarray:
    """Return ``v`` 1 on arms or legs, 0 on the trunk, smoothly."""
    return step(0.15, 0.65, np.abs(fabric.limb))
