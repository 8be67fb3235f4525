"""Stances of a whole body, and the styles that they are drawn from: pose, dance, exercise, ...

Lengths of legs and feet are for a leg of 0.8 m; hands are in arm lengths as in `rig.Arm`.

Ways of moving: what legs and arms may do in poses, dances, exercises, and how fast.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bdmm_synth.motion.rig import BONE, Rig
from bdmm_synth.motion.score import DEGREE

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
    """The lower body: both feet, and the pelvis against its usual place.

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


def near(random: np.random.Generator, value: tuple, spread: float) -> tuple:
    """Return a tuple of numbers with normal noise."""
    return tuple(np.array(value) + spread * random.normal(size=len(value)).clip(-2, 2))


_ARMS: dict[str, Limb] = {
    "hanging": Limb((0.24, -0.93, 0.08), (0.3, -0.1, -1.0), -0.35),
    "away": Limb((0.50, -0.80, 0.10), (0.5, -0.1, -1.0), -0.3),
    "wide": Limb((0.93, -0.05, 0.12), (0.5, -0.5, -0.6)),
    "high": Limb((0.36, 0.84, 0.12), (0.9, -0.3, -0.3)),
    "diagonal": Limb((0.66, 0.62, 0.22), (0.8, -0.4, -0.4)),
    "ahead": Limb((0.05, 0.02, 0.92), (0.5, -0.7, -0.2)),
    "point": Limb((0.55, 0.10, 0.72), (0.5, -0.7, -0.3)),
    "head": Limb((0.02, 0.50, 0.16), (1.0, 0.35, 0.1), 0.3),
    "nape": Limb((0.0, 0.42, -0.14), (1.0, 0.4, 0.2), 0.3),
    "chin": Limb((-0.22, 0.06, 0.44), (0.45, -0.9, 0.2), 0.3, 0.3),
    "ear": Limb((0.02, 0.36, 0.24), (0.8, -0.6, 0.1), 0.4),
    "chest": Limb((-0.28, -0.36, 0.46), (0.8, -0.6, 0.0), 0.3),
    "folded": Limb((-0.36, -0.52, 0.44), (0.8, -0.6, 0.1), 0.4),
    "carry": Limb((0.12, -0.52, 0.58), (0.3, -0.4, -1.0), -0.2),
    "fists": Limb((0.10, -0.18, 0.42), (0.4, -0.9, -0.4), 0.2),
    "flex": Limb((0.55, 0.22, 0.08), (0.7, -0.4, -0.4), 0.4),
    "across": Limb((-0.42, 0.05, 0.62), (0.9, -0.4, 0.1)),
    "prayer": Limb((-0.33, -0.22, 0.52), (0.8, -0.6, -0.1), 0.4),
    "wave": Limb((0.52, 0.34, 0.24), (0.4, -1.0, -0.3), 0.0, 0.0, 0.18),
    "behind": Limb((0.02, -0.82, -0.24), (0.7, 0.0, -0.8), 0.2),
}


def hand_on_hip(rig: Rig) -> Limb:
    """Put the wrist on the side of the waist."""
    shoulder = rig.joints[BONE["left_shoulder"]]
    pelvis = rig.joints[0]
    arm = rig.arm
    aside = (rig.girth + 0.015 - shoulder[0]) / arm
    down = (pelvis[1] + 0.07 * rig.leg / 0.8 - shoulder[1]) / arm
    return Limb((aside, max(down, -0.86), 0.10), (1.0, 0.0, -0.55), 0.5, 0.5)


def random_arm(rig: Rig, random: np.random.Generator, kinds: tuple[str, ...], far: float) -> Limb:
    """Draw what an arm does.

    Args:
        rig: the body.
        random: decides.
        kinds: names of `_ARMS`, "hip" too.
        far: spread, in arm lengths.
    """
    kind = kinds[random.integers(len(kinds))]
    limb = hand_on_hip(rig) if kind == "hip" else _ARMS[kind]
    loose = 0.0 if kind == "hip" else far
    return replace(
        limb,
        hand=near(random, limb.hand, loose),
        elbow=near(random, limb.elbow, 0.1),
        twist=limb.twist + 0.2 * random.normal(),
        bend=limb.bend + 0.1 * random.normal(),
        wag=limb.wag * random.uniform(0.5, 1.2),
    )


