"""Colours of cloth, leather, skin and hair: RGB linear albedos drawn at random."""

import colorsys

import numpy as np

from bdmm_synth.figure import Colour

_NEUTRAL = ((0.02,) * 3, (0.05,) * 3, (0.16,) * 3, (0.36,) * 3, (0.62,) * 3, (0.75, 0.74, 0.70),
            (0.02, 0.03, 0.08), (0.05, 0.09, 0.17), (0.44, 0.36, 0.25), (0.23, 0.14, 0.08),
            (0.10, 0.12, 0.05), (0.25, 0.03, 0.04))  # fmt: skip
_SKINS = ((0.66, 0.46, 0.37), (0.58, 0.38, 0.28), (0.48, 0.30, 0.21), (0.36, 0.21, 0.13),
          (0.24, 0.125, 0.075), (0.13, 0.062, 0.036), (0.065, 0.032, 0.020))  # fmt: skip
_HAIR = (((0.010, 0.008, 0.007), 5), ((0.022, 0.013, 0.009), 5), ((0.050, 0.028, 0.017), 4),
         ((0.10, 0.055, 0.028), 3), ((0.20, 0.12, 0.055), 2), ((0.36, 0.25, 0.12), 2),
         ((0.20, 0.055, 0.018), 1), ((0.30, 0.29, 0.28), 1), ((0.55, 0.54, 0.53), 1))  # fmt: skip


def linear(srgb: np.ndarray | tuple) -> np.ndarray:
    """Turn sRGB in [0, 1] into linear light."""
    srgb = np.asarray(srgb, float)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def cloth_colour(random: np.random.Generator, neutral: float = 0.5) -> Colour:
    """Draw a colour of cloth; ``neutral`` is the chance of black, white, grey, navy and such.

    Colours of skin are left out: such clothes would look like bare skin.
    """
    colour = _any_colour(random, neutral)
    for _ in range(12):
        if not _like_skin(colour):
            break
        colour = _any_colour(random, neutral)
    return colour


def _like_skin(colour: Colour) -> bool:
    red, green, blue = colour
    return 1.24 < red / green < 2.2 and 1.08 < green / blue < 2.2


def _any_colour(random: np.random.Generator, neutral: float) -> Colour:
    if random.random() < neutral:
        base = np.array(_NEUTRAL[random.integers(len(_NEUTRAL))])
        return _triple((base * random.uniform(0.8, 1.25, 3)).clip(0.01, 0.8))
    value = random.uniform(0.3, 0.95)
    saturation = random.uniform(0.25, 0.95)
    colour = linear(colorsys.hsv_to_rgb(random.random(), saturation, value))
    return _triple((0.85 * colour).clip(0.012, 0.8))


def contrast_colour(random: np.random.Generator, ground: Colour) -> Colour:
    """Draw a colour that stands out from another."""
    best, most = ground, -1.0
    for _ in range(6):
        colour = cloth_colour(random, 0.4)
        away = float(np.abs(np.sqrt(colour) - np.sqrt(ground)).sum()) * random.uniform(0.5, 1)
        best, most = (colour, away) if away > most else (best, most)
    return best


def skin_colour(random: np.random.Generator) -> Colour:
    """Draw a skin, from the fairest to the darkest alike."""
    at = random.uniform(0, len(_SKINS) - 1)
    low = int(min(at, len(_SKINS) - 2))
    mixed = np.array(_SKINS[low]) * (low + 1 - at) + np.array(_SKINS[low + 1]) * (at - low)
    return _triple(mixed * (1 + 0.06 * random.normal(size=3).clip(-2, 2) * [0.5, 1, 1]))


def hair_colour(random: np.random.Generator, dark: bool) -> Colour:
    """Draw a colour of hair; ``dark`` leaves out what is rare on dark skin."""
    if random.random() < 0.05:
        return cloth_colour(random, 0.0)
    shares = np.array([share * (not dark or number < 3) for number, (_, share) in enumerate(_HAIR)])
    base = np.array(_HAIR[random.choice(len(_HAIR), p=shares / shares.sum())][0])
    return _triple(base * random.uniform(0.8, 1.25))


def _triple(colour: np.ndarray) -> Colour:
    return float(colour[0]), float(colour[1]), float(colour[2])
