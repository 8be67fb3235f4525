"""Convolution 3x3 by Winograd's minimal filtering F(4x4, 3x3): a quarter of the multiplications.

The image is cut into tiles of 6x6 that overlap by two; tiles and kernel are transformed, multiplied
point by point (one matrix product for each of the 36 points), and transformed back to 4x4 outputs.
The transforms are small matrix products too, so wide layers gain the most. A. Lavin, S. Gray, Fast
Algorithms for Convolutional Neural Networks, 2015; the matrices are those of its section 4.3.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.shapes import Features


def _both_axes(transform: Sequence[Sequence[float | int]]) -> Float[Tensor, "m n"]:
    """Combine a transform of rows and the same of columns into one."""
    one = torch.tensor(transform, dtype=torch.float64)
    return torch.kron(one, one)


_TO_POINTS = _both_axes(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_KERNEL_TO_POINTS = _both_axes(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
_FROM_POINTS = _both_axes(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
)
_TILES_AT_ONCE = 128
"""So many tiles stay in a CPU's cache between the transforms."""


def winograd_kernel(weight: Float[Tensor, "o i 3 3"]) -> Float[Tensor, "36 i o"]:
    """Transform a kernel for `winograd_conv`, in its number type."""
    points = torch.einsum("pt,oit->pio", _KERNEL_TO_POINTS, weight.double().flatten(2).cpu())
    return points.to(weight).contiguous()


def winograd_conv(
    x: Features, kernel: Float[Tensor, "36 c o"], bias: Float[Tensor, "o"]
) -> Float[Tensor, "b o h w"]:
    """Do what ``conv2d(x, weight, bias, padding=1)`` does, of which this is the fast twin.

    In single precision the result differs by about 1e-5 of its size. Works on channels-last memory
    and is much slower on any other.

    Args:
        x: features of any height and width.
        kernel: the transformed kernel.
        bias: one number for each output channel.

    Returns:
        The convolved features, channels last in memory.
    """
    batch, _, height, width = x.shape
    rows, columns = -(-height // 4), -(-width // 4)
    edges = (0, 0, 1, 4 * columns - width + 1, 1, 4 * rows - height + 1)
    padded = functional.pad(x.permute(0, 2, 3, 1), edges).contiguous()
    out = x.new_empty(batch, rows, 4, columns, 4, kernel.shape[2])
    to_points, from_points = _TO_POINTS.to(x), _FROM_POINTS.to(x)
    at_once = max(1, _TILES_AT_ONCE // columns)
    for sample in range(batch):
        for row in range(0, rows, at_once):
            strip = padded[sample, 4 * row : 4 * (row + at_once) + 2]
            convolved = _strip(strip, kernel, to_points, from_points)
            torch.add(convolved, bias, out=out[sample, row : row + at_once])
    return out.flatten(3, 4).flatten(1, 2)[:, :height, :width].permute(0, 3, 1, 2)


def _strip(
    strip: Float[Tensor, "hp wp c"],
    kernel: Float[Tensor, "36 c o"],
    to_points: Float[Tensor, "36 36"],
    from_points: Float[Tensor, "16 36"],
) -> Float[Tensor, "rows 4 columns 4 o"]:
    """Convolve a few rows of tiles."""
    tiles = strip.unfold(0, 6, 4).unfold(1, 6, 4)
    rows, columns, channels = tiles.shape[:3]
    points = to_points @ tiles.permute(3, 4, 0, 1, 2).reshape(36, -1)
    products = points.view(36, -1, channels) @ kernel
    out = from_points @ products.flatten(1)
    return out.view(4, 4, rows, columns, -1).permute(2, 0, 3, 1, 4)
