"""Pose heatmaps: one Gaussian per joint, the networks' picture of a pose."""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.records import COCO18, Conditions
from bdmm.shapes import Keypoints, PoseHeatmaps

SIGMA = 6 / 256
"""Standard deviation of a Gaussian, of the picture's shorter side (the paper's 6 px at 256)."""
_TAIL = 1e-10
"""A Gaussian's factor below it is zero: products of tails are denormal numbers, on which
convolutions run ten times slower."""


def window_heatmaps(conditions: Conditions, shrink: int = 1) -> PoseHeatmaps:
    """Draw the joints of a window's frames; padding stays zero.

    Args:
        shrink: pixels of the frames per pixel of the heatmaps.
    """
    extent, side = conditions.extent or conditions.size, conditions.side or min(conditions.size)
    (height, width), (rows, columns) = (
        [-(-length // shrink) for length in size] for size in (conditions.size, extent)
    )
    flat = rearrange(conditions.keypoints, "b t k xyc -> (b t) k xyc")
    flat = flat / flat.new_tensor([shrink, shrink, 1])
    maps = pose_heatmaps(flat, (rows, columns), conditions.joints, side / shrink)
    if (rows, columns) != (height, width):
        maps = functional.pad(maps, (0, width - columns, 0, height - rows))
    return rearrange(maps, "(b t) k h w -> b t k h w", t=conditions.frame_count)


def pose_heatmaps(
    keypoints: Keypoints,
    size: tuple[int, int],
    joints: Sequence[int] = COCO18,
    side: float | None = None,
) -> Float[Tensor, "t k2 h w"]:
    """Draw each joint as a Gaussian of height one.

    Args:
        keypoints: ``t 29 3`` (x, y, confidence) in pixels of the picture (0, 0 is the outer
            corner of the first pixel). A joint of confidence 0 is missing.
        joints: which keypoints to draw, in order: `records.COCO18` (the paper's) or
            `records.BODY25` (the released network's).
        side: shorter side of the whole picture, where this is a part of one; None: of this one.

    Returns:
        ``t k h w`` values in [0, 1]; a missing joint is an all-zero map.
    """
    height, width = size
    points = keypoints[:, list(joints)]
    sigma = SIGMA * (side or min(size))
    down = _bell(points[..., 1], height, sigma)
    across = _bell(points[..., 0], width, sigma)
    present = (points[..., 2] > 0).to(points.dtype)
    down = rearrange(down * present[..., None], "t k h -> t h 1 k")
    across = rearrange(across, "t k w -> t 1 w k")
    if not torch.is_grad_enabled():
        # The product lies as its factors do: channels last, which halves the convolution's time.
        # In training it would crash the gradients of PyTorch 2.13's convolution on a CPU.
        down, across = down.contiguous(), across.contiguous()
    return rearrange(down * across, "t h w k -> t k h w")


def _bell(centre: Float[Tensor, "t k"], length: int, sigma: float) -> Float[Tensor, "t k n"]:
    pixels = torch.arange(length, dtype=centre.dtype, device=centre.device) + 0.5
    bell = torch.exp(-0.5 * ((pixels - centre[..., None]) / sigma) ** 2)
    return torch.where(bell < _TAIL, 0.0, bell)
