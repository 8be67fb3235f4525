"""The nearest marked pixel of every pixel, exact, on any device: a bounded distance transform."""

import torch
from einops import rearrange
from jaxtyping import Bool, Int
from torch import Tensor


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
