"""Inverse kinematics: from targets for feet, hands and trunk (a `Score`) to bone rotations.

Person axes: x to the person's left, y up, z forward; the ground is y = 0. Angles in radians:
yaw turns to the left, pitch bows forward, roll leans to the person's left.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp

from bdmm.records import BONE_NAMES, BONE_PARENTS
from bdmm_synth.motion.score import Arm, Foot, Score, euler

BONE = {name: index for index, name in enumerate(BONE_NAMES)}
SIDES = {"left": 1.0, "right": -1.0}
Rate = int | float | Fraction
"""Frames per second."""
TO_CAMERA = np.array([1.0, -1.0, -1.0])
"""Person axes -> camera axes, and back."""
_SPINE = {"spine1": 0.3, "spine2": 0.35, "spine3": 0.35}


@dataclass(frozen=True)
class Rig:
    """Rest joints of a body in person axes, standing on the ground."""

    joints: np.ndarray
    """``24 3`` metres."""
    heel: dict[str, np.ndarray]
    """Lowest point of each heel, ``3``."""
    girth: float = 0.18
    """Half the breadth of the hips, metres."""

    @property
    def leg(self) -> float:
        """Length of thigh and shin together."""
        return _length(self, "left_hip", "left_knee") + _length(self, "left_knee", "left_ankle")

    @property
    def arm(self) -> float:
        """Length of upper arm and forearm together."""
        upper = _length(self, "left_shoulder", "left_elbow")
        return upper + _length(self, "left_elbow", "left_wrist")

    @property
    def standing(self) -> float:
        """Height of the pelvis above the ground with straight legs."""
        hip, ankle = self.joints[BONE["left_hip"]], self.joints[BONE["left_ankle"]]
        return float(self.leg + ankle[1] + self.joints[0, 1] - hip[1])


def stand_up(rest: np.ndarray, joints: np.ndarray) -> Rig:
    """Put a body's soles on the ground.

    Args:
        rest: ``v 3`` vertices of the identity pose in camera axes, metres.
        joints: ``24 3`` the same for joints.
    """
    rest, joints = rest * TO_CAMERA, joints * TO_CAMERA
    ground = np.array([0, rest[:, 1].min(), 0])
    rest, joints = rest - ground, joints - ground
    heels = {}
    for side, sign in SIDES.items():
        sole = rest[(rest[:, 0] * sign > 0) & (rest[:, 1] < 0.02)]
        heels[side] = sole[sole[:, 2].argmin()] * [1, 0, 1]
    assert joints[BONE["left_hip"], 0] > 0
    level = np.abs(rest[:, 1] - joints[0, 1] + 0.03) < 0.05
    between = level & (np.abs(rest[:, 0]) < 0.75 * joints[BONE["left_wrist"], 0])
    return Rig(joints, heels, float(np.abs(rest[between, 0]).max()))


def perform(rig: Rig, score: Score) -> tuple[np.ndarray, np.ndarray]:
    """Find the bone rotations that reach a score's targets.

    Args:
        rig: the body.
        score: the targets; where a foot is out of reach, the pelvis is lowered.

    Returns:
        ``t 24 3 3`` local rotations in camera axes and ``t 3`` pelvis positions in person axes.
    """
    frames = len(score.pelvis)
    turned = {"pelvis": euler(score.hips)}
    trunk = turned["pelvis"]
    for name, share in _SPINE.items():
        trunk = trunk @ euler(score.spine * share)
        turned[name] = trunk
    turned["head"] = euler(score.head)
    turned["neck"] = halfway(trunk, turned["head"], 0.5)
    ankles = {}
    for side in SIDES:
        ankles[side] = _place_foot(rig, side, score.feet[side], turned)
    pelvis = _come_down(rig, score.pelvis, turned["pelvis"], ankles)
    for side in SIDES:
        _place_leg(rig, side, pelvis, ankles[side], turned)
        _place_arm(rig, side, score.arms[side], turned)
    world = np.stack([turned[name] for name in BONE_NAMES], axis=1)
    assert world.shape == (frames, 24, 3, 3)
    parents = np.array(BONE_PARENTS)
    local = world.copy()
    local[:, 1:] = np.swapaxes(world[:, parents[1:]], -1, -2) @ world[:, 1:]
    return local * TO_CAMERA[:, None] * TO_CAMERA, pelvis


def resampled(
    rotations: np.ndarray, pelvis: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a motion, as `perform` gives it, at fractional frames ``at``."""
    if len(pelvis) == 1:
        return rotations[[0] * len(at)], pelvis[[0] * len(at)]
    ticks = np.arange(len(pelvis))
    turned = [
        Slerp(ticks, Rotation.from_matrix(bone))(at).as_matrix()
        for bone in np.swapaxes(rotations, 0, 1)
    ]
    place = np.stack([np.interp(at, ticks, pelvis[:, axis]) for axis in range(3)], axis=-1)
    return np.stack(turned, axis=1), place


