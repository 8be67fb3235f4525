"""Convolution 3x3 by Winograd's minimal filtering F(4x4, 3x3): a quarter of the multiplications.

The image is cut into tiles of 6x6 that overlap by two; tiles and kernel are transformed, multiplied
point by point (one matrix product for each of the 36 points), and transformed back to 4x4 outputs.
A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2015.

The transforms evaluate polynomials at five points and at infinity. The usual points 0, 1, -1, 2, -2
have short constants but lose a digit; these ones round about as well as the plain convolution does.

Importing this module starts warp-lang; see `bdmm.kernels.vector_code`.
"""

# pyright: reportInvalidTypeForm=false

from typing import NamedTuple, no_type_check

import numpy as np
import torch
import warp as wp
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bdmm.kernels.vector_code import (
    LANES,
    MATRIX_PRODUCT,
    VECTORS,
    Inputs,
    in_blocks,
    in_columns,
    vectors,
)

wp.set_module_options({"enable_backward": False})

_POINTS = (0.0, 5 / 8, -5 / 8, 3 / 2, -3 / 2)
_LEAST_TILES = 24
"""So many tiles stay in a CPU's cache between the transforms."""


class _TaskFields:
    """A convolution; see `winograd_conv`. Tensors by their addresses."""

    first: wp.uint64
    second: wp.uint64
    points: wp.uint64
    bias: wp.uint64
    out: wp.uint64
    samples: wp.int32
    height: wp.int32
    width: wp.int32
    first_channels: wp.int32
    second_channels: wp.int32
    channels_out: wp.int32
    phases: wp.int32
    block: wp.int32
    slope: wp.float32


_Task = wp.struct(_TaskFields)

