"""Start of the fit, without a search: lifts 2-D keypoints to 3-D and solves bone rotations."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import frame, interpolate, rotation_between, unchain
from bdmm.perception.smooth import smooth_over_time
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES, Landmarks
from bdmm.shapes import Rotations

Points = Float[Tensor, "_ k 3"]
Directions = Float[Tensor, "_ 3"]
Turns = Float[Tensor, "_ 3 3"]

_POINT = {name: index for index, name in enumerate(KEYPOINT_NAMES)}


def solve_rotations(
    points: Points, body: SkinnedBody, shape: Float[Tensor, "s"], trust: Float[Tensor, "t k"]
) -> Rotations:
    """Turn every bone along the keypoints; lengths are ignored.

    Trunk, head, hands and feet take the frames that their keypoints span. A limb's upper bone
    points along its two keypoints and is twisted so that elbow or knee bend like hinges; where
    the limb is straight, the twist of the trunk (arms) or the foot's direction (legs) decides.

    Args:
        points: ``t 29 3`` metres or pixels, camera axes, any origin.
        trust: ``t 29`` confidence in [0, 1]; hands, head and feet that aren't seen move
            rigidly with their parents.

    Returns:
        ``t 24 3 3`` local rotations.
    """
    rest = _rest_points(body, shape)[None]
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
    forward = frame(_direction(points, thigh), _knee_forward(points, side))
    hinged = forward @ frame(_direction(rest, thigh), _knee_forward(rest, side)).mT
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


def _knee_forward(points: Points, side: str) -> Directions:
    """Return the direction of the knee: out of its bend, or along the foot where it is straight."""
    hip, knee, ankle = (points[:, _POINT[f"{side}_{part}"]] for part in ("hip", "knee", "ankle"))
    length = (knee - hip).norm(dim=-1, keepdim=True).clamp_min(1e-6)
    out_of_bend = (2 * knee - hip - ankle) / length
    foot = _direction(points, (f"{side}_heel", f"{side}_big_toe"))
    return out_of_bend + 0.3 * foot / foot.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def _palm(points: Points, side: str) -> Directions:
    knuckles = points[:, [_POINT[f"{side}_index"], _POINT[f"{side}_pinky"]]].mean(1)
    return knuckles - points[:, _POINT[f"{side}_wrist"]]


def _across(points: Points, side: str) -> Directions:
    return _direction(points, (f"{side}_pinky", f"{side}_index"))


def _direction(points: Points, ends: tuple[str, str]) -> Directions:
    return points[:, _POINT[ends[1]]] - points[:, _POINT[ends[0]]]


def _turn(rotation: Turns, rest: Points, ends: tuple[str, str]) -> Directions:
    return (rotation @ _direction(rest, ends)[..., None])[..., 0]


def _span(points: Points, rest: Points, first: tuple[str, str], second: tuple[str, str]) -> Turns:
    """Return the rotation from the rest frame to the seen frame of two keypoint directions."""
    seen = frame(_direction(points, first), _direction(points, second))
    return seen @ frame(_direction(rest, first), _direction(rest, second)).mT


def _swing(parent: Turns, points: Points, rest: Points, ends: tuple[str, str]) -> Turns:
    """Return the parent's rotation, turned as little as possible to point along the keypoints."""
    return rotation_between(_turn(parent, rest, ends), _direction(points, ends)) @ parent


def _hinge(points: Points, rest: Points, upper: tuple[str, str], lower: tuple[str, str]) -> Turns:
    seen = frame(_direction(points, upper), _direction(points, lower))
    # A T-pose has no bend of its own; its arms bend to the front.
    front = 0.05 * rest.new_tensor((0.0, 0.0, -1.0))
    return seen @ frame(_direction(rest, upper), _direction(rest, lower) + front).mT


def _bend(points: Points, upper: tuple[str, str], lower: tuple[str, str]) -> Float[Tensor, "t"]:
    """Return 0 for a straight limb to 1 for one bent by half a radian or more."""
    first, second = _direction(points, upper), _direction(points, lower)
    sine = torch.linalg.cross(first, second).norm(dim=-1)
    sine = sine / (first.norm(dim=-1) * second.norm(dim=-1)).clamp_min(1e-9)
    return ((sine - 0.15) / 0.35).clamp(0, 1)


def _least(trust: Float[Tensor, "t k"], *names: str) -> Float[Tensor, "t"]:
    return trust[:, [_POINT[name] for name in names]].min(dim=1).values


def _between(first: Tensor, second: Tensor, weight: Tensor | float) -> Turns:
    if not isinstance(weight, Tensor):
        weight = first.new_full((len(first),), weight)
    return interpolate(first, second, weight)


_LONG = (
    ("mid_hip", "neck"), ("left_hip", "left_knee"), ("right_hip", "right_knee"),
    ("left_knee", "left_ankle"), ("right_knee", "right_ankle"),
    ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
)  # fmt: skip
"""Bones whose longest projections give the scale."""
_TREE = (
    ("mid_hip", "neck", 1.0), ("neck", "nose", 1.0),
    ("left_hip", "left_knee", 1.0), ("left_knee", "left_ankle", -1.0),
    ("right_hip", "right_knee", 1.0), ("right_knee", "right_ankle", -1.0),
    ("left_shoulder", "left_elbow", -0.5), ("left_elbow", "left_wrist", 1.0),
    ("right_shoulder", "right_elbow", -0.5), ("right_elbow", "right_wrist", 1.0),
    ("left_ankle", "left_big_toe", 1.0), ("right_ankle", "right_big_toe", 1.0),
    ("left_wrist", "left_index", 0.5), ("right_wrist", "right_index", 0.5),
)  # fmt: skip
"""Bones from the trunk outwards; 1 where the far end goes to the person's front, as knees do."""
_PAIRS = ("hip", "shoulder", "ear", "eye")
_RIDERS = {
    "left_small_toe": "left_big_toe", "right_small_toe": "right_big_toe",
    "left_heel": "left_ankle", "right_heel": "right_ankle",
    "left_pinky": "left_index", "right_pinky": "right_index",
}  # fmt: skip
SCALE_MEMORY = 15.0
"""Standard deviation in frames over which a person's scale is taken to be steady."""


