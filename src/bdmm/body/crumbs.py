"""Single pixels and threads that have nothing to do with what is around them."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional

_REACH = 2
"""Pixels to each side that count as neighbours."""
_STRETCH = 2.5
"""How many times as far apart neighbours may be in the photo."""
_FEWEST = 11
"""Neighbours of 24 that a pixel must go together with, or else with `_SHARE` of the known ones."""
_SHARE, _LONE = 0.8, 3
"""So that a limb two pixels wide is whole: it has few neighbours, but goes together with them.
With fewer than three a pixel is alone."""


def crumbs(place: Float[Tensor, "2 h w"], known: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """Return known pixels that hardly any neighbour goes together with.

    At rims, what was seen and what is filled through the body alternate from pixel to pixel, and
    single pixels bring the colour of another side of the body along.

    Args:
        place: x and y in the photo, in its pixels.
        known: where they count.
    """
    height, width = known.shape
    company = torch.zeros_like(known, dtype=torch.uint8)
    offsets = [(down, right) for down in range(_REACH + 1) for right in range(-_REACH, _REACH + 1)]
    for down, right in offsets:
        if (down, right) <= (0, 0):
            continue
        here = slice(None), slice(0, height - down), slice(max(0, -right), width - max(0, right))
        there = slice(None), slice(down, height), slice(max(0, right), width - max(0, -right))
        across, along = (place[here] - place[there]).square_()
        near = across.add_(along) <= _STRETCH**2 * (down**2 + right**2)
        together = near & known[here[1:]] & known[there[1:]]
        company[here[1:]] += together
        company[there[1:]] += together
    others = _around(known[None])[0] - 1
    return known & (company < _FEWEST) & (company < (_SHARE * others).clamp(min=_LONE))


def solid(region: Bool[Tensor, "t h w"]) -> Bool[Tensor, "t h w"]:
    """Return where the region fills half of a pixel's 5x5 surroundings: no crumbs, no threads."""
    return _around(region) >= 12


def _around(region: Bool[Tensor, "t h w"]) -> UInt8[Tensor, "t h w"]:
    """Return how many pixels of the region lie in each pixel's surroundings, itself among them."""
    size = 2 * _REACH + 1
    padded = functional.pad(region.to(torch.uint8), (_REACH,) * 4)
    for dim, length in ((1, region.shape[1]), (2, region.shape[2])):
        parts = [padded.narrow(dim, shift, length) for shift in range(size)]
        padded = torch.stack(parts).sum(dim=0, dtype=torch.uint8)
    return padded
