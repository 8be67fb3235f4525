"""Solid noise: smooth random values for any point in space, the same in every run."""

from typing import Any

import numpy as np
import warp as wp

from bdmm.body import rasterize_warp  # noqa: F401  starts warp-lang quietly
from bdmm_synth import noise_kernels as kernels

Number = float | int | np.number | np.ndarray


def solid(points: np.ndarray) -> np.ndarray:
    """Return gradient noise in about [-1, 1], ``n``, with a grain of 1, at ``n 3`` points."""
    count = len(points)
    if not count:
        return np.zeros(0, np.float32)
    given = wp.array(np.ascontiguousarray(points, np.float32), dtype=wp.vec3, device="cpu")
    values = wp.zeros(count, dtype=wp.float32, device="cpu")
    wp.launch(kernels.noise, count, inputs=[given, values], device="cpu")
    return values.numpy()


def layered(points: np.ndarray, octaves: int = 4, gain: float = 0.5) -> np.ndarray:
    """Return noise summed over octaves, each twice as fine and ``gain`` times as strong."""
    total = np.zeros(len(points), np.float32)
    strength = 1.0
    for octave in range(octaves):
        total += strength * solid(points * 2.0**octave + 17.3 * octave)
        strength *= gain
    return total


def ridged(points: np.ndarray, octaves: int = 3) -> np.ndarray:
    """Return sharp-crested noise in about [0, 1]: creases."""
    total, strength, norm = np.zeros(len(points), np.float32), 1.0, 0.0
    for octave in range(octaves):
        total += strength * (1 - np.abs(solid(points * 2.0**octave + 9.1 * octave)))
        norm += strength
        strength *= 0.5
    return total / norm


def step(low: Number, high: Number, value: Number) -> Any:
    """Go smoothly from 0 at ``low`` to 1 at ``high`` (which may be the smaller one)."""
    part = np.clip((value - low) / (high - low), 0, 1)
    return part * part * (3 - 2 * part)
