"""Periodic curves over the frames of a loop: frame `frames` is frame 0 again."""

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import gaussian_filter1d

Number = int | float
Keys = Mapping[Number, Number] | Mapping[Number, tuple[Number, ...]]
"""Frame -> value or tuple of values."""


def ease(x: np.ndarray) -> np.ndarray:
    """Go from 0 to 1 with zero speed and acceleration at both ends; constant outside."""
    x = np.clip(x, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x * x)


def soften(curve: np.ndarray, sigma: Number) -> np.ndarray:
    """Smooth a loop over time by a Gaussian of ``sigma`` frames."""
    return gaussian_filter1d(curve, sigma, axis=0, mode="wrap") if sigma else curve


def late(curve: np.ndarray, frames: Number) -> np.ndarray:
    """Delay a loop by a fraction of frames: follow-through of what hangs on the body."""
    count = len(curve)
    at = (np.arange(count) - frames) % count
    low = np.floor(at).astype(int)
    part = (at - low).reshape(-1, *[1] * (curve.ndim - 1))
    return curve[low % count] * (1 - part) + curve[(low + 1) % count] * part


def through(frames: int, keys: Keys, sigma: Number = 2.0) -> np.ndarray:
    """Ease from key to key around the loop.

    Args:
        frames: length of the loop.
        keys: frame -> value or tuple of values; two keys of one value hold it.
        sigma: final smoothing in frames.

    Returns:
        ``t`` or ``t n``.
    """
    times = np.array(sorted(keys), float)
    values = np.array([keys[time] for time in sorted(keys)], float)
    times = np.append(times, times[0] + frames)
    values = np.concatenate([values, values[:1]])
    at = (np.arange(frames) - times[0]) % frames + times[0]
    index = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    part = ease((at - times[index]) / (times[index + 1] - times[index]))
    part = part.reshape(-1, *[1] * (values.ndim - 1))
    return soften(values[index] * (1 - part) + values[index + 1] * part, sigma)


def wave(frames: int, cycles: int, phase: Number = 0.0) -> np.ndarray:
    """Return the sine that fits ``cycles`` times into the loop; ``phase`` in cycles, later."""
    return np.sin(2 * np.pi * (np.arange(frames) / frames * cycles - phase))
