"""A score: targets of feet, hands, trunk and head over the frames of a loop, and its edits.

Person axes: x to the person's left, y up, z forward; the ground is y = 0. Angles in radians:
yaw turns to the left, pitch bows forward, roll leans to the person's left.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

DEGREE = np.pi / 180


@dataclass(frozen=True)
class Foot:
    """One foot over time: where its ball is, and how it is turned."""

    ball: np.ndarray
    """``t 3`` metres; y is the height of the flat sole above the ground."""
    yaw: np.ndarray
    pitch: np.ndarray
    """Positive: the heel is up and the toes stay flat; negative: stands on the heel."""


@dataclass(frozen=True)
class Arm:
    """One arm over time, seen from the chest: x outward, y up, z forward, in arm lengths."""

    hand: np.ndarray
    """``t 3`` wrist from the shoulder joint."""
    elbow: np.ndarray
    """``t 3`` the direction in which the elbow points."""
    twist: np.ndarray
    """``t`` pronation of the forearm: positive turns the thumb inward."""
    bend: np.ndarray
    """``t`` palm-ward bend of the wrist."""


@dataclass(frozen=True)
class Score:
    """Targets of the whole body over one loop; `rig.perform` reaches them."""

    pelvis: np.ndarray
    """``t 3`` position above the ground."""
    hips: np.ndarray
    """``t 3`` yaw, pitch, roll of the pelvis."""
    spine: np.ndarray
    """``t 3`` yaw, pitch, roll of the chest against the pelvis."""
    head: np.ndarray
    """``t 3`` yaw, pitch, roll of the head against the world."""
    feet: dict[str, Foot]
    arms: dict[str, Arm]


def euler(angles: np.ndarray) -> np.ndarray:
    """Turn ``t 3`` (yaw, pitch, roll) into ``t 3 3`` rotations in person axes."""
    return Rotation.from_euler("YXZ", angles * [1, 1, -1]).as_matrix()


_FLIP = np.array([-1.0, 1.0, 1.0])
_FLIP_ANGLES = np.array([-1.0, 1.0, -1.0])


def window(score: Score, start: int, count: int) -> Score:
    """Play ``count`` frames of a loop from frame ``start`` on, around as often as needed."""
    at = (start + np.arange(count)) % len(score.pelvis)
    return Score(
        score.pelvis[at],
        score.hips[at],
        score.spine[at],
        score.head[at],
        {side: Foot(foot.ball[at], foot.yaw[at], foot.pitch[at])
         for side, foot in score.feet.items()},
        {side: Arm(arm.hand[at], arm.elbow[at], arm.twist[at], arm.bend[at])
         for side, arm in score.arms.items()},
    )  # fmt: skip


def mirrored(score: Score) -> Score:
    """Swap left and right."""
    feet = {
        other: Foot(score.feet[side].ball * _FLIP, -score.feet[side].yaw, score.feet[side].pitch)
        for side, other in (("left", "right"), ("right", "left"))
    }
    return Score(
        score.pelvis * _FLIP,
        score.hips * _FLIP_ANGLES,
        score.spine * _FLIP_ANGLES,
        score.head * _FLIP_ANGLES,
        feet,
        {"left": score.arms["right"], "right": score.arms["left"]},
    )


def headed(score: Score, yaw: float) -> Score:
    """Turn everything to the left by ``yaw`` radians about the middle of the floor."""
    turn = euler(np.array([[yaw, 0.0, 0.0]]))[0].T
    feet = {
        side: Foot(foot.ball @ turn, foot.yaw + yaw, foot.pitch)
        for side, foot in score.feet.items()
    }
    added = np.array([yaw, 0.0, 0.0])
    return replace(
        score,
        pelvis=score.pelvis @ turn,
        hips=score.hips + added,
        head=score.head + added,
        feet=feet,
    )


def shifted(score: Score, way: np.ndarray) -> Score:
    """Move pelvis and feet by ``t 3`` metres."""
    feet = {side: Foot(foot.ball + way, foot.yaw, foot.pitch) for side, foot in score.feet.items()}
    return replace(score, pelvis=score.pelvis + way, feet=feet)


def with_arms(legs: Score, upper: Score, trunk: float = 1.0) -> Score:
    """Take legs and pelvis of one score, and arms, spine and head of another of equal length.

    Args:
        legs: gives the pelvis and the feet.
        upper: gives the rest; its head keeps its angle to its own hips.
        trunk: part of the upper score's bending of the spine that is taken.
    """
    return replace(
        legs,
        spine=legs.spine * (1 - trunk) + upper.spine * trunk,
        head=upper.head + (legs.hips - upper.hips) * [1, 0, 0],
        arms=upper.arms,
    )