_CODE = """
const float a = 0.625f, b = 1.5f, aa = a * a, bb = b * b, aabb = aa * bb, sum = aa + bb;
const int height = task.height, width = task.width;
const int rows = (height + 3) / 4, columns = (width + 3) / 4;
const int from = block * task.block;
const int left = task.samples * rows * columns - from;
const int tiles = left < task.block ? left : task.block;
auto padded = [](int channels) { return (channels + LANES - 1) / LANES * LANES; };
const int depth = task.first_channels + task.second_channels;
// Vectors end beyond the channels of one input: the next one writes over it, or nobody reads it.
const int stride = depth + LANES;
const int per_phase = padded(task.channels_out), all_out = task.phases * per_phase;
// A little apart from round numbers, so that points do not fall on the same lines of a cache.
const long in_step = (long)task.block * stride + 16, out_step = (long)task.block * all_out + 16;
float* in_points = (float*)scratch;
float* out_points = in_points + 36 * in_step;

auto to_points = [&](const float* d, long step, float* to, long apart) {
    const Vector d1 = load(d + step), d2 = load(d + 2 * step), d3 = load(d + 3 * step);
    const Vector d4 = load(d + 4 * step);
    const Vector even = d4 - bb * d2, odd = a * (d3 - bb * d1);
    const Vector even2 = d4 - aa * d2, odd2 = b * (d3 - aa * d1);
    store(to, aabb * load(d) - sum * d2 + d4);
    store(to + apart, even + odd);
    store(to + 2 * apart, even - odd);
    store(to + 3 * apart, even2 + odd2);
    store(to + 4 * apart, even2 - odd2);
    store(to + 5 * apart, aabb * d1 - sum * d3 + load(d + 5 * step));
};
auto take_tiles = [&](const float* source, int channels, int offset) {
    float rim[36 * LANES], half[36 * LANES];
    for (int t = 0; t < tiles; t++) {
        const int tile = from + t, sample = tile / (rows * columns);
        const int y = tile / columns % rows * 4 - 1, x = tile % columns * 4 - 1;
        const bool inside = y >= 0 && x >= 0 && y + 6 <= height && x + 6 <= width;
        for (int c = 0; c < channels; c += LANES) {
            const float* corner = source + ((long)(sample * height + y) * width + x) * channels + c;
            long right = channels, down = (long)width * channels;
            if (!inside || c + LANES > channels) {
                for (int n = 0; n < 36; n++) {
                    const int i = n / 6, j = n % 6;
                    const bool there = y + i >= 0 && y + i < height && x + j >= 0 && x + j < width;
                    const Vector nothing = {};
                    const float* pixel = corner + i * down + j * right;
                    store(rim + n * LANES, there ? load_some(pixel, channels - c) : nothing);
                }
                corner = rim, right = LANES, down = 6 * LANES;
            }
            for (int j = 0; j < 6; j++)
                to_points(corner + j * right, down, half + j * LANES, 6 * LANES);
            float* to = in_points + (long)t * stride + offset + c;
            for (int i = 0; i < 6; i++)
                to_points(half + 6 * i * LANES, LANES, to + 6 * i * in_step, in_step);
        }
    }
};
take_tiles((const float*)task.first, task.first_channels, 0);
take_tiles((const float*)task.second, task.second_channels, task.first_channels);

const float* points = (const float*)task.points;
for (int p = 0; p < 36; p++)
    product(in_points + p * in_step, stride, points + (long)p * depth * all_out,
            out_points + p * out_step, tiles, depth, all_out);

auto from_points = [&](Vector m0, Vector m1, Vector m2, Vector m3, Vector m4, Vector m5,
                       Vector* to, int step) {
    Vector s = m1 + m2, d = m1 - m2, s2 = m3 + m4, d2 = m3 - m4;
    to[0] = m0 + s + s2;
    to[step] = a * d + b * d2;
    to[2 * step] = aa * s + bb * s2;
    to[3 * step] = a * aa * d + b * bb * d2 + m5;
};
const int scale = task.phases == 4 ? 2 : 1;
const long right = scale * task.channels_out, down = right * scale * width;
for (int t = 0; t < tiles; t++) {
    const int tile = from + t, sample = tile / (rows * columns);
    const int y = tile / columns % rows * 4, x = tile % columns * 4;
    for (int k = 0; k < all_out; k += LANES) {
        const int phase = k / per_phase, c = k % per_phase, count = task.channels_out - c;
        const long corner = ((long)sample * height + y) * down + x * right + c
                            + (phase / 2 * (long)width * scale + phase % 2) * task.channels_out;
        const float* at = out_points + (long)t * all_out + k;
        Vector half[24];
        for (int j = 0; j < 6; j++) {
            const float* point = at + j * out_step;
            from_points(load(point), load(point + 6 * out_step), load(point + 12 * out_step),
                        load(point + 18 * out_step), load(point + 24 * out_step),
                        load(point + 30 * out_step), half + j, 6);
        }
        const Vector bias = load_some((const float*)task.bias + c, count);
        for (int i = 0; i < 4 && y + i < height; i++) {
            Vector* m = half + 6 * i;
            Vector line[4];
            from_points(m[0], m[1], m[2], m[3], m[4], m[5], line, 1);
            const long place = corner + i * down;
            for (int j = 0; j < 4 && x + j < width; j++) {
                const Vector value = leaky(line[j] + bias, task.slope);
                store_some((float*)task.out + place + j * right, value, count);
            }
        }
    }
}
"""


@no_type_check
@wp.func_native(VECTORS + MATRIX_PRODUCT + _CODE)
def _convolve(task: _Task, block: int, scratch: wp.uint64): ...


@no_type_check
@wp.kernel
def _convolve_block(task: _Task, first_block: int, scratch: wp.uint64):
    _convolve(task, first_block + wp.tid(), scratch)


class WinogradKernel(NamedTuple):
    """A kernel made ready for `winograd_conv`.

    Attributes:
        points: transformed, laid out as the products read it.
        channels_in: of all inputs together.
        channels_out: of the result.
        phases: 4 where the result has twice the inputs' size, else 1.
    """

    points: Float[Tensor, "_"]
    channels_in: int
    channels_out: int
    phases: int = 1


def _kernel_to_points() -> Float[Tensor, "36 9"]:
    """Derive by Toom and Cook what takes a kernel to the points."""
    kernel = np.zeros((6, 3))
    for i, point in enumerate(_POINTS):
        kernel[i] = point ** np.arange(3) / np.prod([point - p for p in _POINTS if p != point])
    kernel[5, 2] = 1
    return torch.from_numpy(np.kron(kernel, kernel))


