"""Rubber and leather: how `shoes` are coloured."""

import numpy as np

from bdmm_synth.material import Surface
from bdmm_synth.noise import layered, solid, step
from bdmm_synth.shoes import SOLE


def paint_sole(coords: np.ndarray, rubber: tuple, line: tuple) -> Surface:
    """Colour soles: rubber with a foxing line and a ribbed toe."""
    s, _, z, part = coords.T
    groove = np.exp(-(((z - 0.007) / 0.0009) ** 2))
    stripe = step(0.0022, 0.0014, np.abs(z + 0.001))
    ribs = 0.5 + 0.5 * np.sin(s * 1500)
    toe = step(0.90, 0.95, part)
    tone = np.array(rubber) * (1 - 0.35 * groove - 0.12 * toe * ribs)[:, None]
    tone = _over(tone, line, stripe)
    tone = tone * (0.80 + 0.20 * step(-SOLE, -SOLE + 0.012, z))[:, None]
    dirt = layered(coords[:, :3] * 90, 3)
    tone = tone * (1 - 0.06 * dirt)[:, None]
    count = len(s)
    return Surface(
        tone, -0.0006 * groove + 0.0002 * toe * ribs,
        np.full(count, 0.5), np.full(count, 0.04), np.zeros(count), np.zeros((count, 3)),
    )  # fmt: skip


def paint_upper(
    coords: np.ndarray, leather: tuple, accent: tuple, tongue: tuple, laces: tuple
) -> Surface:
    """Colour uppers: panels with stitches, a heel tab, a tongue with laces, a padded collar."""
    _, y, z, part, rim = coords.T
    count = len(y)
    centre = y - 0.004
    throat = step(0.28, 0.30, part) * step(0.70, 0.68, part - 6.0 * centre**2)
    wide = 0.017 + 0.010 * step(0.70, 0.30, part)
    under = throat * step(wide, wide - 0.0015, np.abs(centre)) * (z > 0.030)
    rungs = (
        (part - 0.34) / 0.062
        - 1.5 * np.abs(centre)
        + 6 * centre * np.sign(np.sin((part - 0.34) / 0.062 * np.pi))
    )
    lace = throat * step(0.27, 0.20, np.abs(rungs - np.round(rungs))) * (z > 0.030)
    lace *= step(wide + 0.004, wide + 0.002, np.abs(centre)) * (part > 0.31)
    swoosh = np.abs((z - 0.018) - 0.62 * (part - 0.34) * 0.16 - 0.010) - 0.006
    stripe = (
        step(0.001, -0.001, swoosh)
        * step(0.20, 0.26, part)
        * step(0.62, 0.52, part)
        * (1 - throat * (np.abs(centre) < 0.026))
    )
    heel = step(0.135, 0.125, part + 0.25 * (0.06 - z))
    cap = np.abs(part - 0.78 - 0.9 * centre**2 / 0.02)
    seams = np.exp(-((cap / 0.004) ** 2)) + np.exp(
        -(((part + 0.25 * (0.06 - z) - 0.13) / 0.004) ** 2)
    )
    edge = np.exp(-(((np.abs(centre) - wide - 0.006) / 0.0010) ** 2)) * throat * (z > 0.035)
    seams = np.clip(seams + edge + np.exp(-(((rim - 0.0105) / 0.0008) ** 2)), 0, 1)
    tone = (
        np.tile(np.array(leather), (count, 1))
        * (1 + 0.03 * layered(coords[:, :3] * 120, 2))[:, None]
    )
    tone = _over(tone, accent, np.clip(stripe + heel, 0, 1))
    tone = _over(tone, tongue, under)
    tone = _over(tone, laces, lace)
    tone = _over(tone, accent, step(0.010, 0.008, rim))
    tone = tone * (1 - 0.35 * seams)[:, None]
    height = (
        0.0015 * step(0, 0.005, rim)
        + 0.0022 * lace
        - 0.0007 * seams
        + 0.0006 * np.clip(stripe + heel, 0, 1)
        - 0.0014 * under
    )
    crease = (
        np.sin(part * 260 + 2 * solid(coords[:, :3] * 60))
        * step(0.66, 0.70, part)
        * step(0.78, 0.74, part)
    )
    height = height + 0.0004 * crease * step(0.02, 0.04, z)
    return Surface(
        tone.clip(0.01, 0.9), height,
        0.5 + 0.25 * lace, np.full(count, 0.035), 0.05 + 0.1 * under, np.full((count, 3), 0.05),
    )  # fmt: skip


def paint_plain(coords: np.ndarray, leather: tuple, shine: float) -> Surface:
    """Colour uppers of plain leather: a welt, a seam at the heel, creases over the toes.

    Args:
        coords: ``n 5`` of the layer "uppers".
        leather: RGB linear albedo.
        shine: 0 for suede to 1 for patent leather.
    """
    _, y, z, part, rim = coords.T
    heel = np.exp(-(((y - 0.004) / 0.0015) ** 2)) * (part < 0.15)
    piping = np.exp(-(((rim - 0.004) / 0.0022) ** 2))
    grain = layered(coords[:, :3] * 120, 2)
    tone = np.tile(np.array(leather), (len(y), 1))
    tone = tone * (1 + 0.06 * grain - 0.35 * heel - 0.25 * piping)[:, None]
    bend = step(0.64, 0.68, part) * step(0.78, 0.74, part) * step(0.02, 0.04, z)
    crease = np.sin(part * 260 + 2 * grain) * bend
    height = 0.0012 * step(0, 0.004, rim) + 0.0005 * crease + 0.0002 * grain - 0.0006 * heel
    count = len(y)
    return Surface(
        tone.clip(0.005, 0.9), height, np.full(count, 0.75 - 0.5 * shine),
        np.full(count, 0.03 + 0.03 * shine), np.full(count, 0.15 * (1 - shine)),
        np.full((count, 3), 0.04),
    )  # fmt: skip


def _over(tone: np.ndarray, other, part: np.ndarray) -> np.ndarray:
    return tone * (1 - part[:, None]) + np.asarray(other) * part[:, None]
