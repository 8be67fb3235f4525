"""Solid noise: smooth random values for any point in space, the same in every run."""
# warp-lang compiles these functions and gives their annotations its own meaning.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import Any, no_type_check

import numpy as np
import warp as wp

from bdmm_synth.warp_cpu import array, launch, zeros

_MIX_A = wp.constant(wp.uint32(2246822519))
_MIX_B = wp.constant(wp.uint32(3266489917))


@no_type_check
@wp.func
def _corner(cell: wp.vec3i, part: wp.vec3, x: int, y: int, z: int):
    """Return one corner's gradient along the way to the point, by its weight."""
    mixed = wp.uint32(cell[0] + x) * wp.uint32(73856093)
    mixed = mixed ^ (wp.uint32(cell[1] + y) * wp.uint32(19349663))
    mixed = mixed ^ (wp.uint32(cell[2] + z) * wp.uint32(83492791))
    mixed = (mixed ^ (mixed >> wp.uint32(15))) * _MIX_A
    mixed = (mixed ^ (mixed >> wp.uint32(13))) * _MIX_B
    mixed = mixed ^ (mixed >> wp.uint32(16))
    height = float(mixed & wp.uint32(1023)) / 511.5 - 1.0
    turn = float((mixed >> wp.uint32(10)) & wp.uint32(4095)) * 0.00153398
    ring = wp.sqrt(wp.max(1.0 - height * height, 0.0))
    away = wp.vec3(part[0] - float(x), part[1] - float(y), part[2] - float(z))
    slope = ring * wp.cos(turn) * away[0] + ring * wp.sin(turn) * away[1] + height * away[2]
    weight = float(1)
    for axis in range(3):
        p = 1.0 - wp.abs(away[axis])
        weight *= p * p * p * (10.0 - 15.0 * p + 6.0 * p * p)
    return slope * weight


@no_type_check
@wp.func
def noise_at(point: wp.vec3):
    """Return gradient noise with a grain of 1: a random slope in each corner of unit cells."""
    low = wp.vec3(wp.floor(point[0]), wp.floor(point[1]), wp.floor(point[2]))
    cell = wp.vec3i(int(low[0]), int(low[1]), int(low[2]))
    total = float(0)
    for x in range(2):
        for y in range(2):
            for z in range(2):
                total += _corner(cell, point - low, x, y, z)
    return 1.5 * total


@no_type_check
@wp.kernel(enable_backward=False)
def noise(points: wp.array(dtype=wp.vec3), values: wp.array(dtype=wp.float32)):
    """Find the noise at many points."""
    i = wp.tid()
    values[i] = noise_at(points[i])


Number = float | int | np.number | np.ndarray


def solid(points: np.ndarray) -> np.ndarray:
    """Return gradient noise in about [-1, 1], ``n``, with a grain of 1, at ``n 3`` points."""
    count = len(points)
    if not count:
        return np.zeros(0, np.float32)
    given = array(np.ascontiguousarray(points, np.float32), wp.vec3)
    values = zeros(count, wp.float32)
    launch(noise, count, [given, values])
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
