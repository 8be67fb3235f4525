"""Stances: how one stands at a moment, drawn at random from what people do.

Lengths of legs and feet are for a leg of 0.8 m; hands are in arm lengths as in `rig.Arm`.
"""

from dataclasses import dataclass, replace

import numpy as np

from bdmm_synth.moves.moves import DEGREE

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Limb:
    """One arm at a moment; see `rig.Arm`. ``wag`` waves the hand, in arm lengths."""

    hand: Triple
    elbow: Triple = (0.5, -0.2, -1.0)
    twist: float = 0.0
    bend: float = 0.1
    wag: float = 0.0


@dataclass(frozen=True)
class Step:
    """One foot at a moment: x and z of its ball, yaw, heel lift (radians), height of the sole."""

    x: float
    z: float
    yaw: float
    heel: float = 0.0
    lift: float = 0.0


@dataclass(frozen=True)
class Legs:
    """What the lower body does: both feet, and the pelvis against its usual place.

    Attributes:
        shift: x, down and z of the pelvis in metres.
        hips: yaw, pitch, roll in radians.
    """

    left: Step
    right: Step
    shift: Triple = (0.0, 0.0, 0.0)
    hips: Triple = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Stance:
    """A whole body at a moment; ``facing`` is a yaw, everything else is relative to it."""

    facing: float
    legs: Legs
    spine: Triple
    head: Triple
    left: Limb
    right: Limb


def stand(random: np.random.Generator) -> Legs:
    """Both feet on the floor, side by side."""
    apart, out = random.uniform(0.08, 0.16), random.uniform(4, 20) * DEGREE
    stagger = random.normal() * 0.04
    lean = random.normal() * 0.02
    return Legs(
        Step(apart, 0.10 + stagger, out),
        Step(-apart, 0.10 - stagger, -out),
        (lean, 0.0, 0.0),
        (0.0, random.normal() * 0.02, -lean),
    )


def contrapposto(random: np.random.Generator) -> Legs:
    """The weight on the left leg, the right one set aside."""
    free, heel = random.uniform(0.10, 0.24), max(0.0, random.uniform(-0.3, 0.5))
    push = random.uniform(0.05, 0.10)
    tilt = -random.uniform(3, 9) * DEGREE
    return Legs(
        Step(0.08, 0.08, random.uniform(0, 15) * DEGREE),
        Step(-free, 0.10 + random.uniform(-0.04, 0.20), -random.uniform(5, 35) * DEGREE, heel),
        (push, 0.004, 0.0),
        (random.normal() * 0.1, 0.02, tilt),
    )


def crossed(random: np.random.Generator) -> Legs:
    """The right foot set before the left one, as at the end of a catwalk."""
    front = random.uniform(0.18, 0.30)
    return Legs(
        Step(0.07, 0.06, random.uniform(8, 25) * DEGREE),
        Step(random.uniform(-0.03, 0.04), front, -random.uniform(0, 15) * DEGREE,
             max(0.0, random.uniform(-0.3, 0.35))),
        (0.03, 0.008, 0.02),
        (-random.uniform(0, 0.15), 0.0, -4 * DEGREE),
    )  # fmt: skip


def wide(random: np.random.Generator) -> Legs:
    """Feet wide apart."""
    apart = random.uniform(0.20, 0.34)
    out = random.uniform(10, 28) * DEGREE
    return Legs(
        Step(apart, 0.10, out), Step(-apart, 0.10, -out),
        (random.normal() * 0.06, max(0.0, random.uniform(-0.08, 0.08)), 0.0), (0.0, 0.03, 0.0),
    )  # fmt: skip


def lunge(random: np.random.Generator) -> Legs:
    """A long step forward with the left foot, the right heel up."""
    reach = random.uniform(0.28, 0.42)
    return Legs(
        Step(0.10, 0.10 + reach, 4 * DEGREE),
        Step(-0.11, 0.10 - reach, -10 * DEGREE, random.uniform(0.5, 0.9)),
        (0.0, random.uniform(0.06, 0.30), 0.02),
        (0.0, random.uniform(0, 12) * DEGREE, 0.0),
    )


def squat(random: np.random.Generator) -> Legs:
    """Sit down on nothing, heels on the floor."""
    apart, out = random.uniform(0.15, 0.25), random.uniform(12, 30) * DEGREE
    down = random.uniform(0.18, 0.46)
    return Legs(
        Step(apart, 0.10, out), Step(-apart, 0.10, -out),
        (0.0, down, -0.36 * down), (0.0, 80 * DEGREE * down, 0.0),
    )  # fmt: skip


def crouch(random: np.random.Generator) -> Legs:
    """Cower on the balls of the feet."""
    apart = random.uniform(0.08, 0.16)
    ahead = random.uniform(0, 0.14)
    down = random.uniform(0.38, 0.54)
    return Legs(
        Step(apart, 0.10 + ahead, 12 * DEGREE, 0.25 + 0.4 * random.random()),
        Step(-apart, 0.10 - ahead, -12 * DEGREE, 0.45 + 0.4 * random.random()),
        (0.0, down, -0.02), (0.0, random.uniform(10, 30) * DEGREE, 0.0),
    )  # fmt: skip


def tiptoe(random: np.random.Generator) -> Legs:
    """Stand on the toes."""
    heel = random.uniform(0.3, 0.7)
    return Legs(
        Step(0.09, 0.10, 8 * DEGREE, heel), Step(-0.09, 0.10, -8 * DEGREE, heel),
        (0.0, -0.09 * heel, 0.06),
    )  # fmt: skip


def kick(random: np.random.Generator) -> Legs:
    """The right foot off the floor: a knee, a kick ahead, or a leg aside."""
    aside, ahead, up = (
        (-0.14, 0.22, random.uniform(0.20, 0.42)),
        (-0.12, random.uniform(0.45, 0.68), random.uniform(0.18, 0.55)),
        (-random.uniform(0.35, 0.58), 0.10, random.uniform(0.10, 0.35)),
        (-0.12, -random.uniform(0.15, 0.45), random.uniform(0.10, 0.30)),
    )[random.integers(4)]
    lean = -10 * DEGREE * (ahead > 0.4) + 12 * DEGREE * (ahead < 0)
    return Legs(
        Step(0.06, 0.08, 10 * DEGREE),
        Step(aside, ahead, -8 * DEGREE, 0.4, up),
        (0.05, 0.004, 0.0), (0.0, lean, -3 * DEGREE),
    )  # fmt: skip


def flipped(legs: Legs) -> Legs:
    """Swap left and right."""

    def foot(step: Step) -> Step:
        return replace(step, x=-step.x, yaw=-step.yaw)

    (x, down, z), (yaw, pitch, roll) = legs.shift, legs.hips
    return Legs(foot(legs.right), foot(legs.left), (-x, down, z), (-yaw, pitch, -roll))
