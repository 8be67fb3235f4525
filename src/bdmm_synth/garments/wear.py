"""Put garments on a body, from the inside to the outside, so that none cuts through another.

Coordinates of every garment's layer: unfolded rest position, limb, metres along the limb, metres
within the hem (`cloth.Fabric`), and last how deep the point lies under other garments (metres
within their hems, negative outside). The skin's last coordinate is the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import KDTree

from bdmm_synth.figure import Figure, Layer
from bdmm_synth.garments.drape import Fabric, divide, drape, raise_folds
from bdmm_synth.noise import step

_GAP = 0.005
"""Metres between a garment and what is worn over it."""
_DEEP = 0.018
"""Metres within another garment's hem from which on a point is not drawn."""
_YIELD = 0.03
"""Metres by which covered surfaces recede at most."""


@dataclass(frozen=True)
class Draped:
    """A garment that grows from the body.

    Attributes:
        name: of its layer.
        keep: ``v`` vertices of the body that it may use.
        clearance: ``v`` metres off the skin, at least.
        rounds: how taut it is.
        limbs: "arms" or "legs", see `cloth.drape`.
        edge: fabric -> distance within its hems, positive where there is cloth.
        folds: fabric -> height of its folds, metres.
        snug: ``v`` where it lies on the skin, see `cloth.drape`.
    """

    name: str
    keep: np.ndarray
    clearance: np.ndarray
    rounds: int
    limbs: str
    edge: Callable[[Fabric], np.ndarray]
    folds: Callable[[Fabric], np.ndarray]
    snug: np.ndarray | float = 0.0


@dataclass(frozen=True)
class Shell:
    """A garment with a mesh of its own: a skirt, a hood.

    Attributes:
        layer: the whole layer but for the last coordinate.
        cover: ``v`` how deep each vertex of the body lies under it.
        level: ``v`` how far it stands off the skin there.
    """

    layer: Layer
    cover: np.ndarray
    level: np.ndarray


@dataclass
class _Laid:
    """A draped garment before it is cut: its fabric and where that lies on the body."""

    garment: Draped
    fabric: Fabric
    used: np.ndarray


def wear(
    figure: Figure, garments: list[Draped | Shell], fine: int
) -> tuple[list[Layer], np.ndarray]:
    """Put garments on.

    Args:
        figure: the body.
        garments: from the inside to the outside.
        fine: times that draped meshes are divided.

    Returns:
        A layer per garment, and ``v`` how deep each vertex of the body lies under them.
    """
    count = len(figure.rest)
    level = np.zeros(count)
    covers, laid = [], []
    for garment in garments:
        if isinstance(garment, Shell):
            covers.append(garment.cover)
            level = np.maximum(level, garment.level)
            laid.append(garment)
            continue
        clearance = np.maximum(garment.clearance, level + _GAP * (level > 0))
        fabric, used = drape(
            figure, clearance, garment.keep, garment.rounds, garment.limbs, garment.snug
        )
        cover = np.full(count, -1.0)
        cover[used] = garment.edge(fabric)
        covers.append(cover)
        laid.append(_Laid(garment, fabric, used))
        off = ((fabric.rest - figure.rest[used]) * figure.normals[used]).sum(axis=1)
        level[used] = np.maximum(level[used], off * step(-0.02, 0.0, cover[used]))
    layers = []
    for index, own in enumerate(laid):
        over = np.max([np.full(count, -1.0), *covers[index + 1 :]], axis=0)
        if isinstance(own, Shell):
            layers.append(buried(own.layer, _on_shell(figure, own.layer.rest, over)))
        else:
            layers.append(_cut(own, over, fine))
    return layers, np.max([np.full(count, -1.0), *covers], axis=0)


def _cut(laid: _Laid, over: np.ndarray, fine: int) -> Layer:
    fabric = divide(replace(laid.fabric, carried=over[laid.used][:, None]), fine)
    inside = laid.garment.edge(fabric)
    folded = raise_folds(fabric, laid.garment.folds(fabric))
    coords = np.column_stack([fabric.rest, fabric.limb, fabric.along, inside])
    layer = Layer(laid.garment.name, folded.rest, fabric.faces, fabric.weights, coords, inside)
    return buried(layer, fabric.carried[:, 0])


def buried(layer: Layer, depth: np.ndarray) -> Layer:
    """Give a layer its last coordinate, and let it recede under what is worn over it."""
    recede = _YIELD * step(0.0, 0.03, depth)
    recede = recede if layer.recede is None else recede + layer.recede
    return replace(layer, coords=np.column_stack([layer.coords, depth]), recede=recede)


def hidden(name: str, coords: np.ndarray) -> np.ndarray:
    """Return which points of a layer lie well within other garments (`person.Hidden`)."""
    if name in ("eyes", "soles", "uppers"):
        return np.zeros(len(coords), bool)
    return coords[:, -1] > _DEEP


def _on_shell(figure: Figure, points: np.ndarray, over: np.ndarray) -> np.ndarray:
    if over.max() < 0:
        return np.full(len(points), -1.0)
    away, near = KDTree(figure.rest).query(points, k=3)
    share = 1 / (away + 1e-3)
    return (over[near] * share).sum(axis=1) / share.sum(axis=1)
