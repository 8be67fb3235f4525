"""Arms that hang, swing or go up, feet that stay planted or step, and the pelvis over them."""

from collections.abc import Sequence

import numpy as np

from bdmm_synth.motion.curves import Number, ease, soften
from bdmm_synth.motion.rig import BONE, SIDES, Rig
from bdmm_synth.motion.score import Arm, Foot, euler

PALM_IN = -0.35
"""Twist of a forearm, radians, that turns the palm to the thigh."""


def columns(*parts: np.ndarray | float) -> np.ndarray:
    """Stack curves (or constants) as the columns of one array."""
    return np.stack(np.broadcast_arrays(*parts), axis=-1).astype(float)


def hanging(frames: int, swing: np.ndarray | float = 0.0, out: np.ndarray | float = 0.0) -> Arm:
    """Let an arm hang; ``swing`` brings it forward and ``out`` aside, radians."""
    swing = np.zeros(frames) + swing
    reach = 0.955 - 0.06 * np.clip(swing, 0, 1)
    down = np.cos(swing + 0.09)
    hand = columns(np.sin(0.19 + out), -down * np.cos(0.19 + out), np.sin(swing + 0.09))
    elbow = columns(np.full(frames, 0.28), -0.1, -1.0)
    still = np.zeros(frames)
    return Arm(hand * reach[:, None], elbow, still + PALM_IN, still + 0.12)


def sideways(angle: np.ndarray) -> Arm:
    """Raise an arm in the body's plane; ``angle`` from hanging (0) to straight up (pi)."""
    hand = columns(np.sin(angle), -np.cos(angle), 0.10) * 0.96
    up = np.clip(angle / np.pi, 0, 1)
    elbow = columns(0.55 + 0.3 * up, -0.1 - 0.5 * np.sin(angle), -1.0 + 0.4 * up)
    return Arm(hand, elbow, np.zeros_like(angle), 0.1 + 0 * angle)


Step = tuple[Number, Number, Number, Number, Number]
"""Lift-off frame, landing frame, and the new x, z (metres) and yaw (radians) of the ball."""

_ROLL_OFF = 4.0
_TOUCH_DOWN = 3.0


def planted(frames: int, x: float, z: float, yaw: float) -> Foot:
    """Stand still on one spot."""
    still = np.zeros(frames)
    return Foot(np.tile([x, 0.0, z], (frames, 1)), still + yaw, still)


def stepping(
    frames: int, start: tuple[Number, Number, Number], steps: Sequence[Step], height: Number = 0.07
) -> Foot:
    """Stand, and go to new places in steps.

    Args:
        frames: length of the loop.
        start: x, z, yaw at frame 0.
        steps: in order of time, none across the loop's end; the last one leads back to the
            start (up to whole turns).
        height: how high the ball is lifted, metres.
    """
    at = np.arange(frames, dtype=float)
    place = np.tile(np.array(start, float), (frames, 1))
    lift, pitch = np.zeros(frames), np.zeros(frames)
    now = np.array(start, float)
    for off, land, x, z, yaw in steps:
        new = np.array([x, z, yaw])
        part = ease((at - off) / (land - off))[:, None]
        place = np.where(at[:, None] > off, now + (new - now) * part, place)
        inside = np.clip((at - off) / (land - off), 0, 1)
        lift += height * np.sin(np.pi * inside**0.85) ** 2
        roll = ease((at - off + _ROLL_OFF) / _ROLL_OFF) * (1 - ease((at - off) / (land - off)))
        touch = ease((at - land + _TOUCH_DOWN) / 2) * (1 - ease((at - land) / _TOUCH_DOWN))
        pitch += 0.55 * roll + 0.12 * touch
        now = new
    return Foot(np.stack([place[:, 0], lift, place[:, 1]], -1), place[:, 2], soften(pitch, 0.7))


def balance(rig: Rig, feet: dict[str, Foot], share: Number = 0.6, sigma: Number = 4) -> np.ndarray:
    """Say where the pelvis is over the ground: between the feet, leaning to the one that carries.

    Args:
        rig: the body.
        feet: both feet.
        share: 0 stays midway, 1 goes all the way over the carrying foot.
        sigma: smoothing over frames.

    Returns:
        ``t 2`` x and z in metres.
    """
    spots, carries = [], []
    for side in SIDES:
        foot = feet[side]
        back = rig.joints[0, 2] - rig.joints[BONE[f"{side}_foot"], 2]
        zero = np.zeros_like(foot.yaw)
        turn = euler(np.stack([foot.yaw, zero, zero], -1))
        spots.append((foot.ball + turn @ np.array([0, 0, back]))[:, [0, 2]])
        free = np.clip(foot.ball[:, 1] / 0.02, 0, 1) + 0.8 * np.clip(foot.pitch / 0.5, 0, 1)
        carries.append(np.exp(-2 * free))
    left, right = carries
    weight = (left / (left + right))[:, None]
    weight = 0.5 + share * (weight - 0.5)
    return soften(spots[0] * weight + spots[1] * (1 - weight), sigma)


def lean(pelvis_x: np.ndarray, feet: dict[str, Foot], amount: float) -> np.ndarray:
    """Roll of the hips, radians: they sink on the side that carries nothing."""
    middle = 0.5 * (feet["left"].ball[:, 0] + feet["right"].ball[:, 0])
    return -amount * np.tanh(soften(pelvis_x - middle, 2) / 0.08)
