"""Where the 29 keypoints lie on anny's mesh, as few weighted vertices each; and mesh regions."""

import torch
from body_anatomy import KNUCKLES
from torch import Tensor

from bdmm.records import BONE_NAMES, KEYPOINT_NAMES

COCO_NAMES = (
    "nose", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle", "left_big_toe", "right_big_toe", "left_small_toe",
    "right_small_toe", "left_heel", "right_heel",
)  # fmt: skip
"""Keypoints taken from anny's own regressors (its eyes need the eyeballs, which we drop)."""
VERTICES_PER_KEYPOINT = 24
ESTIMATOR_SHIFTS = {
    "ear": (-0.010, 0.0, 0.0),
    "hip": (0.0, -0.020, 0.0),
    "knee": (-0.012, -0.008, 0.0),
    "ankle": (0.0, -0.020, 0.0),
    "heel": (-0.006, -0.024, 0.0),
}
"""From anny's regressors to where MediaPipe marks the same joints on rendered bodies (median of
24 frontal and half-turned ones): metres outward, down, back."""
TOWARDS = {"elbow": ("shoulder", 0.018), "pinky": ("wrist", 0.015)}
"""The same for joints that sit nearer to another keypoint: which, and by how many metres."""


def fit_point(target: Tensor, points: Tensor, allowed: Tensor) -> Tensor:
    """Return ``v`` weights, at most a few non-zero, whose mean of ``points`` follows ``target``.

    Non-negative least squares over the allowed vertices nearest to the target, by multiplicative
    updates on the simplex; then the largest are kept and solved again.

    Args:
        target: ``m 3`` positions of the point over a sample of bodies, metres.
        points: ``m v 3`` the vertices of the same bodies.
        allowed: ``v`` which vertices may be used.
    """
    distance = (points - target[:, None]).norm(dim=-1).mean(dim=0)
    distance[~allowed] = torch.inf
    near = distance.argsort()[:120]
    for keep in (60, VERTICES_PER_KEYPOINT, VERTICES_PER_KEYPOINT):
        weights = _simplex_fit(target, points[:, near])
        near = near[weights.argsort(descending=True)[:keep]]
        weights = _simplex_fit(target, points[:, near])
    result = torch.zeros(points.shape[1])
    result[near] = weights.float()
    return result


def _simplex_fit(target: Tensor, points: Tensor) -> Tensor:
    """Return non-negative weights that sum to one and bring the points' mean onto the target."""
    offsets = (points - target[:, None]).double()
    gram = torch.einsum("mvi,mwi->vw", offsets, offsets) / len(offsets)
    count = len(gram)
    gram = gram + 1e-7 * torch.eye(count, dtype=gram.dtype)
    weights = torch.full((count,), 1 / count, dtype=gram.dtype)
    step = 0.9 / gram.abs().sum(dim=1).max()
    for _ in range(4000):
        weights = weights * torch.exp(-step * 40 * (gram @ weights - weights @ gram @ weights))
        weights = weights / weights.sum()
    return weights


def keypoint_targets(
    regressors: dict[str, Tensor], vertices: Tensor, heads: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return ``m 3`` positions of every single keypoint (not the two midpoints) over a sample.

    Args:
        regressors: anny's COCO regressors, weights over ``vertices``' order, summing to one.
        vertices: ``m v 3`` rest vertices.
        heads: ``m 3`` heads of anny's bones by name.
    """
    targets = {name: torch.einsum("v,mvi->mi", regressors[name], vertices) for name in COCO_NAMES}
    for side, letter in (("left", "L"), ("right", "R")):
        # Camera axes: towards the camera is -z, from the eyeball's centre to its front.
        targets[f"{side}_eye"] = heads[f"eye.{letter}"] + torch.tensor([0.0, 0.0, -0.010])
        targets[f"{side}_index"] = heads[f"{KNUCKLES[0]}.{letter}"]
        targets[f"{side}_pinky"] = heads[f"{KNUCKLES[3]}.{letter}"]
        outward = 1.0 if side == "left" else -1.0
        for part, (out, down, back) in ESTIMATOR_SHIFTS.items():
            shift = torch.tensor([outward * out, down, back])
            targets[f"{side}_{part}"] = targets[f"{side}_{part}"] + shift
        for part, (other, distance) in TOWARDS.items():
            way = targets[f"{side}_{other}"] - targets[f"{side}_{part}"]
            step = distance * way / way.norm(dim=1, keepdim=True)
            targets[f"{side}_{part}"] = targets[f"{side}_{part}"] + step
    return targets


KEYPOINT_BONES = {
    "nose": ("head",),
    "eye": ("head",),
    "ear": ("head",),
    "shoulder": ("collar", "shoulder"),
    "elbow": ("shoulder", "elbow"),
    "wrist": ("elbow", "wrist"),
    "hip": ("pelvis", "hip"),
    "knee": ("hip", "knee"),
    "ankle": ("knee", "ankle"),
    "big_toe": ("foot",),
    "small_toe": ("foot",),
    "heel": ("ankle",),
    "index": ("wrist", "hand"),
    "pinky": ("wrist", "hand"),
}
"""Bones on whose vertices a keypoint lies and which carry it, in equal shares; of its own side.

Joints ride on the bones before and after them, not on the skin, which gives way when they bend.
"""
CARRIED_BY_FIRST = ("index", "pinky", "ankle")
"""Knuckles ride on the palm, ankles (the malleoli, above the joint) on the shank alone."""
MIDPOINTS = {"neck": "shoulder", "mid_hip": "hip"}


def allowed_bones(keypoint: str) -> tuple[str, ...]:
    """Return the names of the bones on whose vertices a keypoint lies."""
    side, _, part = keypoint.partition("_")
    if side not in ("left", "right"):
        return KEYPOINT_BONES[keypoint]
    middle = ("head", "pelvis")
    return tuple(b if b in middle else f"{side}_{b}" for b in KEYPOINT_BONES[part])


def carrier_shares() -> Tensor:
    """Return ``29 24`` how much each bone carries each keypoint."""
    shares = torch.zeros(len(KEYPOINT_NAMES), len(BONE_NAMES))
    for row, name in enumerate(KEYPOINT_NAMES):
        sides = ("left", "right") if name in MIDPOINTS else (None,)
        for side in sides:
            bones = allowed_bones(f"{side}_{MIDPOINTS[name]}" if side else name)
            bones = bones[:1] if name.endswith(CARRIED_BY_FIRST) else bones
            for bone in bones:
                shares[row, BONE_NAMES.index(bone)] += 1 / len(bones) / len(sides)
    return shares


def keypoint_places(vertices: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Return each keypoint's position by name, from ``v 3`` vertices and ``29 v`` weights."""
    return dict(zip(KEYPOINT_NAMES, weights @ vertices, strict=True))
