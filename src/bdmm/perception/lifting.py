"""Depth for estimators that see in 2-D only: by how much bones look shorter than they are."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import BodyModel
from bdmm.perception.smooth import smooth_over_time
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES, Landmarks

_POINT = {name: index for index, name in enumerate(KEYPOINT_NAMES)}
_LONG = (
    ("mid_hip", "neck"), ("left_hip", "left_knee"), ("right_hip", "right_knee"),
    ("left_knee", "left_ankle"), ("right_knee", "right_ankle"),
    ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
)  # fmt: skip
"""Bones whose longest looks tell the scale."""
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


def lift(landmarks: Landmarks, body: BodyModel) -> Float[Tensor, "t k 3"]:
    """Return rough 3-D keypoints in metres around the hips, camera axes, from 2-D ones.

    A bone's depth follows from its true and its seen length; towards or away is decided by which
    way the person faces and how joints bend: knees and forearms to the front, shins to the back.
    Which way they face is told by the order of the shoulders, how far by how narrow they look.

    Args:
        landmarks: with ``keypoints``; missing ones have confidence 0.
        body: whose mean shape gives the true lengths.
    """
    points, trust = landmarks.keypoints[..., :2], landmarks.keypoints[..., 2]
    rest = _rest_points(body, points)
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
        depth[:, b] = _trunk_depth(depth, near, a) + step
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


def _trunk_depth(depth: Tensor, near: str, place: int) -> Float[Tensor, "t"]:
    return torch.zeros_like(depth[:, 0]) if near == "mid_hip" else depth[:, place].clone()


def _rest_points(body: BodyModel, like: Tensor) -> Float[Tensor, "k 3"]:
    eye = torch.eye(3, dtype=like.dtype, device=like.device)
    return body.keypoints(like.new_zeros(body.shape_size), eye.expand(len(BONE_NAMES), 3, 3))


def _scale(points: Tensor, trust: Tensor, rest: Tensor) -> Float[Tensor, "t"]:
    """Return pixels per metre: the second longest look of the long bones, kept steady in time."""
    ratios = []
    for near, far in _LONG:
        a, b = _POINT[near], _POINT[far]
        ratio = (points[:, b] - points[:, a]).norm(dim=-1) / (rest[b] - rest[a]).norm()
        ratios.append(ratio * ((trust[:, a] > 0) & (trust[:, b] > 0)))
    best = rearrange(torch.stack(ratios), "bone t -> t bone").topk(2, dim=1).values[:, 1]
    known = best > 0
    typical = best[known].median() if known.any() else points.new_tensor(1.0)
    best = torch.where(known, best, typical).clamp(0.5 * typical, 2 * typical)
    # Looks can only shorten a bone, so the larger values in time count for more.
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