Draw = Callable[[np.random.Generator], Legs]


@dataclass(frozen=True)
class Style:
    """A way of moving: what legs and arms may do, and how long a stance takes and is held.

    Attributes:
        legs: how to draw the lower body.
        arms: kinds of arms.
        pairs: chance that both arms do the same.
        reach: spread of the hands, arm lengths.
        ticks: least and most frames (at 30 a second) from stance to stance.
        hold: greatest part of them in which the stance is held.
        turns: spread of the facing between stances, radians.
        trunk: spread of the angles of the spine, radians.
        bow: greatest pitch of the spine.
        bounce: metres that the pelvis goes down on each beat.
    """

    legs: tuple[Draw, ...]
    arms: tuple[str, ...]
    pairs: float
    reach: float
    ticks: tuple[int, int]
    hold: float
    turns: float
    trunk: float
    bow: float = 0.1
    bounce: float = 0.0


STYLES = {
    "pose": Style(
        (stand, contrapposto, contrapposto, crossed, wide, tiptoe),
        ("hip", "hip", "hanging", "hanging", "away", "head", "nape", "chin", "folded", "chest",
         "behind", "carry", "high", "ear"),
        0.35, 0.04, (20, 45), 0.5, 0.9, 0.10,
    ),
    "dance": Style(
        (stand, contrapposto, contrapposto, wide, lunge, kick, squat, crossed),
        ("fists", "wide", "high", "diagonal", "hip", "across", "point", "flex", "carry", "away",
         "prayer", "head"),
        0.5, 0.12, (10, 20), 0.2, 0.35, 0.18, 0.25, 0.035,
    ),
    "exercise": Style(
        (squat, squat, stand, lunge, wide, kick, tiptoe),
        ("ahead", "high", "wide", "hip", "folded", "fists", "hanging", "flex", "prayer"),
        0.85, 0.05, (18, 34), 0.3, 0.1, 0.06, 0.5,
    ),
    "crouch": Style(
        (crouch, squat, lunge, crouch, stand),
        ("ahead", "carry", "hanging", "prayer", "fists", "away", "chest", "point"),
        0.6, 0.08, (24, 44), 0.4, 0.2, 0.08, 0.5,
    ),
    "reach": Style(
        (stand, wide, lunge, tiptoe, contrapposto),
        ("ahead", "point", "diagonal", "high", "wide", "across", "hanging", "away"),
        0.3, 0.12, (18, 36), 0.3, 0.4, 0.20, 0.7,
    ),
    "greet": Style(
        (stand, contrapposto, stand),
        ("wave", "wave", "hanging", "hip", "chest", "high", "point"),
        0.15, 0.05, (24, 45), 0.5, 0.3, 0.08,
    ),
    "kick": Style(
        (kick, kick, stand, lunge),
        ("fists", "wide", "away", "hip", "ahead", "chest"),
        0.6, 0.08, (14, 26), 0.2, 0.3, 0.12, 0.3,
    ),
}  # fmt: skip
"""Ways of moving by name."""


def random_stance(rig: Rig, random: np.random.Generator, style: Style) -> Stance:
    """Draw a stance.

    Args:
        rig: the body.
        random: decides.
        style: what is possible.
    """
    legs = style.legs[random.integers(len(style.legs))](random)
    legs = flipped(legs) if random.random() < 0.5 else legs
    left = random_arm(rig, random, style.arms, style.reach)
    alike = random.random() < style.pairs
    right = left if alike else random_arm(rig, random, style.arms, style.reach)
    facing = style.turns * random.normal()
    bow = style.bow * random.random() ** 2
    yaw, roll = style.trunk * random.normal(size=2).clip(-2, 2)
    # The chest stays upright over tilted hips, and the eyes stay nearly level.
    spine = (yaw, bow + 0.3 * style.trunk * random.normal(), roll - 1.2 * legs.hips[2])
    look = float(np.clip(0.45 * random.standard_t(3), -1.0, 1.0))
    head = (look + 0.6 * (yaw + legs.hips[0]), 0.5 * bow + 0.12 * random.normal(), 0.5 * roll)
    return Stance(facing, legs, spine, head, left, right)
