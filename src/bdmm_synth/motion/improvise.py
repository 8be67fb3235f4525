"""Random stances eased into one score; the feet step in between."""

from collections.abc import Callable

import numpy as np

from bdmm_synth.motion.curves import late, through, wave
from bdmm_synth.motion.limbs import balance, columns, stepping
from bdmm_synth.motion.rig import BONE, SIDES, Rig
from bdmm_synth.motion.score import Arm, Foot, Score
from bdmm_synth.motion.stances import Stance, Step, Style, random_stance

_REACH_SPEED = 0.075
"""Arm lengths per frame that a hand goes at most, on average over a change."""
_TURN_SPEED = 0.075
"""Radians per frame that the body turns at most, likewise."""
_STEP_SPEED = 0.025
"""Metres that a foot goes at most per frame of a change, of which it is a third on its way."""


def improvise(rig: Rig, random: np.random.Generator, style: Style, frames: int) -> Score:
    """Make up a loop of at least ``frames`` frames (30 a second) in a style."""
    stances, at, clock = [], [], 0.0
    while clock < frames or len(stances) < 3:
        stances.append(random_stance(rig, random, style))
        at.append(clock)
        clock += random.uniform(*style.ticks)
        if len(stances) > 1:
            extra = _needed(stances[-2], stances[-1]) - (at[-1] - at[-2])
            at[-1] += max(0.0, extra)
            clock += max(0.0, extra)
    clock = max(clock, at[-1] + _needed(stances[-1], stances[0]))
    return play(rig, stances, np.array(at), int(np.ceil(clock)), style)


def _needed(first: Stance, second: Stance) -> float:
    """Return the frames that a change takes a person at least."""
    arms = max(
        float(np.linalg.norm(np.subtract(getattr(first, side).hand, getattr(second, side).hand)))
        for side in SIDES
    )
    down = abs(first.legs.shift[1] - second.legs.shift[1])
    turned = abs(first.facing - second.facing)
    step = max(np.hypot(*np.subtract(_place(first, side), _place(second, side))[:2])
               for side in SIDES)  # fmt: skip
    return max(8.0, arms / _REACH_SPEED, turned / _TURN_SPEED, down / 0.02, step / _STEP_SPEED)


def _place(stance: Stance, side: str) -> tuple[float, float, float]:
    """Return x, z and yaw of a foot on the floor, for a leg of 0.8 m."""
    step: Step = getattr(stance.legs, side)
    c, s = np.cos(stance.facing), np.sin(stance.facing)
    return c * step.x + s * step.z, -s * step.x + c * step.z, step.yaw + stance.facing


def play(rig: Rig, stances: list[Stance], at: np.ndarray, frames: int, style: Style) -> Score:
    """Go from stance to stance around a loop.

    Args:
        rig: the body.
        stances: what to do.
        at: frame at which each is reached, rising from 0.
        frames: length of the loop.
        style: how long each is held, and the bounce.
    """
    after = np.append(at[1:], frames) - at
    keys = [(time, time + style.hold * gap) for time, gap in zip(at, after, strict=True)]

    def eased(values: list, sigma: float = 2.0) -> np.ndarray:
        held = {}
        for (start, end), value in zip(keys, values, strict=True):
            held[start] = value
            if end - start > 2:
                held[end] = value
        return through(frames, held, sigma)

    size = rig.leg / 0.8
    facing = eased([stance.facing for stance in stances], 3.0)
    feet = {side: _foot(stances, at, frames, side, size) for side in SIDES}
    ground = balance(rig, feet, 0.5, 4)
    shift = eased([stance.legs.shift for stance in stances]) * size
    turn_x = shift[:, 0] * np.cos(facing) + shift[:, 2] * np.sin(facing)
    turn_z = -shift[:, 0] * np.sin(facing) + shift[:, 2] * np.cos(facing)
    bounce = style.bounce * (0.5 - 0.5 * wave(frames, max(1, round(frames / 15)), 0.2))
    breath = 0.008 * wave(frames, max(1, round(frames / 70)))
    hips = eased([stance.legs.hips for stance in stances])
    head = eased([stance.head for stance in stances])
    spine = eased([stance.spine for stance in stances])
    chest = spine[:, 0] + hips[:, 0]
    head[:, 0] = np.clip(head[:, 0], chest - 1.15, chest + 1.15)
    return Score(
        pelvis=columns(
            ground[:, 0] + turn_x,
            rig.standing - shift[:, 1] - bounce - 0.003 + 0.3 * breath,
            ground[:, 1] + turn_z,
        ),
        hips=hips + columns(facing, 0.4 * bounce, 0.0),
        spine=late(spine, 1.5) + columns(0.0, breath - bounce, 0.0),
        head=late(head, 2.5) + columns(late(facing, -3), bounce, 0.0),
        feet=feet,
        arms={side: _arm(rig, stances, eased, frames, side) for side in SIDES},
    )


