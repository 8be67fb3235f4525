"""The keypoints of a moving body as a camera sees them: what pose heatmaps are drawn from."""

import torch

from bdmm.body.camera import hide_face, project
from bdmm.body.model import BodyModel
from bdmm.body.rasterize import rasterize
from bdmm.records import Motion
from bdmm.shapes import Keypoints

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
    return hide_face(points, depth, motion.scale)