def winograd_kernel(weight: Float[Tensor, "o i 3 3"], phases: int = 1) -> WinogradKernel:
    """Make a kernel ready for `winograd_conv`.

    Args:
        phases: 4 where outputs are the four pixels of a square: left to right, then down.
    """
    points = torch.einsum("pt,oit->pio", _kernel_to_points(), weight.double().flatten(2))
    each = points.to(weight).chunk(phases, dim=2)
    channels_in, channels_out = each[0].shape[1:]
    padding = (0, vectors(channels_out) - channels_out)
    points = in_columns(torch.cat([functional.pad(one, padding) for one in each], dim=2))
    return WinogradKernel(points.flatten(), channels_in, channels_out, phases)


def doubling_kernel(weight: Float[Tensor, "o i 3 3"]) -> WinogradKernel:
    """Make a kernel ready that convolves transposed with stride 2, then blurs (`layers.blur`)."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=weight.dtype, device=weight.device) / 4
    blur = torch.outer(taps, taps).expand(weight.shape[1], 1, 4, 4)
    # Output 2 q + r takes input q + s through element r - 2 s + 2 of the two together.
    whole = functional.conv2d(weight, blur, padding=3, groups=weight.shape[1])
    pixels = [whole[:, :, down : down + 5 : 2, right : right + 5 : 2]
              for down in (0, 1) for right in (0, 1)]  # fmt: skip
    return winograd_kernel(torch.cat(pixels).flip(2, 3), phases=4)


def winograd_conv(
    inputs: Inputs, kernel: WinogradKernel, bias: Float[Tensor, "o"], slope: float = 1.0
) -> Float[Tensor, "b o h2 w2"]:
    """Convolve joined inputs, add a bias, apply a leaky ReLU; single precision, no gradients.

    Args:
        inputs: read without copies where they lie channels last in memory.
        slope: of the leaky ReLU for negative results; 1 for none.

    Returns:
        The convolved features, channels last in memory.
    """
    rows = [one.permute(0, 2, 3, 1).contiguous() for one in inputs]
    batch, height, width, _ = rows[0].shape
    tiles = batch * -(-height // 4) * -(-width // 4)
    scale = 2 if kernel.phases == 4 else 1
    out = rows[0].new_empty(batch, height * scale, width * scale, kernel.channels_out)
    parts = [one.shape[3] for one in rows]
    assert sum(parts) == kernel.channels_in
    assert all(one.dtype == torch.float32 for one in (*rows, kernel.points, bias))

    task = _Task()
    task.first, task.second = rows[0].data_ptr(), rows[-1].data_ptr()
    task.first_channels, task.second_channels = parts[0], sum(parts[1:])
    task.points, task.bias, task.out = kernel.points.data_ptr(), bias.data_ptr(), out.data_ptr()
    task.samples, task.height, task.width = batch, height, width
    task.channels_out, task.phases, task.slope = kernel.channels_out, kernel.phases, slope
    made, read = kernel.phases * vectors(kernel.channels_out), sum(parts) + LANES
    # Wide kernels are read from further away than tiles: as much of them as of tiles.
    at_once = max(_LEAST_TILES, read * made // (2 * (read + made)))
    task.block = min(at_once, -(-tiles // torch.get_num_threads()))
    blocks = -(-tiles // task.block)
    in_blocks(_convolve_block, task, blocks, 36 * (task.block * (read + made) + 32))
    return out.permute(0, 3, 1, 2)


class WinogradConv3x3(nn.Module):
    """A trained 3x3 convolution of joined inputs with stride and padding one, on a CPU."""

    def __init__(self, weight: Float[Tensor, "o i 3 3"], bias: Float[Tensor, "o"]) -> None:
        super().__init__()
        self.kernel, self.bias = winograd_kernel(weight.detach()), bias.detach()

    def forward(
        self, *inputs: Float[Tensor, "b _ h w"], slope: float = 1.0
    ) -> Float[Tensor, "b o h w"]:
        """Convolve, keeping the resolution, and apply a leaky ReLU."""
        return winograd_conv(inputs, self.kernel, self.bias, slope)