def _foot(stances: list[Stance], at: np.ndarray, frames: int, side: str, size: float) -> Foot:
    """Step from place to place, each foot in its own half of the change, and kick."""
    places = [
        (size * x, size * z, yaw) for x, z, yaw in (_place(stance, side) for stance in stances)
    ]
    steps = []
    times = np.append(at, frames)
    for index in range(len(stances)):
        new = places[(index + 1) % len(stances)]
        if np.abs(np.subtract(new, places[index])).max() < 0.03:
            continue
        gap = times[index + 1] - times[index]
        begin = times[index + 1] - (0.72 if side == "left" else 0.42) * min(gap, 40)
        steps.append((begin, begin + 0.32 * min(gap, 40), *new))
    foot = stepping(frames, places[0], steps, 0.05)
    own = [getattr(stance.legs, side) for stance in stances]
    lift = through(frames, {float(t): step.lift for t, step in zip(at, own, strict=True)}, 2.0)
    heel = through(frames, {float(t): step.heel for t, step in zip(at, own, strict=True)}, 2.0)
    toes = 0.09 * heel * np.clip(lift / 0.03, 0, 1)
    ball = foot.ball + columns(0.0, size * lift + toes, 0.0)
    return Foot(ball, foot.yaw, np.maximum(foot.pitch, heel))


def _arm(
    rig: Rig, stances: list[Stance], eased: Callable[[list], np.ndarray], frames: int, side: str
) -> Arm:
    limbs = [getattr(stance, side) for stance in stances]
    hand = eased([limb.hand for limb in limbs])
    wag = eased([limb.wag for limb in limbs]) * wave(frames, max(1, round(frames / 15)))
    hand = hand + columns(wag, -0.3 * np.abs(wag), 0.0)
    return Arm(
        late(_off_the_body(hand, rig), 0.8),
        eased([limb.elbow for limb in limbs]),
        eased([limb.twist for limb in limbs]),
        eased([limb.bend for limb in limbs]),
    )


def _off_the_body(hand: np.ndarray, rig: Rig) -> np.ndarray:
    """Lead hands (``t 3`` arm lengths) around the trunk where their way would cut through it."""
    shoulder = rig.joints[BONE["left_shoulder"], 0] / rig.arm
    half = np.array([rig.girth / rig.arm, 0.17 / rig.arm])
    flat = (hand[:, [0, 2]] + [shoulder, 0.0]) / half
    flat[:, 1] += 0.05
    away = np.linalg.norm(flat, axis=-1, keepdims=True).clip(1e-3)
    pushed = flat / away * np.sqrt(away**2 + np.clip(1 - away**2, 0, None) ** 1.5)
    low = np.clip((0.15 - hand[:, 1:2]) / 0.3, 0, 1)
    flat = (flat + (pushed - flat) * low) * half - [shoulder, 0.05 * half[1]]
    hand = np.stack([flat[:, 0], hand[:, 1], flat[:, 1]], axis=-1)
    # Nor through the shoulder, where the elbow would flip.
    tight = np.clip(1 - np.linalg.norm(hand, axis=-1) / 0.5, 0, 1)
    return hand + tight[:, None] * np.array([0.3, 0.0, 0.5])
