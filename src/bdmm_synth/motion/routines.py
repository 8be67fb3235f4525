"""The shipped moves but the dance: turn, walk, wave, squat, jump, pause; 30 frames a second."""

import numpy as np

from bdmm_synth.motion.curves import late, soften, through, wave
from bdmm_synth.motion.gait import Manner, stroll
from bdmm_synth.motion.limbs import PALM_IN, balance, columns, hanging, planted, sideways, stepping
from bdmm_synth.motion.rig import Rig
from bdmm_synth.motion.score import DEGREE, Arm, Foot, Score

_STANCE = 0.115
_TOES_OUT = 9 * DEGREE


def turn(rig: Rig, paces: int = 10, beat: int = 12) -> Score:
    """Turn once around to the left on the spot, in small steps.

    Args:
        rig: the body.
        paces: into how many steps of alternate feet the turn is cut.
        beat: frames from step to step.
    """
    frames, swing = 24 + beat * (paces + 1), beat - 2.5
    angle = 360 / paces
    steps = {"left": [], "right": []}
    order = [(side, k) for k in range(paces) for side in ["left" if k % 2 == 0 else "right"]]
    last = "left" if paces % 2 == 0 else "right"
    for side, k in [*order, (last, paces - 1)]:
        count = len(steps["left"]) + len(steps["right"])
        off = 8 + beat * count
        yaw = (k + 1) * angle * DEGREE
        sign = 1.0 if side == "left" else -1.0
        own = yaw + sign * _TOES_OUT
        x, z = sign * _STANCE * np.cos(yaw), -sign * _STANCE * np.sin(yaw)
        steps[side].append((off, off + swing, x, z, own))
    feet = {
        "left": stepping(frames, (_STANCE, 0, _TOES_OUT), steps["left"], 0.05),
        "right": stepping(frames, (-_STANCE, 0, -_TOES_OUT), steps["right"], 0.05),
    }
    ramp = 2 * np.pi * np.arange(frames) / frames
    facing = 0.5 * (feet["left"].yaw + feet["right"].yaw) - ramp
    body = soften(facing, 7) + ramp
    ground = balance(rig, feet, 0.45, 4)
    side = ground[:, 0] * np.cos(body) - ground[:, 1] * np.sin(body)
    swing_curve = np.concatenate([np.diff(body), body[:1] * 0])
    spin = soften(swing_curve / 0.05, 4)
    bob = -0.012 - 0.012 * np.abs(np.tanh(side / 0.02))
    head = soften(np.roll(facing, -5), 9) + ramp
    return Score(
        pelvis=columns(ground[:, 0], rig.standing - 0.02 + soften(bob, 3), ground[:, 1]),
        hips=columns(body, 0.02, -0.9 * side),
        spine=columns(0.10 * spin, 0.02, 0.8 * side),
        head=columns(head + 0.14 * spin, 0.03 + 0.02 * spin, 0.3 * side),
        feet=feet,
        arms={
            "left": hanging(frames, late(0.10 * spin - 2.2 * side, 3), 0.10 * spin),
            "right": hanging(frames, late(-0.04 * spin + 2.2 * side, 3), 0.14 * spin),
        },
    )


def walk(rig: Rig) -> Score:
    """Walk on the spot as on a treadmill, three strides."""
    return stroll(rig, Manner(), 3, 10 * DEGREE)


def greet(rig: Rig) -> Score:
    """Wave with the right hand, the weight on the left leg."""
    frames = 120
    up = through(frames, {0: 0.0, 8: 0.0, 30: 1.0, 88: 1.0, 112: 0.0}, 2)
    shift = late(up, -3)
    feet = {
        "left": planted(frames, _STANCE, 0.10, _TOES_OUT),
        "right": Foot(
            np.tile([-_STANCE - 0.03, 0.0, 0.10], (frames, 1)),
            np.full(frames, -_TOES_OUT - 0.08),
            0.22 * soften(shift, 3),
        ),
    }
    wag = wave(frames, 7, 0.1) * soften(late(up, 4), 4) ** 2
    breath = 0.008 * wave(frames, 2)
    rest = hanging(frames)
    raised = columns(0.50 + 0.20 * wag, 0.34 - 0.05 * wag**2, 0.26 + 0.02 * wag)
    # Up in front of the body and down again: an arc, not a line through the shoulder.
    arc = (4 * up * (1 - up))[:, None] * np.array([0.34, 0.0, 0.30])
    hand = rest.hand * (1 - up[:, None]) + raised * up[:, None] + arc
    pole = rest.elbow * (1 - up[:, None]) + np.array([0.30, -1.0, -0.25]) * up[:, None]
    x = 0.055 * shift
    return Score(
        pelvis=columns(x, rig.standing - 0.018 - 0.006 * shift + 0.3 * breath, 0.0),
        hips=columns(-4 * DEGREE * shift, 1 * DEGREE, -5 * DEGREE * shift),
        spine=columns(
            7 * DEGREE * up + 1.2 * DEGREE * wag, -1 * DEGREE + breath, 8 * DEGREE * late(up, 2)
        ),
        head=columns(
            -3 * DEGREE * late(up, 3),
            1 * DEGREE + breath + 1.5 * DEGREE * late(up, 4),
            -6 * DEGREE * late(up, 4) + 1.5 * DEGREE * late(wag, 2),
        ),
        feet=feet,
        arms={
            "left": hanging(frames, 0.04 * wave(frames, 2) + 0.08 * late(up, 4), 0.05 * shift),
            "right": Arm(hand, pole, rest.twist * (1 - up), 0.12 - 0.28 * late(wag, 1.5) * up),
        },
    )


