"""Growing pictures and conditions to sizes that a network takes."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.body.mesh_flow import NOWHERE


def padded_size(size: tuple[int, int], step: int, least: int) -> tuple[int, int]:
    """Return the next (height, width) that are multiples of ``step`` and at least ``least``."""
    height, width = (max(-(-side // step) * step, least) for side in size)
    return height, width


def pad_image(image: Float[Tensor, "c h w"], size: tuple[int, int]) -> Float[Tensor, "c h1 w1"]:
    """Grow a picture to the right and below by repeating its rim."""
    return pad_frames(image[None], size)[0]


def pad_frames(
    frames: Float[Tensor, "t c h w"], size: tuple[int, int]
) -> Float[Tensor, "t c h1 w1"]:
    """Grow frames to the right and below by repeating their rims."""
    height, width = frames.shape[-2:]
    grow = (0, size[1] - width, 0, size[0] - height)
    return functional.pad(frames, grow, mode="replicate")


def pad_heatmaps(
    heatmaps: Float[Tensor, "t k h w"], size: tuple[int, int]
) -> Float[Tensor, "t k h1 w1"]:
    """Grow heatmaps to the right and below by zeros."""
    height, width = heatmaps.shape[-2:]
    return functional.pad(heatmaps, (0, size[1] - width, 0, size[0] - height))


def pad_grid(grid: Float[Tensor, "t h w 2"], size: tuple[int, int]) -> Float[Tensor, "t h1 w1 2"]:
    """Grow a grid to the right and below by nowhere, for a source grown likewise.

    Convention: normalised (x, y) positions; the same places of the picture before and after.
    """
    height, width = grid.shape[1:3]
    shrink = grid.new_tensor([width / size[1], height / size[0]])
    moved = torch.where(grid == NOWHERE, NOWHERE, (grid + 1) * shrink - 1)
    grow = (0, 0, 0, size[1] - width, 0, size[0] - height)
    return functional.pad(moved, grow, value=NOWHERE)
