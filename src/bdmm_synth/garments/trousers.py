"""Trousers, shorts, leggings, socks and the shafts of boots: everything that encloses a leg."""

from dataclasses import dataclass

import numpy as np

from bdmm_synth.figure import Figure, joint, of_arms, of_bones
from bdmm_synth.garments.drape import Fabric
from bdmm_synth.garments.wear import Draped
from bdmm_synth.noise import layered, ridged, step


@dataclass(frozen=True)
class TrouserCut:
    """How trousers are cut; lengths in metres.

    Attributes:
        name: of the layer.
        waist: above the pelvis joint.
        end: y of the ends of the legs in rest.
        wide: how far the legs stand off at their ends.
        hips: how far they stand off at least.
        flare: y in rest from which on the legs widen.
        crisp: strength of the folds, 1 for jeans.
        cuff: how closely they end around the leg, 0 to 1.
    """

    name: str
    waist: float
    end: float
    wide: float
    hips: float
    flare: float
    crisp: float = 1.0
    cuff: float = 0.0


def trousers(figure: Figure, cut: TrouserCut) -> Draped:
    """Cut trousers for a body."""
    y = figure.rest[:, 1]
    clearance = (
        cut.hips
        + min(0.004, cut.hips) * step(0, 0.3, y)
        + cut.wide * step(cut.flare, cut.end - 0.015, y)
    )
    knee, ankle = joint(figure, "left_knee")[1], joint(figure, "left_ankle")[1]
    beyond = 0.065 if cut.end > ankle - 0.10 else 0.11
    keep = (of_arms(figure) < 0.1) & (y > -cut.waist - 0.08) & (y < cut.end + beyond)

    def edge(fabric: Fabric) -> np.ndarray:
        return np.minimum(fabric.rest[:, 1] + cut.waist, cut.end - fabric.rest[:, 1])

    def folds(fabric: Fabric) -> np.ndarray:
        rest = fabric.rest
        near_knee = np.exp(-(((rest[:, 1] - knee) / 0.09) ** 2))
        near_cuff = step(ankle - 0.26, ankle - 0.05, rest[:, 1])
        groin = np.exp(-(((rest[:, 1] - 0.07) / 0.10) ** 2))
        bands = np.column_stack([rest[:, 0] * 9, rest[:, 1] * 24 + rest[:, 0] * 6, rest[:, 2] * 9])
        star = np.column_stack(
            [np.arctan2(rest[:, 1] - 0.1, np.abs(rest[:, 0])) * 5, rest[:, 2] * 9, rest[:, 0] * 4]
        )
        height = (0.011 * near_knee + 0.020 * near_cuff) * (ridged(bands, 2) - 0.68)
        height += 0.014 * groin * (ridged(star, 2) - 0.7) + 0.005 * layered(rest * [9, 5, 9], 2)
        return cut.crisp * height

    snug = cut.cuff * step(cut.end - 0.12, cut.end - 0.02, y)
    return Draped(cut.name, keep, clearance, 14, "legs", edge, folds, snug)


def sleeve_of_leg(figure: Figure, name: str, start: float, end: float, off: float) -> Draped:
    """Cut a tube around each shin: a sock or the shaft of a boot.

    Args:
        figure: the body.
        name: of the layer.
        start: y in rest of its upper rim.
        end: y of its lower rim.
        off: metres off the skin.
    """
    y = figure.rest[:, 1]
    toes = of_bones(figure, ("foot",), "left") + of_bones(figure, ("foot",), "right")
    keep = (of_arms(figure) < 0.1) & (y > start - 0.08) & (y < end + 0.03) & (toes < 0.5)

    def edge(fabric: Fabric) -> np.ndarray:
        return np.minimum(fabric.rest[:, 1] - start, end - fabric.rest[:, 1])

    def folds(fabric: Fabric) -> np.ndarray:
        return 0.3 * off * layered(fabric.rest * [20, 40, 20], 2)

    return Draped(name, keep, np.full(len(y), off), 10, "legs", edge, folds)
