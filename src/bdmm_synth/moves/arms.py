"""What arms do when they do nothing much: hang, swing, go up at the sides."""

import numpy as np

from bdmm_synth.moves.rig import Arm

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


def sideways(angle: np.ndarray, reach: float = 0.96, forward: float = 0.10) -> Arm:
    """Raise an arm in the body's plane; ``angle`` from hanging (0) to straight up (pi)."""
    hand = columns(np.sin(angle), -np.cos(angle), forward) * reach
    up = np.clip(angle / np.pi, 0, 1)
    elbow = columns(0.55 + 0.3 * up, -0.1 - 0.5 * np.sin(angle), -1.0 + 0.4 * up)
    return Arm(hand, elbow, np.zeros_like(angle), 0.1 + 0 * angle)
