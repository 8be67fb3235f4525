"""Garments grown from the body: smoothed offset layers, finely divided, with folds and hems."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bdmm.data.synthetic.geometry import Figure, Layer, averaging, submesh, vertex_normals
from bdmm.data.synthetic.noise import step
from bdmm.records import BONE_NAMES

SIDES = ("left", "right")
_ARM = ("shoulder", "elbow", "wrist", "hand")
_LEG = ("hip", "knee", "ankle", "foot")


@dataclass(frozen=True)
class Fabric:
    """A garment before folds: coarse mesh over the body.

    Attributes:
        rest: ``v 3``.
        faces: ``f 3``.
        weights: ``v 24``.
        limb: ``v`` in [-1, 1]: how much the vertex belongs to a limb (1 the left, -1 the right).
        along: ``v`` metres down the limb, from the shoulder or hip joint.
    """

    rest: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    limb: np.ndarray
    along: np.ndarray


def of_bones(figure: Figure, bones: tuple[str, ...], side: str) -> np.ndarray:
    """Return ``v`` how much of each vertex hangs on some bones of one side."""
    return figure.weights[:, [BONE_NAMES.index(f"{side}_{bone}") for bone in bones]].sum(axis=1)


def drape(
    figure: Figure, clearance: np.ndarray, keep: np.ndarray, rounds: int, limbs: str
) -> Fabric:
    """Lay a membrane around the body: taut over hollows, never nearer than the clearance.

    Args:
        figure: the body.
        clearance: ``v`` metres off the skin.
        keep: ``v`` vertices that the garment may use.
        rounds: how taut.
        limbs: "arms" or "legs": what `Fabric.limb` and ``along`` describe.
    """
    cloth = figure.rest + figure.normals * clearance[:, None]
    for _ in range(rounds):
        cloth = 0.4 * cloth + 0.6 * (figure.smoother @ cloth)
        off = ((cloth - figure.rest) * figure.normals).sum(axis=1)
        cloth += np.clip(clearance - off, 0, None)[:, None] * figure.normals
    weights = figure.weights
    for _ in range(4):
        weights = 0.5 * weights + 0.5 * (figure.smoother @ weights)
    bones, start, end = (_ARM, "shoulder", "elbow") if limbs == "arms" else (_LEG, "hip", "knee")
    limb = np.zeros(len(cloth))
    along = np.zeros(len(cloth))
    for side, sign in zip(SIDES, (1, -1), strict=True):
        first, second = (figure.joints[BONE_NAMES.index(f"{side}_{name}")] for name in (start, end))
        axis = (second - first) / np.linalg.norm(second - first)
        limb += sign * of_bones(figure, bones, side)
        own = figure.rest[:, 0] * sign > 0
        along = np.where(own, (cloth - first) @ axis, along)
    faces = submesh(figure.faces, keep)
    used = np.unique(faces)
    number = np.full(len(cloth), -1)
    number[used] = np.arange(len(used))
    return Fabric(cloth[used], number[faces], weights[used], limb[used], along[used])


def divide(fabric: Fabric, times: int = 1) -> Fabric:
    """Cut each face into four and smooth what is new, so that the garment can fold."""
    for _ in range(times):
        edges = np.sort(fabric.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        unique, place = np.unique(edges, axis=0, return_inverse=True)
        count = len(fabric.rest)
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
        fabric = Fabric(rest, faces, grow @ fabric.weights, grow @ fabric.limb, grow @ fabric.along)
    return fabric


def _border(faces: np.ndarray, count: int) -> np.ndarray:
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    unique, times = np.unique(edges, axis=0, return_counts=True)
    border = np.zeros(count, bool)
    border[unique[times == 1].ravel()] = True
    return border


def raise_folds(fabric: Fabric, height: np.ndarray) -> Fabric:
    """Move each vertex outwards by ``height`` (``v`` metres)."""
    rest = fabric.rest + vertex_normals(fabric.rest, fabric.faces) * height[:, None]
    return Fabric(rest, fabric.faces, fabric.weights, fabric.limb, fabric.along)


def finish(name: str, fabric: Fabric, inside: np.ndarray, plain: np.ndarray) -> Layer:
    """Make a layer: painted by the unfolded rest position, the limb, the way along it, the hem.

    Args:
        name: of the layer.
        fabric: with folds.
        inside: ``v`` distance from the hem, positive where there is cloth.
        plain: ``v 3`` positions without folds.
    """
    coords = np.column_stack([plain, fabric.limb, fabric.along, inside])
    return Layer(name, fabric.rest, fabric.faces, fabric.weights, coords, inside)


def on_limb(fabric: Fabric) -> np.ndarray:
    """Return ``v`` 1 on arms or legs, 0 on the trunk, smoothly."""
    return step(0.15, 0.65, np.abs(fabric.limb))
