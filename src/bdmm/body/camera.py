"""The weak-perspective camera: one scale for the whole person, no foreshortening."""

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.records import KEYPOINT_NAMES
from bdmm.shapes import Keypoints


def project(
    points: Float[Tensor, "*b v 3"], scale: Float[Tensor, "*b"], translation: Float[Tensor, "*b 2"]
) -> Float[Tensor, "*b v 3"]:
    """Return where body points are seen: ``pixel = scale * X[:2] + translation``.

    Args:
        points: ``*b v 3`` metres, camera axes (x right, y down, z away), pelvis at the origin.
        scale: ``*b`` pixels per metre.
        translation: ``*b 2`` pixel position (x, y) of the origin; 0, 0 is the outer corner of the
            first pixel.

    Returns:
        ``*b v 3``: x and y in pixels, depth in pixels (``scale * z``, larger is further away).
    """
    scaled = scale[..., None, None] * points
    return torch.cat((scaled[..., :2] + translation[..., None, :], scaled[..., 2:]), dim=-1)


_FACE = [
    KEYPOINT_NAMES.index(name)
    for name in ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
]
_SLACK = (0.05, 0.05, 0.05, 0.1, 0.1)
"""Metres behind the surface from which on these points count as hidden: hair may lie over ears."""


def hide_face(
    points: Float[Tensor, "t k 3"], depth: Float[Tensor, "t h w"], scale: Float[Tensor, "t"]
) -> Keypoints:
    """Return keypoints with confidence 1, or 0 for points of the face that the body hides.

    Args:
        points: projected keypoints (x, y, depth) in pixels, in the order of `KEYPOINT_NAMES`.
        depth: of the drawn body in pixels, infinite off the body.
        scale: pixels per metre.
    """
    height, width = depth.shape[1:]
    row = points[:, _FACE, 1].long().clamp(0, height - 1)
    column = points[:, _FACE, 0].long().clamp(0, width - 1)
    frame = torch.arange(len(points), device=points.device)[:, None]
    front = depth[frame, row, column] + points.new_tensor(_SLACK) * scale[:, None]
    confidence = torch.ones_like(points[..., :1])
    confidence[:, _FACE, 0] = (points[:, _FACE, 2] <= front).to(confidence)
    return torch.cat([points[..., :2], confidence], dim=-1)
