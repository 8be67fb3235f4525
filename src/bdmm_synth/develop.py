"""From linear light to a picture: film curve, vignette, grain."""

import functools

import cv2
import numpy as np

_FINEST = 4096
_BRIGHTEST = 8.0


@functools.cache
def _curve() -> np.ndarray:
    """Return sRGB values of light, by the square root of the light."""
    light = np.linspace(0, 1, _FINEST) ** 2 * _BRIGHTEST
    # A filmic shoulder (rational), scaled so that mid grey stays put.
    a, b, c, d, e = 2.20, 0.10, 2.0, 0.75, 0.12
    curve = np.clip((light * (a * light + b)) / (light * (c * light + d) + e), 0, 1)
    low = curve <= 0.0031308
    encoded = np.where(low, 12.92 * curve, 1.055 * curve.clip(0.0031308) ** (1 / 2.4) - 0.055)
    return encoded.astype(np.float32)


@functools.lru_cache(maxsize=4)
def _vignette(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    dark = 1 - 0.10 * np.clip(x**2 + 0.6 * y**2, 0, 2) ** 1.5
    return dark[..., None].astype(np.float32)


def develop(linear: np.ndarray, grain: float, seed: int = 0) -> np.ndarray:
    """Turn linear light into an 8-bit sRGB picture: film curve, a little grain and vignette.

    Args:
        linear: ``h w 3`` float32 light; about 0.6 becomes white.
        grain: standard deviation of the grain, of 1.
        seed: of the grain.
    """
    height, width = linear.shape[:2]
    part = np.sqrt((linear * _vignette(height, width)).clip(0, _BRIGHTEST * 0.999) / _BRIGHTEST)
    encoded = _curve()[(part * (_FINEST - 1) + 0.5).astype(np.int32)]
    random = np.random.default_rng(seed)
    rough = random.standard_normal((height, width), np.float32)
    rough = cv2.GaussianBlur(rough, (3, 3), 0.7)
    encoded = encoded + grain * rough[..., None]
    return (encoded.clip(0, 1) * 255 + 0.5).astype(np.uint8)