def _length(rig: Rig, start: str, end: str) -> float:
    return float(np.linalg.norm(rig.joints[BONE[end]] - rig.joints[BONE[start]]))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True).clip(1e-9)


def halfway(start: np.ndarray, end: np.ndarray, part: float) -> np.ndarray:
    """Return the rotations ``part`` of the way between two, ``t 3 3`` each."""
    between = Rotation.from_matrix(np.swapaxes(start, -1, -2) @ end).as_rotvec() * part
    return start @ Rotation.from_rotvec(between).as_matrix()


def _frame(along: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Return the right-handed axes (along, hinge made upright to it, the third) as columns."""
    along = _unit(along)
    hinge = _unit(hinge - (hinge * along).sum(-1, keepdims=True) * along)
    return np.stack([along, hinge, np.cross(along, hinge)], axis=-1)


def _bend(
    reach: np.ndarray, pole: np.ndarray, upper: float, lower: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find the middle joint of two bones that span ``reach`` and bend towards ``pole``."""
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    along = reach / distance.clip(1e-9)
    distance = np.clip(distance, abs(upper - lower) + 1e-3, (upper + lower) * 0.9995)
    forward = (upper**2 - lower**2 + distance**2) / (2 * distance)
    sideways = np.sqrt((upper**2 - forward**2).clip(0))
    pole = _unit(pole - (pole * along).sum(-1, keepdims=True) * along)
    return along * forward + pole * sideways, along * distance


def _place_foot(rig: Rig, side: str, foot: Foot, turned: dict[str, np.ndarray]) -> np.ndarray:
    """Turn foot and toes; return where the ankle must be, ``t 3``."""
    ankle, ball = rig.joints[BONE[f"{side}_ankle"]], rig.joints[BONE[f"{side}_foot"]]
    toes_out = np.arctan2(*(ball - ankle)[[0, 2]])
    zero = np.zeros_like(foot.yaw)
    flat = euler(np.stack([foot.yaw - toes_out, zero, zero], axis=-1))
    across = np.array([np.cos(toes_out), 0, -np.sin(toes_out)])
    tip = flat @ Rotation.from_rotvec(foot.pitch[:, None] * across).as_matrix()
    turned[f"{side}_ankle"] = tip
    on_toes = np.clip(1 - foot.ball[:, 1] / 0.04, 0, 1) * (foot.pitch > 0)
    turned[f"{side}_foot"] = (
        tip @ Rotation.from_rotvec((-foot.pitch * on_toes)[:, None] * across).as_matrix()
    )
    heel = rig.heel[side]
    pivot = np.where((foot.pitch > 0)[:, None], ball, heel)
    base = foot.ball + [0, ball[1], 0] + (flat @ (pivot - ball)[..., None])[..., 0]
    return base + (tip @ (ankle - pivot)[..., None])[..., 0]


def _come_down(
    rig: Rig, pelvis: np.ndarray, turned: np.ndarray, ankles: dict[str, np.ndarray]
) -> np.ndarray:
    """Lower the pelvis, smoothly over time, until both feet are within reach."""
    pelvis = pelvis.copy()
    for _ in range(40):
        lacking = np.zeros(len(pelvis))
        for side in SIDES:
            hip = pelvis + turned @ (rig.joints[BONE[f"{side}_hip"]] - rig.joints[0])
            reach = ankles[side] - hip
            room = (0.997 * rig.leg) ** 2 - (reach[:, [0, 2]] ** 2).sum(-1)
            lacking = np.maximum(lacking, -reach[:, 1] - np.sqrt(room.clip(1e-4)))
        if lacking.max() < 1e-3:
            break
        pelvis[:, 1] -= np.maximum(lacking * 0.5, gaussian_filter1d(lacking, 2.5, mode="wrap"))
    return pelvis


def _place_leg(
    rig: Rig, side: str, pelvis: np.ndarray, ankle: np.ndarray, turned: dict[str, np.ndarray]
) -> None:
    hip, knee, end = (rig.joints[BONE[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    start = pelvis + turned["pelvis"] @ (hip - rig.joints[0])
    foot_forward = turned[f"{side}_ankle"] @ (rig.joints[BONE[f"{side}_foot"]] - end)
    pole = _unit(foot_forward * [1, 0, 1]) + 0.6 * turned["pelvis"][..., 2]
    thigh, reach = _bend(
        ankle - start,
        pole,
        _length(rig, f"{side}_hip", f"{side}_knee"),
        _length(rig, f"{side}_knee", f"{side}_ankle"),
    )
    hinge = np.cross(reach, pole)
    aside = np.array([-1.0, 0, 0])
    turned[f"{side}_hip"] = _frame(thigh, hinge) @ _frame(knee - hip, aside).T
    turned[f"{side}_knee"] = _frame(reach - thigh, hinge) @ _frame(end - knee, aside).T


def _place_arm(rig: Rig, side: str, arm: Arm, turned: dict[str, np.ndarray]) -> None:
    mirror = np.array([SIDES[side], 1, 1])
    names = ("collar", "shoulder", "elbow", "wrist")
    collar, shoulder, elbow, wrist = (rig.joints[BONE[f"{side}_{name}"]] for name in names)
    upper = _length(rig, f"{side}_shoulder", f"{side}_elbow")
    lower = _length(rig, f"{side}_elbow", f"{side}_wrist")
    hand = arm.hand * mirror * (upper + lower)
    to_elbow, reach = _bend(hand, arm.elbow * mirror, upper, lower)
    chest = turned["spine3"]
    turned[f"{side}_collar"] = chest @ _shrug(shoulder - collar, to_elbow / upper, SIDES[side])
    hinge = np.cross(to_elbow, reach - to_elbow)
    at_rest = np.cross(elbow - shoulder, wrist - elbow)
    turned[f"{side}_shoulder"] = (
        chest @ _frame(to_elbow, hinge) @ _frame(elbow - shoulder, at_rest).T
    )
    fore = chest @ _frame(reach - to_elbow, hinge) @ _frame(wrist - elbow, at_rest).T
    along = _unit(wrist - elbow)
    twist = Rotation.from_rotvec(arm.twist[:, None] * SIDES[side] * along).as_matrix()
    half = Rotation.from_rotvec(0.5 * arm.twist[:, None] * SIDES[side] * along).as_matrix()
    palm = Rotation.from_rotvec(arm.bend[:, None] * _unit(at_rest)).as_matrix()
    turned[f"{side}_elbow"] = fore @ half
    turned[f"{side}_wrist"] = turned[f"{side}_hand"] = fore @ twist @ palm


def _shrug(clavicle: np.ndarray, upper: np.ndarray, sign: float) -> np.ndarray:
    """Let the collar bone rise with a raised arm and go forward with a crossed one."""
    rise = np.clip(upper[:, 1] + 0.25, 0, 1.25) * 0.36
    forward = np.clip(upper[:, 2] * 0.5 - upper[:, 0] * sign * 0.25, -0.2, 0.6) * 0.35
    vectors = np.stack([np.zeros_like(rise), -forward * sign, rise * sign], axis=-1)
    return Rotation.from_rotvec(vectors).as_matrix()
