"""The weak-perspective camera: one scale for the whole person, no foreshortening."""

import torch
from jaxtyping import Float
from torch import Tensor


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


def unproject(
    pixels: Float[Tensor, "*b v 3"], scale: Float[Tensor, "*b"], translation: Float[Tensor, "*b 2"]
) -> Float[Tensor, "*b v 3"]:
    """Return the body points in metres that `project` puts at these pixels and depths."""
    centred = torch.cat((pixels[..., :2] - translation[..., None, :], pixels[..., 2:]), dim=-1)
    return centred / scale[..., None, None]
