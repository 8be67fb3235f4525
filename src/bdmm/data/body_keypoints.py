"""The keypoints of a moving body as a camera sees them: what pose heatmaps are drawn from."""

import torch

from bdmm.body.camera import project
from bdmm.body.model import BodyModel
from bdmm.body.rasterize import rasterize
from bdmm.records import KEYPOINT_NAMES, Motion
from bdmm.shapes import Keypoints

_FACE = [
    KEYPOINT_NAMES.index(name)
    for name in ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
]
_SLACK = 0.05
"""Metres behind the body's surface from which on a point of the face counts as hidden."""
_RUN = 16


def body_keypoints(body: BodyModel, motion: Motion) -> Keypoints:
    """Return ``t 29 3`` keypoints; points of the face that the body hides have confidence 0.

    The same rule as `conditioning.Conditioner`'s, so that training and inference agree.

    Args:
        body: that the motion belongs to.
        motion: of any length; worked out in runs, in bounded memory.
    """
    runs = [_seen(body, motion[start : start + _RUN]) for start in range(0, len(motion), _RUN)]
    return torch.cat(runs)


def _seen(body: BodyModel, motion: Motion) -> Keypoints:
    vertices = body.vertices(motion.shape, motion.rotations)
    vertices = project(vertices, motion.scale, motion.translation)
    depth = rasterize(vertices, body.faces, motion.size).depth
    points = body.keypoints(motion.shape, motion.rotations)
    points = project(points, motion.scale, motion.translation)
    height, width = motion.size
    row = points[:, _FACE, 1].long().clamp(0, height - 1)
    column = points[:, _FACE, 0].long().clamp(0, width - 1)
    frame = torch.arange(len(motion))[:, None]
    front = depth[frame, row, column] + _SLACK * motion.scale[:, None]
    trust = torch.ones_like(points[..., :1])
    trust[:, _FACE, 0] = (points[:, _FACE, 2] <= front).to(trust)
    return torch.cat([points[..., :2], trust], dim=-1)
