"""The modulated deformable convolution for one kernel, on a CPU: sampled and multiplied in cache.

`bdmm.kernels.modulated_deform_conv` has its conventions and its specification. Importing this
module starts warp-lang; see `bdmm.kernels.vector_code`.
"""

# pyright: reportInvalidTypeForm=false
from typing import NamedTuple, no_type_check

import torch
import warp as wp
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.kernels.vector_code import MATRIX_PRODUCT, VECTORS, in_blocks, in_columns, vectors
from bdmm.shapes import Features

wp.set_module_options({"enable_backward": False})

_PIXELS_AT_ONCE = 64
"""So many pixels' samples stay in a CPU's cache until they are multiplied."""


class _TaskFields:
    """A convolution; see `fused_deform_conv`. Tensors by their addresses, channels last."""

    features: wp.uint64
    offsets: wp.uint64
    masks: wp.uint64
    kernel: wp.uint64
    bias: wp.uint64
    out: wp.uint64
    samples: wp.int32
    height: wp.int32
    width: wp.int32
    channels: wp.int32
    channels_out: wp.int32
    size: wp.int32
    slope: wp.float32


_Task = wp.struct(_TaskFields)

_CODE = """
const int height = task.height, width = task.width, channels = task.channels;
const int taps = task.size * task.size, depth = taps * channels;
const int from = block * 64, left = task.samples * height * width - from;
const int pixels = left < 64 ? left : 64;
const int all_out = (task.channels_out + LANES - 1) / LANES * LANES;
float* nothing = (float*)scratch;
float* sampled = nothing + channels + LANES;
float* made = sampled + (long)64 * depth + LANES;
for (int c = 0; c < channels; c++) nothing[c] = 0.0f;

for (int p = 0; p < pixels; p++) {
    const int pixel = from + p, row = pixel / width % height, column = pixel % width;
    const float* features = (const float*)task.features
                            + (long)(pixel / (height * width)) * height * width * channels;
    const float* moved = (const float*)task.offsets + (long)pixel * 2 * taps;
    const float* masks = (const float*)task.masks + (long)pixel * taps;
    for (int t = 0; t < taps; t++) {
        float y = row + t / task.size - task.size / 2 + moved[2 * t];
        float x = column + t % task.size - task.size / 2 + moved[2 * t + 1];
        // One pixel outside all is zero; what is no number stays so.
        y = y < -1.0f ? -1.0f : y > height ? height : y;
        x = x < -1.0f ? -1.0f : x > width ? width : x;
        const float top = __builtin_floorf(y), left = __builtin_floorf(x);
        const float below = masks[t] * (y - top), above = masks[t] - below;
        const float below_right = below * (x - left), above_right = above * (x - left);
        const int i = y == y ? (int)top : 0, j = x == x ? (int)left : 0;
        const float* corner[4];
        for (int n = 0; n < 4; n++) {
            const int r = i + n / 2, c = j + n % 2;
            const bool inside = r >= 0 && r < height && c >= 0 && c < width;
            corner[n] = inside ? features + ((long)r * width + c) * channels : nothing;
        }
        float* to = sampled + (long)p * depth + t * channels;
        auto blended = [&](auto load_one, int c) {
            store(to + c, (above - above_right) * load_one(corner[0] + c, channels - c)
                              + above_right * load_one(corner[1] + c, channels - c)
                              + (below - below_right) * load_one(corner[2] + c, channels - c)
                              + below_right * load_one(corner[3] + c, channels - c));
        };
        int c = 0;
        for (; c + LANES <= channels; c += LANES)
            blended([&](const float* one, int) { return load(one); }, c);
        if (c < channels) blended(load_some, c);
    }
}
product(sampled, depth, (const float*)task.kernel, made, pixels, depth, all_out);
for (int p = 0; p < pixels; p++)
    for (int k = 0; k < task.channels_out; k += LANES) {
        const int count = task.channels_out - k;
        const Vector bias = load_some((const float*)task.bias + k, count);
        const Vector value = load(made + p * all_out + k) + bias;
        float* to = (float*)task.out + (long)(from + p) * task.channels_out + k;
        store_some(to, leaky(value, task.slope), count);
    }
"""


@no_type_check
@wp.func_native(VECTORS + MATRIX_PRODUCT + _CODE)
def _convolve(task: _Task, block: int, scratch: wp.uint64): ...


@no_type_check
@wp.kernel
def _convolve_block(task: _Task, first_block: int, scratch: wp.uint64):
    _convolve(task, first_block + wp.tid(), scratch)


class FlatKernel(NamedTuple):
    """A kernel made ready for `fused_deform_conv`.

    Attributes:
        columns: laid out as the product reads it.
        channels_in: of the features.
        channels_out: of the result.
        size: rows and columns of taps.
    """

    columns: Float[Tensor, "_"]
    channels_in: int
    channels_out: int
    size: int


def flat_kernel(kernel: Float[Tensor, "o c k k"]) -> FlatKernel:
    """Make a kernel ready for `fused_deform_conv`."""
    channels_out, channels_in, size, _ = kernel.shape
    rows = kernel.detach().permute(2, 3, 1, 0).flatten(0, 2)
    rows = functional.pad(rows, (0, vectors(channels_out) - channels_out))
    return FlatKernel(in_columns(rows[None]).flatten(), channels_in, channels_out, size)


def fused_deform_conv(
    features: Features,
    offsets: Float[Tensor, "b p2 h w"],
    masks: Float[Tensor, "b p h w"],
    kernel: FlatKernel,
    bias: Float[Tensor, "o"],
    slope: float = 1.0,
) -> Float[Tensor, "b o h w"]:
    """Convolve at moved positions, add a bias, apply a leaky ReLU; single precision, no gradients.

    Args:
        offsets: see `bdmm.kernels.modulated_deform_conv.modulated_deform_conv`.
        masks: likewise.
        slope: of the leaky ReLU for negative results; 1 for none.

    Returns:
        The convolved features, channels last in memory.
    """
    batch, channels, height, width = features.shape
    taps = kernel.size**2
    given = [one.permute(0, 2, 3, 1).contiguous() for one in (features, offsets, masks)]
    out = features.new_empty(batch, height, width, kernel.channels_out)
    assert channels == kernel.channels_in
    assert all(one.dtype == torch.float32 for one in (*given, kernel.columns, bias))
    assert [one.shape[3] for one in given[1:]] == [2 * taps, taps]

    task = _Task()
    task.features, task.offsets, task.masks = (one.data_ptr() for one in given)
    task.kernel, task.bias, task.out = kernel.columns.data_ptr(), bias.data_ptr(), out.data_ptr()
    task.samples, task.height, task.width, task.size = batch, height, width, kernel.size
    task.channels, task.channels_out, task.slope = channels, kernel.channels_out, slope
    numbers = _PIXELS_AT_ONCE * (taps * channels + vectors(kernel.channels_out))
    numbers += channels + 2 * vectors(1)
    in_blocks(_convolve_block, task, -(-batch * height * width // _PIXELS_AT_ONCE), numbers)
    return out.permute(0, 3, 1, 2)
