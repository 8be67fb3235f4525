"""Regions of pixels: bounding box, nearest pixel, least value around, speckles."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional


def nearest_pixel(
    marked: Bool[Tensor, "t h w"], reach: int
) -> tuple[Int[Tensor, "t h w"], Int[Tensor, "t h w"]]:
    """Find the nearest marked pixel within a distance (Euclidean, between pixel centres).

    Two passes as in Felzenszwalb and Huttenlocher's transform: along rows, then along columns. Of
    equally near pixels the one in the upper row wins, in one row the left one.

    Args:
        marked: what to look for.
        reach: largest distance in pixels, below 2000.

    Returns:
        Row and column of the nearest marked pixel; both -1 where none is within reach.
    """
    frames, height, width = marked.shape
    column = torch.arange(width, dtype=torch.int32, device=marked.device)
    far = width + reach + 1
    left = torch.where(marked, column, -far).cummax(dim=2).values
    right = torch.where(marked, column, 2 * far).flip(2).cummin(dim=2).values.flip(2)
    in_row = torch.where(column - left <= right - column, left, right)
    # Key of a candidate: squared distance, then the row's offset. The least key wins.
    beyond = (reach + 1) ** 2
    steps = 2 * reach + 1
    short = (beyond + reach * reach + 1) * steps < 2**15
    kind = torch.int16 if short else torch.int32
    squared = ((in_row - column).abs().clamp(max=reach + 1) ** 2 * steps).to(kind)
    padded = torch.full(
        (frames, height + 2 * reach, width), beyond * steps, dtype=kind, device=marked.device
    )
    padded[:, reach : reach + height] = squared
    best = torch.full_like(squared, beyond * steps)
    candidate = torch.empty_like(best)
    for offset in range(steps):
        key = (offset - reach) ** 2 * steps + offset
        torch.add(padded[:, offset : offset + height], key, out=candidate)
        torch.minimum(best, candidate, out=best)
    found = best < (reach * reach + 1) * steps
    row = torch.arange(height, dtype=torch.int32, device=marked.device)[:, None]
    row = torch.where(found, row + best.int() % steps - reach, 0)
    flat = rearrange(in_row, "t h w -> t (h w)")
    index = rearrange(row.long() * width + column, "t h w -> t (h w)")
    nearest = rearrange(flat.gather(1, index), "t (h w) -> t h w", h=height)
    return torch.where(found, row, -1).long(), torch.where(found, nearest, -1).long()


def least_near(
    values: Float[Tensor, "t h w"] | Bool[Tensor, "t h w"], radius: int
) -> Float[Tensor, "t h w"] | Bool[Tensor, "t h w"]:
    """Return the least value in each square neighbourhood: of a region, its erosion.

    Args:
        radius: pixels of the square to each side; beyond the border nothing counts.
    """
    side = 2 * radius + 1
    least = functional.pad(values, (radius,) * 4, value=torch.inf)
    for dim in (2, 1):
        width = 1
        while width < side:  # two spans that touch or overlap make one up to twice as wide
            step = min(width, side - width)
            count = least.shape[dim] - step
            least = torch.minimum(least.narrow(dim, 0, count), least.narrow(dim, step, count))
            width += step
    return least


_RADIUS = 2
"""Pixels to each side that count as neighbours: 24 of them."""
_STRETCH = 2.5
"""Times farther apart than in the frame that coherent neighbours may be in the photo."""
_FEWEST, _SHARE, _LONE = 11, 0.8, 3
"""A pixel stays with 11 coherent neighbours, or with four fifths of its known ones, at least 3.

A pixel on a straight edge has 14 neighbours on its side. A limb two pixels wide has nine, all of
them coherent.
"""


def speckles(position: Float[Tensor, "2 h w"], known: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """Return speckles: known pixels whose source position agrees with hardly any neighbour's.

    At rims, visible and fallback pixels alternate, and isolated pixels bring the colour of the
    body's other side along.

    Args:
        position: (x, y) in the photo, in its pixels.
        known: where positions count.
    """
    height, width = known.shape
    coherent = torch.zeros_like(known, dtype=torch.uint8)
    columns = range(-_RADIUS, _RADIUS + 1)
    for down, right in ((down, right) for down in range(_RADIUS + 1) for right in columns):
        if (down, right) <= (0, 0):
            continue
        here = slice(None), slice(0, height - down), slice(max(0, -right), width - max(0, right))
        there = slice(None), slice(down, height), slice(max(0, right), width - max(0, -right))
        squared_x, squared_y = (position[here] - position[there]).square_()
        near = squared_x.add_(squared_y) <= _STRETCH**2 * (down**2 + right**2)
        agree = near & known[here[1:]] & known[there[1:]]
        coherent[here[1:]] += agree
        coherent[there[1:]] += agree
    others = _around(known[None])[0] - 1
    return known & (coherent < _FEWEST) & (coherent < (_SHARE * others).clamp(min=_LONE))


def _around(region: Bool[Tensor, "t h w"]) -> UInt8[Tensor, "t h w"]:
    """Return how many pixels of the region lie in each pixel's 5x5 neighbourhood."""
    size = 2 * _RADIUS + 1
    padded = functional.pad(region.to(torch.uint8), (_RADIUS,) * 4)
    for dim, length in ((1, region.shape[1]), (2, region.shape[2])):
        parts = [padded.narrow(dim, shift, length) for shift in range(size)]
        padded = torch.stack(parts).sum(dim=0, dtype=torch.uint8)
    return padded


def region_box(region: Bool[Tensor, "h w"], margin: int) -> tuple[slice, slice]:
    """Return the rows and columns that hold a region and a margin around it.

    Of an empty region, those of the upper left pixel and its margin.
    """
    spans = []
    for dim in (1, 0):
        # The largest byte takes a hundredth of the time that `any` takes.
        some = region.view(torch.uint8).amax(dim=dim)
        used = torch.nonzero(some).flatten().tolist() or [0]
        spans.append(slice(max(used[0] - margin, 0), used[-1] + margin + 1))
    return spans[0], spans[1]
