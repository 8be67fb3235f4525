"""The norm of each pixel's channels with the leaky ReLU after it, on a CPU, in one pass.

`bdmm.network.layers.PixelNorm` is its specification. Importing this module starts warp-lang; see
`bdmm.kernels.vector_code`.
"""

# pyright: reportInvalidTypeForm=false
from typing import no_type_check

import torch
import warp as wp
from jaxtyping import Float
from torch import Tensor

from bdmm.kernels.vector_code import VECTORS, Inputs, in_blocks, vectors
from bdmm.shapes import Features

wp.set_module_options({"enable_backward": False})

_PIXELS_AT_ONCE = 1024


class _TaskFields:
    """A norm; see `fused_pixel_norm`. Tensors by their addresses, channels last."""

    first: wp.uint64
    second: wp.uint64
    gain: wp.uint64
    bias: wp.uint64
    out: wp.uint64
    pixels: wp.int32
    first_channels: wp.int32
    second_channels: wp.int32
    block: wp.int32
    slope: wp.float32


_Task = wp.struct(_TaskFields)

_CODE = """
const int channels = task.first_channels + task.second_channels;
const int from = block * task.block, left = task.pixels - from;
const int pixels = left < task.block ? left : task.block;
float* pixel = (float*)scratch;
for (int p = from; p < from + pixels; p++) {
    const float* first = (const float*)task.first + (long)p * task.first_channels;
    const float* second = (const float*)task.second + (long)p * task.second_channels;
    Vector sum = {}, squares = {};
    for (int c = 0; c < task.first_channels; c += LANES)
        store(pixel + c, load_some(first + c, task.first_channels - c));
    for (int c = 0; c < task.second_channels; c += LANES)
        store(pixel + task.first_channels + c, load_some(second + c, task.second_channels - c));
    for (int c = 0; c < channels; c += LANES) sum += load_some(pixel + c, channels - c);
    const float mean = total(sum) / channels;
    for (int c = 0; c < channels; c += LANES) {
        Vector away = load(pixel + c) - mean;
        for (int i = channels - c; i < LANES; i++) away[i] = 0.0f;
        store(pixel + c, away);
        squares += away * away;
    }
    const float scale = 1.0f / __builtin_sqrtf(total(squares) / channels + 1.0f);
    float* to = (float*)task.out + (long)p * channels;
    for (int c = 0; c < channels; c += LANES) {
        const int count = channels - c;
        const Vector gain = load_some((const float*)task.gain + c, count);
        const Vector value = load(pixel + c) * scale * gain
                             + load_some((const float*)task.bias + c, count);
        store_some(to + c, leaky(value, task.slope), count);
    }
}
"""


@no_type_check
@wp.func_native(VECTORS + _CODE)
def _normalise(task: _Task, block: int, scratch: wp.uint64): ...


@no_type_check
@wp.kernel
def _normalise_block(task: _Task, first_block: int, scratch: wp.uint64):
    _normalise(task, first_block + wp.tid(), scratch)


def fused_pixel_norm(
    inputs: Inputs,
    gain: Float[Tensor, "c 1 1"],
    bias: Float[Tensor, "c 1 1"],
    slope: float,
) -> Features:
    """Join one or two inputs, normalise and apply a leaky ReLU; single precision, no gradients.

    Returns:
        The features, channels last in memory.
    """
    rows = [one.permute(0, 2, 3, 1).contiguous() for one in inputs]
    parts = [one.shape[3] for one in rows]
    out = rows[0].new_empty(*rows[0].shape[:3], sum(parts))
    assert all(one.dtype == torch.float32 for one in (*rows, gain, bias))
    assert len(gain) == len(bias) == sum(parts)

    task = _Task()
    task.first, task.second = rows[0].data_ptr(), rows[-1].data_ptr()
    task.gain, task.bias, task.out = gain.data_ptr(), bias.data_ptr(), out.data_ptr()
    task.first_channels, task.second_channels = parts[0], sum(parts[1:])
    task.pixels, task.block, task.slope = out[..., 0].numel(), _PIXELS_AT_ONCE, slope
    blocks = -(-task.pixels // _PIXELS_AT_ONCE)
    in_blocks(_normalise_block, task, blocks, sum(map(vectors, parts)) + vectors(1))
    return out.permute(0, 3, 1, 2)
