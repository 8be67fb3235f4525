"""Which part of the body a place beside it belongs to."""

import torch
from jaxtyping import Int
from torch import Tensor

from bdmm.body.nearest_pixel import nearest_pixel
from bdmm.records import BONE_NAMES

HANDS = [bone for bone, name in enumerate(BONE_NAMES) if name.endswith(("_wrist", "_hand"))]
HAND_REACH = 0.04
"""Metres around hands that are theirs: fingers. What lies further out (a skirt) hangs elsewhere."""


def nearest_part(
    bone: Int[Tensor, "t h w"], reach: float, scale: float
) -> tuple[Int[Tensor, "t h w"], Int[Tensor, "t h w"]]:
    """Find the nearest pixel of the body, of its hands only if it is within `HAND_REACH`.

    Args:
        bone: at each pixel, -1 off the body.
        reach: largest distance in pixels.
        scale: pixels per metre.

    Returns:
        Its row and column; both -1 where there is none.
    """
    reach = max(1, round(reach))
    row, column = nearest_pixel(bone >= 0, reach)
    hand = torch.isin(bone, bone.new_tensor(HANDS))
    frame = torch.arange(len(bone), device=bone.device)[:, None, None]
    own_row = torch.arange(bone.shape[1], device=bone.device)[:, None]
    own_column = torch.arange(bone.shape[2], device=bone.device)
    beyond = (row - own_row) ** 2 + (column - own_column) ** 2 > (HAND_REACH * scale) ** 2
    beyond &= hand[frame, row, column] & (row >= 0)
    if not beyond.any():
        return row, column
    other_row, other_column = nearest_pixel((bone >= 0) & ~hand, reach)
    return torch.where(beyond, other_row, row), torch.where(beyond, other_column, column)
