"""Walking as on a treadmill: one foot's cycle, and walks of any manner."""

from dataclasses import dataclass

import numpy as np

from bdmm_synth.motion.curves import late, through
from bdmm_synth.motion.limbs import PALM_IN, columns, hanging
from bdmm_synth.motion.rig import Rig
from bdmm_synth.motion.score import DEGREE, Arm, Foot, Score


@dataclass(frozen=True)
class Manner:
    """How someone walks.

    Attributes:
        period: frames (30 a second) of a stride, two steps.
        step: length of a step, metres.
        width: x of each foot; under 0.03 a catwalk, negative crosses over.
        out: yaw of the feet, radians.
        low: metres that the pelvis stays under its highest place.
        bounce: of the pelvis, metres.
        sway: of the pelvis to each side, metres.
        twist, roll: of the hips, radians.
        lean: forward lean of the trunk.
        swing: of the arms, radians.
    """

    period: int = 33
    step: float = 0.62
    width: float = 0.075
    out: float = 4 * DEGREE
    low: float = 0.035
    bounce: float = 0.018
    sway: float = 0.022
    twist: float = 7 * DEGREE
    roll: float = 4 * DEGREE
    lean: float = 3 * DEGREE
    swing: float = 0.44


def stroll(rig: Rig, manner: Manner, strides: int, facing: float) -> Score:
    """Walk on the spot.

    Args:
        rig: the body.
        manner: how.
        strides: of the loop, ``manner.period`` frames each.
        facing: yaw of the way, radians.
    """
    phase = np.arange(strides * manner.period) / manner.period
    feet = {
        "left": treadmill(phase, manner.step, facing, manner.width, manner.out),
        "right": treadmill(phase + 0.5, manner.step, facing, -manner.width, -manner.out),
    }
    cycle = 2 * np.pi * phase
    # The left heel strikes at phase 0 and carries until 0.6: the body is over it at 0.3.
    sway = manner.sway * np.cos(cycle - 2 * np.pi * 0.3)
    bounce = -manner.bounce * np.cos(2 * (cycle - 2 * np.pi * 0.05))
    forward = np.cos(cycle - 2 * np.pi * 0.02)
    x, z = sway * np.cos(facing), -sway * np.sin(facing)
    arms = late(forward, 1.5)
    tilt = manner.roll * np.sin(cycle)
    return Score(
        pelvis=columns(x, rig.standing - manner.low + bounce, z),
        hips=columns(facing - manner.twist * forward, manner.lean, tilt),
        spine=columns(2 * manner.twist * late(forward, 1), manner.lean - 2 * DEGREE, -1.25 * tilt),
        head=columns(
            facing + 1.5 * DEGREE * forward,
            2 * DEGREE + 1.2 * DEGREE * np.cos(2 * cycle),
            1.5 * DEGREE * np.cos(cycle - 1.9),
        ),
        feet=feet,
        arms={
            "left": _swinging(-arms, manner.swing),
            "right": _swinging(arms, manner.swing),
        },
    )


def pace(manner: Manner) -> float:
    """Return the ground covered by a walk, metres per frame."""
    return manner.step / 0.5 / manner.period


def random_manner(rig: Rig, random: np.random.Generator) -> Manner:
    """Draw a manner of walking: from a stroll to a catwalk."""
    size = rig.leg / 0.8
    catwalk = random.random() < 0.35
    period = int(random.integers(28, 40))
    return Manner(
        period=period,
        step=size * (random.uniform(0.60, 0.72) if catwalk else random.uniform(0.38, 0.68)),
        width=random.uniform(-0.01, 0.03) if catwalk else random.uniform(0.05, 0.10),
        out=random.uniform(0, 12) * DEGREE,
        low=random.uniform(0.018, 0.045),
        bounce=random.uniform(0.010, 0.024),
        sway=random.uniform(0.015, 0.04),
        twist=random.uniform(4, 11) * DEGREE,
        roll=(random.uniform(5, 8) if catwalk else random.uniform(1, 5)) * DEGREE,
        lean=random.uniform(0, 6) * DEGREE,
        swing=random.uniform(0.12, 0.65),
    )


def _swinging(forward: np.ndarray, much: float) -> Arm:
    swing = 0.10 + much * forward
    base = hanging(len(forward), swing, -0.05 - 0.06 * np.clip(forward, 0, 1))
    bent = 1 - 0.05 - 0.07 * np.clip(late(forward, 2), -0.4, 1)
    return Arm(base.hand * bent[:, None], base.elbow, PALM_IN + 0.15 * forward, base.bend)


def treadmill(phase: np.ndarray, step: float, facing: float, x: float, yaw: float) -> Foot:
    """One foot of a walk: phase 0 heel strike, 0.6 toe-off, 1 the next strike."""
    fine = 400
    at = np.arange(fine) / fine
    stance = 0.6
    swing = (at - stance) / (1 - stance)
    speed = step / 0.5
    start, end = 0.5 * speed * stance, -0.5 * speed * stance
    # A cubic that leaves and lands at the ground's own speed, so that nothing skates.
    slope = -speed * (1 - stance)
    s = np.clip(swing, 0, 1)
    cubic = (
        (2 * s**3 - 3 * s**2 + 1) * end
        + (s**3 - 2 * s**2 + s) * slope
        + (3 * s**2 - 2 * s**3) * start
        + (s**3 - s**2) * slope
    )
    z = np.where(swing < 0, start - speed * at, cubic)
    lift = np.where(swing > 0, 0.045 * np.sin(np.pi * np.clip(swing, 0, 1)) ** 2, 0.0)
    pitch = through(
        fine,
        {
            0: -0.30,
            0.10 * fine: 0,
            0.30 * fine: 0,
            0.60 * fine: 0.80,
            0.68 * fine: 0.85,
            0.86 * fine: -0.05,
            0.95 * fine: -0.30,
        },
        0.012 * fine,
    )
    sample = phase % 1 * fine
    z, lift, pitch = (
        np.interp(sample, np.arange(fine + 1), np.append(curve, curve[0]))
        for curve in (z, lift, pitch)
    )
    forward = z + 0.10
    ball = columns(
        x * np.cos(facing) + forward * np.sin(facing),
        lift,
        -x * np.sin(facing) + forward * np.cos(facing),
    )
    return Foot(ball, np.full(len(phase), facing + yaw), pitch)
