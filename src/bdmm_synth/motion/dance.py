"""A lively dance: twelve beats, 120 a minute, 30 frames per second."""

import numpy as np

from bdmm_synth.motion.curves import Number, late, soften, through
from bdmm_synth.motion.limbs import balance, columns, lean, stepping
from bdmm_synth.motion.rig import Rig
from bdmm_synth.motion.score import DEGREE, Arm, Foot, Score

_BEAT = 15
_FRAMES = 12 * _BEAT
_HANG = (0.30, -0.88, 0.16)
_FIST = (0.26, -0.42, 0.42)
_SIDE = (0.45, -0.12, 0.62)
_POINT = (0.62, 0.66, 0.26)
_CROSS = (-0.36, -0.66, 0.34)
_HIP = (0.26, -0.52, 0.22)
_OUT_POLE = (1.0, -0.35, -0.55)


def dance(rig: Rig) -> Score:
    """Two step-touches, a sway with the arms up, four disco points; loops."""
    feet = _feet()
    ground = balance(rig, feet, 0.75, 4.5)
    beat = 2 * np.pi * np.arange(_FRAMES) / _BEAT
    bounce = -0.026 - 0.026 * np.cos(beat - 0.6)
    sway = _during(4, 8)
    hips_side = 0.085 * sway * np.cos(beat / 2 - 0.5)
    x = ground[:, 0] + hips_side
    roll = lean(x, feet, 8 * DEGREE) * (1 + 0.5 * sway)
    twist = _twist()
    travel = np.gradient(soften(x, 2)) * 30
    chest_yaw = through(
        _FRAMES,
        {
            **_beats({0: -16, 1: -6, 2: 16, 3: 6, 4: 0, 8.4: -22, 8.9: -22, 9.5: 22, 10.4: 22}),
            **_beats({10.9: 22, 11.4: -18, 11.7: 0}),
        },
        2.5,
    )
    nod = 0.05 * np.cos(beat - 1.4)
    return Score(
        pelvis=columns(x, rig.standing - 0.035 + bounce - 0.02 * sway, ground[:, 1]),
        hips=columns(twist * DEGREE + 0.06 * travel, 4 * DEGREE + 0.3 * nod, roll),
        spine=columns(
            (chest_yaw - twist) * DEGREE,
            2 * DEGREE - 0.5 * late(nod, 1),
            -1.35 * late(roll, 1.5) - 0.05 * late(travel, 3),
        ),
        head=columns(
            0.45 * late(chest_yaw, 2) * DEGREE,
            2 * DEGREE + late(nod, 2),
            0.35 * late(roll, 3) - 0.04 * travel,
        ),
        feet=feet,
        arms=_arms(sway, beat),
    )


def _beats(keys: dict) -> dict:
    return {at * _BEAT: value for at, value in keys.items()}


def _during(start: Number, end: Number) -> np.ndarray:
    """Return 1 between two beats and 0 elsewhere, softly."""
    keys = {start - 0.4: 0.0, start + 0.4: 1.0, end - 0.4: 1.0, end + 0.3: 0.0}
    return through(_FRAMES, _beats(keys), 1.0)


def _twist() -> np.ndarray:
    keys = {
        0: 0,
        4: 0,
        8: 0,
        8.5: 14,
        9: 14,
        9.5: -14,
        10: -14,
        10.5: 14,
        11: 14,
        11.5: -12,
        11.9: 0,
    }
    return through(_FRAMES, _beats(keys), 2.0)


def _feet() -> dict[str, Foot]:
    out = 12 * DEGREE
    steps = {
        "right": [
            (0, 10, -0.40, 0.04, -out),
            (45, 55, 0.12, 0.03, -0.5 * out),
            (61, 71, -0.21, 0.0, -out),
            (169, 177, -0.15, 0.0, -out),
        ],
        "left": [
            (15, 25, -0.12, 0.03, 0.5 * out),
            (30, 40, 0.40, 0.04, out),
            (76, 86, 0.21, 0.0, out),
            (160, 168, 0.15, 0.0, out),
        ],
    }
    feet = {
        "left": stepping(_FRAMES, (0.15, 0.0, out), steps["left"], 0.08),
        "right": stepping(_FRAMES, (-0.15, 0.0, -out), steps["right"], 0.08),
    }
    touches = {
        "left": {1.5: 0.0, 1.75: 0.45, 1.95: 0.45, 2.2: 0.0},
        "right": {3.5: 0.0, 3.75: 0.45, 3.95: 0.45, 4.2: 0.0},
    }
    swivel = soften(_twist(), 1) * DEGREE
    for side, foot in feet.items():
        touch = through(_FRAMES, _beats(touches[side]), 1.5)
        up = 0.25 * np.abs(np.sin(swivel / (14 * DEGREE) * np.pi / 2)) * _during(8, 10.9)
        lifted = np.maximum(foot.pitch, soften(touch + up, 1))
        feet[side] = Foot(foot.ball, foot.yaw + 0.9 * swivel, lifted)
    return feet


def _arms(sway: np.ndarray, beat: np.ndarray) -> dict[str, Arm]:
    """Arms swing across the step-touches, go up for the sway, and point for the last beats."""
    side_wave = np.cos(beat / 2 - 0.9)
    arms = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        first, second = (0.55, 2.45) if side == "right" else (2.45, 0.55)
        swing = {
            0.0: _HANG,
            first: (0.86, -0.18, 0.22),
            first + 0.8: _FIST,
            second: (-0.18, -0.36, 0.52),
            second + 0.8: _FIST,
            3.8: (0.62, -0.10, 0.45),
        }
        keys = {**_beats(swing), **_beats({4.6: (0.24, 0.80, 0.12), 7.3: (0.24, 0.80, 0.12)})}
        keys |= _beats(_points(side))
        hand = through(_FRAMES, keys, 2.2)
        hand = hand + sway[:, None] * columns(0.30 * sign * side_wave, -0.06 * side_wave**2, 0.02)
        high = np.clip((hand[:, 1] + 0.1) / 0.8, 0, 1)[:, None]
        across = np.clip((0.2 - hand[:, :1]) / 0.5, 0, 1)
        pole = np.array([0.55, -0.2, -1.0]) * (1 - high) + np.array([1.0, -0.25, -0.35]) * high
        pole = pole * (1 - across) + np.array(_OUT_POLE) * across
        still = np.zeros(_FRAMES)
        arms[side] = Arm(late(hand, 0.8), pole, 0.3 + still, 0.12 + 0.2 * late(high[:, 0], 1))
    return arms


def _points(side: str) -> dict[float, tuple[float, ...]]:
    aside = (0.66, 0.10, 0.42)
    if side == "right":
        first = {7.9: aside, 8.6: _CROSS, 8.75: _CROSS, 9.1: _SIDE, 9.5: _POINT, 9.95: _POINT}
        return {**first, 10.7: _HIP, 11.3: _HIP}
    return {7.9: aside, 8.6: _HIP, 9.7: _HIP, 10.35: _CROSS, 10.5: _CROSS, 10.85: _SIDE,
            11.2: _POINT, 11.45: _POINT}  # fmt: skip
