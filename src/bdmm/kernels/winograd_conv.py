"""Convolution 3x3 by Winograd's minimal filtering F(4x4, 3x3): a quarter of the multiplications.

The image is cut into tiles of 6x6 that overlap by two; tiles and kernel are transformed, multiplied
point by point (one matrix product for each of the 36 points), and transformed back to 4x4 outputs.
The transforms are matrix products with small constants, so wide layers gain the most. A. Lavin and
S. Gray, Fast Algorithms for Convolutional Neural Networks, 2015.

The transforms evaluate polynomials at five points and at infinity. The usual points 0, 1, -1, 2, -2
have short constants but lose a digit; these ones round no worse than the plain convolution does.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.shapes import Features

_POINTS = (0.0, 5 / 8, -5 / 8, 3 / 2, -3 / 2)


def _transforms() -> tuple[Float[Tensor, "36 36"], Float[Tensor, "36 9"], Float[Tensor, "16 36"]]:
    """Derive by Toom and Cook what takes tiles and kernels to the points, and outputs back."""
    tile, kernel, output = np.zeros((6, 6)), np.zeros((6, 3)), np.zeros((4, 6))
    for i, point in enumerate(_POINTS):
        others = [other for other in _POINTS if other != point]
        tile[i, :5] = np.poly(others)[::-1]
        kernel[i] = point ** np.arange(3) / np.prod([point - other for other in others])
        output[:, i] = point ** np.arange(4)
    tile[5] = np.poly(_POINTS)[::-1]
    kernel[5, 2] = output[3, 5] = 1
    on_tile, on_kernel, on_output = (np.kron(one, one) for one in (tile, kernel, output))
    return torch.from_numpy(on_tile), torch.from_numpy(on_kernel), torch.from_numpy(on_output)


_TO_POINTS, _KERNEL_TO_POINTS, _FROM_POINTS = _transforms()
_TILES_AT_ONCE = 128
"""So many tiles stay in a CPU's cache between the transforms."""


def winograd_kernel(weight: Float[Tensor, "o i 3 3"]) -> Float[Tensor, "36 i o"]:
    """Transform a kernel for `winograd_conv`, in its number type."""
    points = torch.einsum("pt,oit->pio", _KERNEL_TO_POINTS, weight.double().flatten(2).cpu())
    return points.to(weight).contiguous()


def winograd_conv(
    x: Features, kernel: Float[Tensor, "36 c o"], bias: Float[Tensor, "o"]
) -> Float[Tensor, "b o h w"]:
    """Do what ``conv2d(x, weight, bias, padding=1)`` does, faster.

    Works on channels-last memory
    and is much slower on any other.

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
