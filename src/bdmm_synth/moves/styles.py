"""Ways of moving: what legs and arms may do in poses, dances, exercises, and how fast."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bdmm_synth.moves.rig import BONE, Rig
from bdmm_synth.moves.stances import (
    Legs,
    Limb,
    Stance,
    contrapposto,
    crossed,
    crouch,
    flipped,
    kick,
    lunge,
    squat,
    stand,
    tiptoe,
    wide,
)  # fmt: skip


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


def random_stance(
    rig: Rig, random: np.random.Generator, style: Style, legs: Legs | None = None
) -> Stance:
    """Draw a stance.

    Args:
        rig: the body.
        random: decides.
        style: what is possible.
        legs: what the lower body does; drawn too by default.
    """
    if legs is None:
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
