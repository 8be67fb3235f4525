"""The smallest part of a picture that holds a region."""

import torch
from jaxtyping import Bool
from torch import Tensor


def region_box(region: Bool[Tensor, "h w"], margin: int) -> tuple[slice, slice]:
    """Return the rows and columns that hold a region and a margin around it.

    Of an empty region, those of the upper left pixel and its margin.
    """
    spans = []
    for dim in (1, 0):
        used = torch.nonzero(region.any(dim=dim)).flatten().tolist() or [0]
        spans.append(slice(max(used[0] - margin, 0), used[-1] + margin + 1))
    return spans[0], spans[1]
