"""Random motions: turns, walks, poses, dances, crouches and blends of them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bdmm_synth.motion.dance import dance
from bdmm_synth.motion.gait import pace, random_manner, stroll
from bdmm_synth.motion.improvise import improvise
from bdmm_synth.motion.rig import BONE, Rate, Rig, perform, resampled
from bdmm_synth.motion.routines import greet, squat, star_jump, turn
from bdmm_synth.motion.score import Arm, Score, headed, mirrored, shifted, window, with_arms
from bdmm_synth.motion.stances import STYLES

_TICKS = 30
"""Frames a second of the choreography."""
_ROOM = np.array([0.8, 0.0, 1.5])
"""Metres that a walk may go across and along the floor."""


def random_motion(
    rig: Rig, random: np.random.Generator, frames: int, fps: Rate = 30, kind: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Make up a motion.

    Args:
        rig: the body that moves.
        random: decides everything.
        frames: length.
        fps: frames per second of the result.
        kind: one of `KINDS`; drawn by default.

    Returns:
        ``t 24 3 3`` local rotations in camera axes, and ``t 3`` pelvis positions in person axes
        (x left of a person that faces the camera, y up from the floor, z towards the camera), as
        `rig.perform` gives them. The person stays around the origin.
    """
    names = list(KINDS)
    chances = np.array([KINDS[name][0] for name in names])
    name = names[random.choice(len(names), p=chances / chances.sum())]
    tempo = random.uniform(0.85, 1.25)
    step = tempo * _TICKS / float(fps)
    count = int(np.ceil((frames - 1) * step)) + 2
    score = KINDS[kind or name][1](rig, random, count)
    score = mirrored(score) if random.random() < 0.5 else score
    rotations, pelvis = perform(rig, _clear_of_hips(rig, score))
    return resampled(rotations, pelvis, np.arange(frames) * step)


def _clear_of_hips(rig: Rig, score: Score) -> Score:
    """Keep hanging hands out of broad hips."""
    shoulder = rig.joints[BONE["left_shoulder"], 0]
    least = (rig.girth + 0.035 - shoulder) / rig.arm
    arms = {}
    for side, arm in score.arms.items():
        hand = arm.hand.copy()
        low = np.clip((-0.70 - hand[:, 1]) / 0.1, 0, 1)
        low *= np.clip(1 - np.abs(hand[:, 2]) / 0.4, 0, 1)
        hand[:, 0] += low * np.clip(least - hand[:, 0], 0, None)
        arms[side] = Arm(hand, arm.elbow, arm.twist, arm.bend)
    return replace(score, arms=arms)


def _facing(random: np.random.Generator, spread: float = 0.5) -> float:
    """Draw a heading: mostly towards the camera, often anything."""
    if random.random() < 0.6:
        return float(spread * random.normal())
    return float(random.uniform(-np.pi, np.pi))


def _cut(random: np.random.Generator, loop: Score, count: int) -> Score:
    return window(loop, int(random.integers(len(loop.pelvis))), count)


def _turning(rig: Rig, random: np.random.Generator, count: int) -> Score:
    """Turn on the spot, the arms hanging or posing."""
    loop = turn(rig, int(random.integers(8, 13)), int(random.integers(8, 13)))
    score = headed(_cut(random, loop, count), random.uniform(-np.pi, np.pi))
    score = replace(score, pelvis=score.pelvis + np.array([0, random.uniform(0.01, 0.045), 0]))
    if random.random() < 0.5:
        return score
    posing = improvise(rig, random, STYLES["pose"], count)
    return with_arms(score, window(posing, 0, count), 0.5)


def _walking(rig: Rig, random: np.random.Generator, count: int) -> Score:
    """Walk towards, away, across or on the spot."""
    manner = random_manner(rig, random)
    facing = _facing(random, 0.4)
    strides = int(np.ceil(count / manner.period)) + 1
    score = _cut(random, stroll(rig, manner, strides, facing), count)
    if random.random() < 0.3:
        posing = improvise(rig, random, STYLES["pose"], count)
        score = with_arms(score, window(posing, 0, count), 0.3)
    if random.random() < 0.2:
        return score
    way = np.array([np.sin(facing), 0.0, np.cos(facing)]) * pace(manner) * (count - 1)
    part = min(1.0, *(_ROOM[[0, 2]] / np.abs(way[[0, 2]]).clip(1e-6)))
    return shifted(score, (np.linspace(-0.5, 0.5, count) * part)[:, None] * way)


def _in_style(*names: str) -> Callable[[Rig, np.random.Generator, int], Score]:
    def make(rig: Rig, random: np.random.Generator, count: int) -> Score:
        style = STYLES[names[random.integers(len(names))]]
        return headed(_cut(random, improvise(rig, random, style, count), count), _facing(random))

    return make


def _side_on(rig: Rig, random: np.random.Generator, count: int) -> Score:
    """Crouch or squat, mostly seen from the side."""
    style = STYLES["crouch" if random.random() < 0.6 else "exercise"]
    yaw = random.choice([-1, 1]) * random.normal(np.pi / 2, 0.35)
    return headed(_cut(random, improvise(rig, random, style, count), count), float(yaw))


def _classic(rig: Rig, random: np.random.Generator, count: int) -> Score:
    """One of the shipped moves."""
    loop = (greet, squat, star_jump, dance, dance)[random.integers(5)](rig)
    return headed(_cut(random, loop, count), _facing(random))


def _blend(rig: Rig, random: np.random.Generator, count: int) -> Score:
    """The legs of one motion, the arms of another."""
    lower = (_walking, _turning, _classic, _in_style("dance", "kick", "reach"))
    legs = lower[random.integers(len(lower))](rig, random, count)
    styles = ("dance", "greet", "reach", "pose", "exercise")
    style = STYLES[styles[random.integers(len(styles))]]
    upper = _cut(random, improvise(rig, random, style, count), count)
    return with_arms(legs, upper, random.uniform(0.2, 0.8))


KINDS: dict[str, tuple[float, Callable[[Rig, np.random.Generator, int], Score]]] = {
    "turn": (0.18, _turning),
    "walk": (0.18, _walking),
    "pose": (0.22, _in_style("pose", "pose", "greet")),
    "dance": (0.12, _in_style("dance")),
    "reach": (0.07, _in_style("reach", "kick")),
    "exercise": (0.04, _in_style("exercise", "crouch")),
    "crouch": (0.07, _side_on),
    "classic": (0.04, _classic),
    "blend": (0.08, _blend),
}
"""Kinds of motion with their shares."""
