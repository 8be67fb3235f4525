"""Bone rotations straight from 3-D keypoints, without any search: the start of the fit."""

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import BodyModel
from bdmm.body.rotations import frame, interpolate, rotation_between, unchain
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES
from bdmm.shapes import Rotations

Points = Float[Tensor, "_ k 3"]
Ways = Float[Tensor, "_ 3"]
Turns = Float[Tensor, "_ 3 3"]

_POINT = {name: index for index, name in enumerate(KEYPOINT_NAMES)}


def solve_rotations(
    points: Points, body: BodyModel, shape: Float[Tensor, "s"], trust: Float[Tensor, "t k"]
) -> Rotations:
    """Turn every bone along the keypoints; lengths are ignored.

    Trunk, head, hands and feet take the frames that their keypoints span. A limb's upper bone
    points along its two keypoints and is twisted so that elbow or knee bend like hinges; where
    the limb is straight, the twist of the trunk (arms) or the foot's direction (legs) decides.

    Args:
        points: ``t 29 3`` metres or pixels, camera axes, any origin.
        body: the body.
        shape: its shape components.
        trust: ``t 29`` confidence in [0, 1]; hands, head and feet that aren't seen follow on
            rigidly.

    Returns:
        ``t 24 3 3`` local rotations.
    """
    eye = torch.eye(3, dtype=points.dtype, device=points.device)
    rest = body.keypoints(shape, eye.expand(len(BONE_NAMES), 3, 3))[None]
    turned: dict[str, Tensor] = {}
    turned["pelvis"] = _span(points, rest, ("left_hip", "right_hip"), ("mid_hip", "neck"))
    chest = _span(points, rest, ("left_shoulder", "right_shoulder"), ("mid_hip", "neck"))
    for bone, share in (("spine1", 1 / 3), ("spine2", 2 / 3)):
        turned[bone] = _between(turned["pelvis"], chest, share)
    turned["spine3"] = chest
    head = _head(points, rest)
    turned["head"] = _between(chest, head, _least(trust, "nose", "left_ear", "right_ear"))
    turned["neck"] = _between(chest, turned["head"], 0.5)
    for side in ("left", "right"):
        turned[f"{side}_collar"] = chest
        _solve_arm(turned, side, points, rest, trust)
        _solve_leg(turned, side, points, rest, trust)
    return unchain(torch.stack([turned[name] for name in BONE_NAMES], dim=1))