def squat(rig: Rig) -> Score:
    """Two deep squats with the arms stretched out in front."""
    frames, period = 132, 66
    down = through(period, {0: 0.0, 4: 0.0, 28: 1.0, 33: 1.0, 56: 0.0}, 2.5)
    down = np.tile(down, frames // period)
    feet = {
        "left": planted(frames, 0.19, 0.10, 20 * DEGREE),
        "right": planted(frames, -0.19, 0.10, -20 * DEGREE),
    }
    arms = late(down, 1)
    angle = 0.15 + 1.45 * arms
    hand = columns(0.20 * (1 - 0.4 * arms), -np.cos(angle), np.sin(angle)) * 0.95
    elbow = columns(0.8, -0.3 - 0.3 * arms, -1.0 + 0.8 * arms)
    arm = Arm(hand, elbow, 0.5 * arms, 0.1 + 0 * arms)
    breath = 0.01 * wave(frames, 2, 0.3)
    return Score(
        pelvis=columns(0.006 * wave(frames, 2), rig.standing - 0.035 - 0.42 * down, -0.16 * down),
        hips=columns(0.01 * wave(frames, 2), 34 * DEGREE * down, 0.0),
        spine=columns(0.0, -4 * DEGREE * down + breath, 0.0),
        head=columns(0.015 * wave(frames, 2, 0.2), 9 * DEGREE * late(down, 2), 0.0),
        feet=feet,
        arms={"left": arm, "right": arm},
    )


def star_jump(rig: Rig) -> Score:
    """Three jumping jacks."""
    frames, period = 108, 36
    tiles = frames // period
    open_ = np.tile(through(period, {0: 0.0, 6: 0.0, 14: 1.0, 23: 1.0, 31: 0.0}, 0.8), tiles)
    air = np.zeros(period)
    for off, land in ((6, 14), (23, 31)):
        at = (np.arange(period) - off) / (land - off)
        air += np.where((at > 0) & (at < 1), 4 * at * (1 - at), 0)
    air = np.tile(air, tiles)
    hop = 0.075 * air
    dip = np.tile(
        through(period, {0: -0.10, 6: 0, 14: 0.0, 18: -0.10, 23: 0, 31: 0.0, 34: -0.09}, 1.0), tiles
    )
    half = 0.10 + 0.27 * open_
    point = np.tile(
        through(
            period,
            {0: 0, 4: 0.1, 7: 0.65, 12: 0.5, 15: 0.1, 18: 0, 21: 0.15, 24: 0.6, 29: 0.4, 33: 0},
            0.8,
        ),
        tiles,
    )
    feet = {
        side: Foot(
            columns(sign * half, hop, 0.10),
            sign * (8 * DEGREE + 14 * DEGREE * open_),
            point,
        )
        for side, sign in (("left", 1.0), ("right", -1.0))
    }
    reach = np.sqrt(rig.leg**2 - (half - 0.10) ** 2) - rig.leg
    raise_ = np.tile(through(period, {1: 0.0, 17: 1.0, 19.5: 1.0, 35.5: 0.0}, 1.2), tiles)
    arm = sideways(0.22 + 2.62 * raise_)
    nod = late(dip, 1.5)
    return Score(
        pelvis=columns(0.0, rig.standing - 0.012 + reach + hop + dip + 0.06 * point, 0.0),
        hips=columns(0.0, -1.1 * dip, 0.0),
        spine=columns(0.0, 0.3 * nod - 0.04 * open_, 0.0),
        head=columns(0.0, -0.6 * nod - 0.02, 0.0),
        feet=feet,
        arms={"left": arm, "right": arm},
    )


def pause(rig: Rig) -> Score:
    """Stand at ease for a photo, the arms a little away from the body: one frame, four times."""
    frames = 4
    feet = {
        "left": planted(frames, 0.15, 0.10, 14 * DEGREE),
        "right": planted(frames, -0.14, 0.12, -12 * DEGREE),
    }

    def aside(angle: float) -> Arm:
        still = np.zeros(frames)
        hand = columns(np.sin(angle) + still, -np.cos(angle), 0.16) * 0.95
        return Arm(hand, columns(0.5 + still, -0.1, -1.0), still + PALM_IN, still + 0.1)

    still = np.zeros(frames)
    return Score(
        pelvis=columns(still + 0.012, rig.standing - 0.012, 0.0),
        hips=columns(still, 0.02, -0.02),
        spine=columns(still, -0.02, 0.03),
        head=columns(still + 0.02, 0.03, 0.0),
        feet=feet,
        arms={"left": aside(0.36), "right": aside(0.40)},
    )
