"""Which bones join which, and which is whose mirror image."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bdmm.records import BONE_NAMES, BONE_PARENTS


def _adjacent_bones() -> Bool[Tensor, "n n"]:
    adjacent = torch.eye(len(BONE_PARENTS), dtype=torch.bool)
    for bone, parent in enumerate(BONE_PARENTS[1:], start=1):
        adjacent[bone, parent] = adjacent[parent, bone] = True
    return adjacent


def _other_sides() -> Int[Tensor, "n"]:
    swapped = {"left": "right", "right": "left"}
    parts = [name.partition("_") for name in BONE_NAMES]
    names = [swapped.get(side, side) + dash + rest for side, dash, rest in parts]
    return torch.tensor([BONE_NAMES.index(name) for name in names])


ADJACENT = _adjacent_bones()
"""``24 24`` each bone with itself, its parent and its children."""
OTHER_SIDE = _other_sides()
"""``24`` each bone's counterpart on the body's other side; itself in the middle."""