def _solve_arm(
    turned: dict[str, Tensor], side: str, points: Points, rest: Points, trust: Tensor
) -> None:
    upper, fore = (f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist")
    along = _swing(turned[f"{side}_collar"], points, rest, upper)
    hinged = _hinge(points, rest, upper, fore)
    turned[f"{side}_shoulder"] = _between(along, hinged, _bend(points, upper, fore))
    forearm = _swing(turned[f"{side}_shoulder"], points, rest, fore)
    hand = frame(_palm(points, side), _across(points, side))
    hand = hand @ frame(_palm(rest, side), _across(rest, side)).mT
    seen = _least(trust, f"{side}_index", f"{side}_pinky")
    hand = _between(forearm, hand, 0.5 * seen)
    # The forearm carries half of the hand's twist about it.
    twisted = rotation_between(_turn(hand, rest, fore), _turn(forearm, rest, fore)) @ hand
    turned[f"{side}_elbow"] = _between(forearm, twisted, 0.5)
    turned[f"{side}_wrist"] = turned[f"{side}_hand"] = hand


def _solve_leg(
    turned: dict[str, Tensor], side: str, points: Points, rest: Points, trust: Tensor
) -> None:
    thigh, shin = (f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")
    along = _swing(turned["pelvis"], points, rest, thigh)
    forward = frame(_way(points, thigh), _knee_forward(points, side))
    hinged = forward @ frame(_way(rest, thigh), _knee_forward(rest, side)).mT
    seen = _least(trust, f"{side}_big_toe", f"{side}_heel")
    weight = torch.maximum(_bend(points, thigh, shin), 0.5 * seen)
    turned[f"{side}_hip"] = _between(along, hinged, weight)
    turned[f"{side}_knee"] = _swing(turned[f"{side}_hip"], points, rest, shin)
    foot = _span(points, rest, (f"{side}_big_toe", f"{side}_heel"), shin)
    turned[f"{side}_ankle"] = _between(turned[f"{side}_knee"], foot, seen)
    turned[f"{side}_foot"] = turned[f"{side}_ankle"]


def _head(points: Points, rest: Points) -> Turns:
    def axes(of: Points) -> Tensor:
        ears = of[:, [_POINT["left_ear"], _POINT["right_ear"]]]
        return frame(ears[:, 0] - ears[:, 1], of[:, _POINT["nose"]] - ears.mean(1))

    return axes(points) @ axes(rest).mT


def _knee_forward(points: Points, side: str) -> Ways:
    """Return the way the knee points: out of its bend, and along the foot where it is straight."""
    hip, knee, ankle = (points[:, _POINT[f"{side}_{part}"]] for part in ("hip", "knee", "ankle"))
    length = (knee - hip).norm(dim=-1, keepdim=True).clamp_min(1e-6)
    out_of_bend = (2 * knee - hip - ankle) / length
    foot = _way(points, (f"{side}_heel", f"{side}_big_toe"))
    return out_of_bend + 0.3 * foot / foot.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def _palm(points: Points, side: str) -> Ways:
    knuckles = points[:, [_POINT[f"{side}_index"], _POINT[f"{side}_pinky"]]].mean(1)
    return knuckles - points[:, _POINT[f"{side}_wrist"]]


def _across(points: Points, side: str) -> Ways:
    return _way(points, (f"{side}_pinky", f"{side}_index"))


def _way(points: Points, ends: tuple[str, str]) -> Ways:
    return points[:, _POINT[ends[1]]] - points[:, _POINT[ends[0]]]


def _turn(rotation: Turns, rest: Points, ends: tuple[str, str]) -> Ways:
    return (rotation @ _way(rest, ends)[..., None])[..., 0]


def _span(points: Points, rest: Points, first: tuple[str, str], second: tuple[str, str]) -> Turns:
    """Return the rotation from the rest frame to the seen frame of two keypoint directions."""
    seen = frame(_way(points, first), _way(points, second))
    return seen @ frame(_way(rest, first), _way(rest, second)).mT


def _swing(parent: Turns, points: Points, rest: Points, ends: tuple[str, str]) -> Turns:
    """Return the parent's rotation, turned the shortest way to point along the keypoints."""
    return rotation_between(_turn(parent, rest, ends), _way(points, ends)) @ parent


def _hinge(points: Points, rest: Points, upper: tuple[str, str], lower: tuple[str, str]) -> Turns:
    seen = frame(_way(points, upper), _way(points, lower))
    # A T-pose has no bend of its own; its arms bend to the front.
    front = 0.05 * rest.new_tensor((0.0, 0.0, -1.0))
    return seen @ frame(_way(rest, upper), _way(rest, lower) + front).mT


def _bend(points: Points, upper: tuple[str, str], lower: tuple[str, str]) -> Float[Tensor, "t"]:
    """Return 0 for a straight limb to 1 for one bent by half a radian or more."""
    first, second = _way(points, upper), _way(points, lower)
    sine = torch.linalg.cross(first, second).norm(dim=-1)
    sine = sine / (first.norm(dim=-1) * second.norm(dim=-1)).clamp_min(1e-9)
    return ((sine - 0.15) / 0.35).clamp(0, 1)


def _least(trust: Float[Tensor, "t k"], *names: str) -> Float[Tensor, "t"]:
    return trust[:, [_POINT[name] for name in names]].min(dim=1).values


def _between(first: Tensor, second: Tensor, weight: Tensor | float) -> Turns:
    if not isinstance(weight, Tensor):
        weight = first.new_full((len(first),), weight)
    return interpolate(first, second, weight)
