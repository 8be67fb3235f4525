"""Shirts, sweaters, jackets: everything that hangs from the shoulders."""

from dataclasses import dataclass

import numpy as np

from bdmm.body.model import PART_NAMES
from bdmm_synth.figure import Figure, joint, of_arms, of_bones
from bdmm_synth.garments.drape import Fabric, down_limbs, on_limb
from bdmm_synth.garments.wear import Draped
from bdmm_synth.noise import layered, ridged, solid, step


@dataclass(frozen=True)
class TopCut:
    """How a top is cut; lengths in metres.

    Attributes:
        name: of the layer.
        hem: below the pelvis joint.
        sleeve: length from the shoulder joint; 0 for none.
        loose: how far it stands off, 1 regular.
        thick: added to that everywhere.
        low: depth of the neckline; negative for a collar that stands up the neck.
        scoop: how much lower the neckline is in front.
        vee: depth of a V in front.
        bowl: how quickly the neckline rises to the shoulders: small for wide necks.
        open_: half width of the front opening at the hem; negative for none.
        wide: added width of the sleeves.
        cuff: how closely long sleeves end around the wrist, 0 to 1.
    """

    name: str = "shirt"
    hem: float = 0.075
    sleeve: float = 0.19
    loose: float = 1.0
    thick: float = 0.0
    low: float = 0.030
    scoop: float = 0.42
    vee: float = 0.0
    bowl: float = 0.034
    open_: float = -1.0
    wide: float = 0.0
    cuff: float = 0.0


def top(figure: Figure, cut: TopCut) -> Draped:
    """Cut a top for a body."""
    neck, y = joint(figure, "neck"), figure.rest[:, 1]
    arm = of_arms(figure)
    low = step(neck[1] + 0.15, cut.hem, y)
    belly = np.exp(-(((y + 0.13) / 0.10) ** 2))
    clearance = (
        step(neck[1] - 0.02, neck[1] + 0.10, y)
        * cut.loose
        * (0.006 + 0.014 * belly + 0.003 * low + 0.004 * step(0.3, 0.8, arm))
        + cut.wide * step(0.4, 0.9, arm)
        + cut.thick
        + 0.003
    )
    names = ("hands", "feet") if cut.sleeve < 0.35 else ("feet",)
    names = (*names, "face", "scalp", "ears", "lips", "eyes", "mouth") if cut.low < 0 else names
    never = np.isin(figure.parts, [PART_NAMES.index(name) for name in names])
    keep = ~never & (y < cut.hem + 0.12) & (y > neck[1] - (0.06 if cut.low >= 0 else 0.10))
    keep &= of_bones(figure, ("knee",), "left") + of_bones(figure, ("knee",), "right") < 0.2
    snug = np.zeros(len(y))
    if cut.cuff:
        along = down_limbs(figure, figure.rest, "arms")[1]
        snug = cut.cuff * step(cut.sleeve - 0.09, cut.sleeve - 0.01, along) * step(0.5, 0.9, arm)
        clearance = clearance - snug * (clearance - cut.thick - 0.003)
    return Draped(
        cut.name, keep, clearance, 22, "arms",
        lambda fabric: _edge(fabric, cut, neck), lambda fabric: _folds(fabric, cut, figure), snug,
    )  # fmt: skip


def _edge(fabric: Fabric, cut: TopCut, neck: np.ndarray) -> np.ndarray:
    rest = fabric.rest
    bowl = cut.bowl * (rest[:, 0] / 0.08) ** 2
    front = step(0.0, -0.05, rest[:, 2] - neck[2])
    vee = cut.vee * np.clip(1 - np.abs(rest[:, 0]) / 0.075, 0, 1) * front
    collar = 0.93 * (
        rest[:, 1] + bowl - neck[1] - cut.low - cut.scoop * (neck[2] - rest[:, 2]) - vee
    )
    if cut.sleeve > 0:
        far = np.where(np.abs(fabric.limb) > 0.3, cut.sleeve - fabric.along, 1.0)
        far = far + 0.3 * step(0.5, 0.3, np.abs(fabric.limb))
    else:
        far = 0.11 * (0.42 - np.abs(fabric.limb))
    below = cut.hem - rest[:, 1] + 0.006 * solid(rest * 3)
    inside = np.minimum(np.minimum(below, far), collar)
    if cut.open_ >= 0:
        gap = cut.open_ * (0.35 + 0.65 * step(neck[1], cut.hem, rest[:, 1]))
        inside = np.minimum(inside, np.abs(rest[:, 0]) - gap + 0.5 * step(0.01, 0.06, rest[:, 2]))
    return inside


def _folds(fabric: Fabric, cut: TopCut, figure: Figure) -> np.ndarray:
    rest, limb, hem = fabric.rest, on_limb(fabric), cut.hem
    trunk = 1 - limb
    folds = rest * [9, 6, 9]
    slant = np.column_stack([rest[:, 0] * 7 + rest[:, 1] * 9, rest[:, 1] * 3, rest[:, 2] * 7])
    other = np.column_stack([rest[:, 0] * 7 - rest[:, 1] * 9, rest[:, 1] * 3, rest[:, 2] * 7 + 5])
    waist = np.exp(-(((rest[:, 1] + 0.03 - hem * 0.2) / 0.14) ** 2))
    mixed = step(-0.06, 0.06, rest[:, 0] + 0.05 * solid(rest * 6))
    creases = ridged(slant, 2) * mixed + ridged(other, 2) * (1 - mixed)
    height = trunk * waist * 0.016 * (creases - 0.70)
    turn = np.arctan2(rest[:, 0], -rest[:, 2])
    ripple = np.sin(turn * 7 + 2.2 * solid(rest * 5)) * solid(folds * 0.5 + 3)
    height += trunk * step(hem - 0.25, hem, rest[:, 1]) * 0.010 * ripple
    height += trunk * 0.005 * layered(folds, 2)
    pit = np.abs(rest[:, :2]) - [0.17, -joint(figure, "left_shoulder")[1] - 0.09]
    drag = np.column_stack(
        [np.arctan2(pit[:, 1], 0.04 - pit[:, 0]) * 7, rest[:, 2] * 6, pit[:, 0] * 3]
    )
    height += trunk * np.exp(-((pit / 0.10) ** 2).sum(axis=1)) * 0.012 * (ridged(drag, 2) - 0.7)
    height *= min(1.0, 0.3 + 0.7 * cut.loose)
    ring = np.column_stack([fabric.along * 26, rest[:, 1] * 8, rest[:, 2] * 9])
    rings = limb * (0.008 + 0.2 * cut.wide) * (ridged(ring, 2) - 0.7)
    if cut.cuff:
        rings *= 1 - 0.9 * cut.cuff * step(cut.sleeve - 0.07, cut.sleeve - 0.03, fabric.along)
    return height + rings
