"""The emblem of the sample woman's shirt: a sun over waves."""

import numpy as np

from bdmm_synth.noise import step

_SIDE = 400
_REACH = 1.333
"""Half the picture's side in radii of the sun."""


def sunrise() -> np.ndarray:
    """Return ``400 400 4`` RGB linear and cover in [0, 1]."""
    y, x = np.mgrid[-_REACH : _REACH : _SIDE * 1j, -_REACH : _REACH : _SIDE * 1j]
    radius = np.hypot(x, y)
    sun = step(1.0, 0.985, radius)
    rays = step(1.28, 1.26, radius) * step(1.08, 1.10, radius)
    rays *= step(-0.15, 0.0, np.cos(np.arctan2(y, x) * 18)) * (y < 0.25)
    crest = y - 0.25 - 0.10 * np.sin(x * 7)
    sea = sun * (crest > 0) * (crest % 0.28 < 0.15)
    sky = np.maximum(sun * (crest < 0), rays)
    picture = np.zeros((_SIDE, _SIDE, 4))
    picture[..., :3] = np.where(
        sea[..., None] > sky[..., None], (0.62, 0.60, 0.52), (0.70, 0.40, 0.07)
    )
    picture[..., 3] = np.maximum(sea, sky)
    return picture
