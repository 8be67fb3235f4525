"""The skeleton's topology: adjacent and mirrored bones, and the body part nearest to a pixel."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bdmm.body.regions import nearest_pixel
from bdmm.records import BONE_NAMES, BONE_PARENTS


def _adjacent_bones() -> Bool[Tensor, "n n"]:
    adjacent = torch.eye(len(BONE_PARENTS), dtype=torch.bool)
    for bone, parent in enumerate(BONE_PARENTS[1:], start=1):
        adjacent[bone, parent] = adjacent[parent, bone] = True
    return adjacent


def other_sides(names: Sequence[str]) -> list[int]:
    """Return the place of each name's counterpart on the body's other side, left for right."""
    swapped = {"left": "right", "right": "left"}
    parts = [name.partition("_") for name in names]
    return [names.index(swapped.get(side, side) + dash + rest) for side, dash, rest in parts]


ADJACENT = _adjacent_bones()
"""``24 24`` each bone with itself, its parent and its children."""
OTHER_SIDE = torch.tensor(other_sides(BONE_NAMES))
"""``24`` each bone's counterpart on the body's other side; itself in the middle."""


HANDS = [bone for bone, name in enumerate(BONE_NAMES) if name.endswith(("_wrist", "_hand"))]
IS_HAND = torch.tensor([bone in HANDS for bone in range(len(BONE_NAMES))])
HAND_REACH = 0.04
"""Metres around hands that are theirs: fingers. What lies further out (a skirt) hangs elsewhere."""


def nearest_part(
    bone: Int[Tensor, "t h w"], reach: float, scale: float
) -> tuple[Int[Tensor, "t h w"], Int[Tensor, "t h w"]]:
    """Find the nearest pixel of the body, of its hands only if it is within `HAND_REACH`.

    Args:
        bone: at each pixel, -1 off the body.

    Returns:
        Its row and column; both -1 where there is none.
    """
    reach = max(1, round(reach))
    row, column = nearest_pixel(bone >= 0, reach)
    hand = IS_HAND.to(bone.device)[bone]
    frame = torch.arange(len(bone), device=bone.device)[:, None, None]
    own_row = torch.arange(bone.shape[1], device=bone.device)[:, None]
    own_column = torch.arange(bone.shape[2], device=bone.device)
    beyond = (row - own_row) ** 2 + (column - own_column) ** 2 > (HAND_REACH * scale) ** 2
    beyond &= hand[frame, row, column] & (row >= 0)
    if not beyond.any():
        return row, column
    other_row, other_column = nearest_pixel((bone >= 0) & ~hand, reach)
    return torch.where(beyond, other_row, row), torch.where(beyond, other_column, column)
