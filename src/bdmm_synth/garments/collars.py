"""Collars and hoods that lie around the neck: a ring whose section grows from front to back."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from bdmm_synth.figure import Figure, Layer, joint, of_arms
from bdmm_synth.garments.skirts import support
from bdmm_synth.garments.wear import Shell
from bdmm_synth.noise import layered

_AROUND, _SECTION = 56, 14
_NEARER = 0.012
"""Metres by which it is drawn nearer than it is, to lie over the folds under it."""


@dataclass(frozen=True)
class CollarCut:
    """How a collar is cut; pairs are (front, back), lengths in metres.

    Attributes:
        name: of the layer.
        thick: half the thickness of the ring's section.
        tall: half its height.
        drop: how far its middle lies below the neck joint.
        gap: half angle of the opening in front, radians; 0 for none.
        folds: height of its folds.
        off: how far it stays off the skin.
    """

    name: str
    thick: tuple[float, float]
    tall: tuple[float, float]
    drop: tuple[float, float]
    gap: float = 0.0
    folds: float = 0.0
    off: float = 0.012


HOOD = CollarCut("hood", (0.007, 0.030), (0.016, 0.085), (0.045, 0.100), 0.75, 0.008, 0.026)
"""A hood that hangs down the back."""
COLLAR = CollarCut("collar", (0.004, 0.005), (0.022, 0.024), (0.055, 0.020), 0.22, 0.001, 0.010)
"""A shirt's collar, unbuttoned."""
SCARF = CollarCut("scarf", (0.026, 0.024), (0.045, 0.040), (0.050, 0.030), 0.0, 0.016, 0.010)
"""A scarf wound around the neck."""


def collar(figure: Figure, cut: CollarCut) -> Shell:
    """Cut a collar for a body; coordinates as `wear` wants them, all of it within its hem."""
    neck = joint(figure, "neck")
    trunk = of_arms(figure) < 0.1
    turn = np.arange(_AROUND) / _AROUND * 2 * np.pi
    outward = np.stack([np.sin(turn), -np.cos(turn)], axis=-1)
    back = 0.5 - 0.5 * np.cos(turn)
    back = back**2 * (3 - 2 * back)

    def between(pair: tuple[float, float]) -> np.ndarray:
        return pair[0] + (pair[1] - pair[0]) * back

    level = neck[1] + 0.015
    radius = support(figure.rest[trunk], level, outward, float(neck[2]))
    around = np.arange(_SECTION) / _SECTION * 2 * np.pi
    thick, tall = between(cut.thick)[:, None], between(cut.tall)[:, None]
    reach = radius[:, None] + cut.off + thick * (1 + np.cos(around))
    y = neck[1] + between(cut.drop)[:, None] + tall * np.sin(around)
    rest = np.stack(
        np.broadcast_arrays(reach * outward[:, :1], y, reach * outward[:, 1:] + neck[2]), -1
    ).reshape(-1, 3)
    near = KDTree(figure.rest[trunk])
    rest = _off(rest, figure.rest[trunk], figure.normals[trunk], near, cut.off)
    away = rest - np.repeat(rest.reshape(_AROUND, _SECTION, 3).mean(axis=1), _SECTION, axis=0)
    rest = rest + away / 0.03 * cut.folds * layered(rest * [22, 12, 22], 2)[:, None]
    weights = figure.weights[trunk][near.query(rest, k=24)[1]].mean(axis=1)
    angle = np.abs((np.repeat(turn, _SECTION) + np.pi) % (2 * np.pi) - np.pi)
    inside = 0.08 * (angle - cut.gap) if cut.gap else np.full(len(rest), 1.0)
    coords = np.column_stack([rest, np.zeros((len(rest), 2)), np.full(len(rest), 1.0)])
    nearer = np.full(len(rest), -_NEARER)
    layer = Layer(cut.name, rest, _torus(), weights, coords, inside, nearer)
    none = np.full(len(figure.rest), -1.0)
    return Shell(layer, none, np.zeros(len(figure.rest)))


def _off(
    rest: np.ndarray, skin: np.ndarray, normals: np.ndarray, near: KDTree, least: float
) -> np.ndarray:
    """Push points out of the body."""
    for _ in range(2):
        index = near.query(rest)[1]
        off = ((rest - skin[index]) * normals[index]).sum(axis=1)
        rest = rest + np.clip(least - off, 0, 0.08)[:, None] * normals[index]
    return rest


def _torus() -> np.ndarray:
    index = np.arange(_AROUND * _SECTION).reshape(_AROUND, _SECTION)
    a, b = index, np.roll(index, -1, axis=0)
    c, d = np.roll(b, -1, axis=1), np.roll(a, -1, axis=1)
    return np.stack([a, c, b, a, d, c], axis=-1).reshape(-1, 3)
