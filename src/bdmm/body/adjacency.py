"""Which bones join which."""

import torch
from jaxtyping import Bool
from torch import Tensor

from bdmm.records import BONE_PARENTS


def _adjacent_bones() -> Bool[Tensor, "n n"]:
    adjacent = torch.eye(len(BONE_PARENTS), dtype=torch.bool)
    for bone, parent in enumerate(BONE_PARENTS[1:], start=1):
        adjacent[bone, parent] = adjacent[parent, bone] = True
    return adjacent


ADJACENT = _adjacent_bones()
"""``24 24`` each bone with itself, its parent and its children."""
