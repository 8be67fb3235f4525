"""Cloth: how garments of `wear` are coloured and how their surface stands out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bdmm_synth.figure import Surface, mix
from bdmm_synth.noise import layered, ridged, solid, step

Print = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(rest ``n 3``, limb ``n``, along ``n``) -> RGB linear albedo ``n 3``."""


@dataclass(frozen=True)
class Cloth:
    """What a garment is made of.

    Attributes:
        print: its colours.
        ground: the same without emblems, for its collar or hood; None where there are none.
        seams: how dark stitches at hems and armholes are, 0 to 1.
        rib: width of ribbed bands at its rims, metres.
        trim: RGB of that band; None for the print's own.
        front: "" or what runs down the middle of the front: "zip" or "buttons".
        crumple: strength of small wrinkles.
        rough: roughness of its gloss.
        gloss: reflectance at normal incidence.
        fuzz: strength of its light edge.
    """

    print: Print
    ground: Print | None = None
    seams: float = 0.25
    rib: float = 0.0
    trim: tuple[float, float, float] | None = None
    front: str = ""
    crumple: float = 1.0
    rough: float = 0.85
    gloss: float = 0.022
    fuzz: float = 0.35


def paint_cloth(coords: np.ndarray, cloth: Cloth) -> Surface:
    """Colour a garment.

    Args:
        coords: ``n 6`` or more, as `wear` makes them.
        cloth: what it is made of.
    """
    rest, limb, along, hem = coords[:, :3], *coords[:, 3:6].T
    tone = cloth.print(rest, limb, along)
    armhole = np.exp(-(((np.abs(limb) - 0.42) / 0.035) ** 2)) * (rest[:, 1] < -0.25)
    seam = np.clip(np.exp(-(((hem - 0.019) / 0.0016) ** 2)) + 0.8 * armhole, 0, 1)
    coarse = layered(rest * [12, 8, 12] + 3, 2)
    height = 0.0012 * step(0, 0.004, hem) - 0.0010 * seam
    height += cloth.crumple * (0.0045 * coarse + 0.0012 * (ridged(rest * [38, 30, 38], 1) - 0.6))
    if cloth.rib:
        band = step(cloth.rib + 0.002, cloth.rib - 0.002, hem)
        if cloth.trim is not None:
            tone = mix(tone, cloth.trim, band)
        turn = np.arctan2(rest[:, 0], -rest[:, 2]) * 60 + 300 * np.abs(limb) * rest[:, 2]
        height += band * 0.0012 * np.sin(turn)
        height -= 0.003 * np.exp(-(((hem - cloth.rib) / 0.004) ** 2))
        tone = tone * (1 - 0.10 * band)[:, None]
    if cloth.front:
        tone, height = _front(tone, height, rest, cloth.front)
    shade = 1 + 0.05 * coarse + 0.03 * solid(rest * 400)
    tone = tone * (shade * (1 - cloth.seams * seam))[:, None]
    count = len(tone)
    return Surface(
        tone.clip(0.004, 0.92), height, np.full(count, cloth.rough), np.full(count, cloth.gloss),
        np.full(count, cloth.fuzz), np.full((count, 3), 0.10),
    )  # fmt: skip


def _front(
    tone: np.ndarray, height: np.ndarray, rest: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Add a zip or a row of buttons down the front."""
    x, front = rest[:, 0], rest[:, 2] < -0.02
    if kind == "zip":
        line = np.exp(-((x / 0.004) ** 2)) * front
        return tone * (1 - 0.6 * line)[:, None], height - 0.002 * line
    placket = np.exp(-(((np.abs(x) - 0.016) / 0.0018) ** 2)) * front
    gap = (rest[:, 1] / 0.085) % 1 - 0.5
    button = step(1.1, 0.9, np.hypot(x, gap * 0.085) / 0.0055) * front
    light = np.where(tone.mean(axis=1) > 0.25, 0.4, 0.55)
    tone = tone * (1 - 0.25 * placket)[:, None]
    return mix(tone, light[:, None] * np.ones(3), button), height + 0.001 * button