def lift(landmarks: Landmarks, body: SkinnedBody) -> Float[Tensor, "t k 3"]:
    """Return rough 3-D keypoints in metres around the hips, camera axes, from 2-D ones.

    A bone's depth follows from its true and its projected length. Its sign follows from the
    direction that the person faces and from how joints bend: knees and forearms to the front,
    shins to the back.
    The order of the shoulders gives the direction, their projected width the angle.

    Args:
        landmarks: with ``keypoints``; missing ones have confidence 0.
        body: whose mean shape gives the true lengths.
    """
    points, trust = landmarks.keypoints[..., :2], landmarks.keypoints[..., 2]
    rest = _rest_points(body, points.new_zeros(body.shape_size))
    scale = _scale(points, trust, rest)
    flat = points / scale[:, None, None]
    depth = torch.zeros_like(trust)
    side, front = _facing(flat, trust, rest)
    for pair in _PAIRS:
        half = 0.5 * side * (rest[_POINT[f"left_{pair}"]] - rest[_POINT[f"right_{pair}"]]).norm()
        depth[:, _POINT[f"left_{pair}"]], depth[:, _POINT[f"right_{pair}"]] = half, -half
    for near, far, way in _TREE:
        a, b = _POINT[near], _POINT[far]
        length = (rest[b] - rest[a]).norm()
        seen = (flat[:, b] - flat[:, a]).norm(dim=-1)
        hidden = ((0.95 * length) ** 2 - seen**2).clamp_min(0).sqrt()
        known = (trust[:, a] > 0) & (trust[:, b] > 0)
        step = torch.where(known, way * front * hidden, torch.zeros_like(hidden))
        start = torch.zeros_like(step) if near == "mid_hip" else depth[:, a]
        depth[:, b] = start + step
    for name in ("shoulder", "ear", "eye"):
        root = _POINT["neck" if name == "shoulder" else "nose"]
        for which in ("left", "right"):
            depth[:, _POINT[f"{which}_{name}"]] += depth[:, root]
    for which in ("left", "right"):
        for joint in ("elbow", "wrist", "index"):
            depth[:, _POINT[f"{which}_{joint}"]] += depth[:, _POINT["neck"]]
    for rider, carrier in _RIDERS.items():
        depth[:, _POINT[rider]] = depth[:, _POINT[carrier]]
    hips = flat[:, _POINT["mid_hip"], None]
    return torch.cat((flat - hips, depth[..., None]), dim=-1)


def _rest_points(body: SkinnedBody, shape: Float[Tensor, "s"]) -> Float[Tensor, "k 3"]:
    eye = torch.eye(3, dtype=shape.dtype, device=shape.device)
    return body.keypoints(shape, eye.expand(len(BONE_NAMES), 3, 3))


def _scale(points: Tensor, trust: Tensor, rest: Tensor) -> Float[Tensor, "t"]:
    """Return pixels per metre: the second longest projection of the long bones, smooth in time."""
    ratios = []
    for near, far in _LONG:
        a, b = _POINT[near], _POINT[far]
        ratio = (points[:, b] - points[:, a]).norm(dim=-1) / (rest[b] - rest[a]).norm()
        ratios.append(ratio * ((trust[:, a] > 0) & (trust[:, b] > 0)))
    best = rearrange(torch.stack(ratios), "bone t -> t bone").topk(2, dim=1).values[:, 1]
    known = best > 0
    typical = best[known].median() if known.any() else points.new_tensor(1.0)
    best = torch.where(known, best, typical).clamp(0.5 * typical, 2 * typical)
    # A projection can only shorten a bone, so larger values count for more.
    return smooth_over_time(best, (best / typical) ** 8, SCALE_MEMORY)


def _facing(
    flat: Tensor, trust: Tensor, rest: Tensor
) -> tuple[Float[Tensor, "t"], Float[Tensor, "t"]]:
    """Return how far the left side is turned away, and the front's z, both in [-1, 1]."""
    shares = []
    for pair in ("shoulder", "hip"):
        left, right = _POINT[f"left_{pair}"], _POINT[f"right_{pair}"]
        width = (rest[left] - rest[right]).norm()
        known = ((trust[:, left] > 0) & (trust[:, right] > 0)).to(flat.dtype)
        shares.append(known * (flat[:, left, 0] - flat[:, right, 0]) / width)
    across = smooth_over_time(torch.stack(shares).mean(0).clamp(-1, 1), torch.ones(1), 1.0)
    nose = flat[:, _POINT["nose"], 0] - flat[:, _POINT["neck"], 0]
    seen = (trust[:, _POINT["nose"]] > 0) & (trust[:, _POINT["neck"]] > 0)
    lean = smooth_over_time(torch.where(seen, nose, torch.zeros_like(nose)), torch.ones(1), 3.0)
    turned = (1 - across.square()).clamp_min(0).sqrt() * torch.tanh(lean / 0.03)
    return turned, -torch.tanh(across / 0.2)
