"""The fixed-point grid of the rasterisers: positions as whole steps, so that results are exact."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

XY_STEPS = 1024
"""Fixed-point steps per pixel in x and y."""
Z_STEPS = 512
"""Fixed-point steps per pixel in depth."""
MAX_XY = 2048 * XY_STEPS
MAX_Z = 2048 * Z_STEPS
UNDRAWABLE = 2**30
"""Coordinates of a vertex that cannot be drawn; too far from all others to share a face."""
EMPTY = torch.iinfo(torch.int64).max
"""Key of a pixel that no face covers. Others are depth * 2**32 + face: the least one is seen."""


def fixed_point(vertices: Float[Tensor, "t v 3"]) -> Int[Tensor, "t v 3"]:
    """Round positions in pixels to fixed-point steps (int32)."""
    steps = vertices.new_tensor([XY_STEPS, XY_STEPS, Z_STEPS])
    points = torch.round(vertices.detach().float() * steps)
    usable = (points.abs() < UNDRAWABLE - MAX_XY).all(dim=-1, keepdim=True)
    return torch.where(usable, points, UNDRAWABLE).to(torch.int32)
