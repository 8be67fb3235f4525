"""The end of a residual block on a CPU, in one pass: shortcut, sum and bound.

`bdmm.network.layers.Shortcut` is its specification. Importing this module starts warp-lang; see
`bdmm.kernels.vector_code`.
"""

# pyright: reportInvalidTypeForm=false
from typing import NamedTuple, no_type_check

import torch
import warp as wp
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.kernels.vector_code import MATRIX_PRODUCT, VECTORS, Inputs, in_blocks, in_columns, vectors

wp.set_module_options({"enable_backward": False})

_PIXELS_AT_ONCE = 64


class _TaskFields:
    """A shortcut; see `fused_shortcut`. Tensors by their addresses, channels last."""

    first: wp.uint64
    second: wp.uint64
    columns: wp.uint64
    bias: wp.uint64
    added: wp.uint64
    out: wp.uint64
    pixels: wp.int32
    first_channels: wp.int32
    second_channels: wp.int32
    channels_out: wp.int32
    most: wp.float32


_Task = wp.struct(_TaskFields)

_CODE = """
const int channels = task.first_channels + task.second_channels, made = task.channels_out;
const int from = block * 64, left = task.pixels - from;
const int pixels = left < 64 ? left : 64;
const int all_made = (made + LANES - 1) / LANES * LANES;
float* joined = (float*)scratch;
float* products = joined + 64 * channels + LANES;
auto join = [&](const float* source, int count, int offset) {
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < count; c += LANES)
            store_some(joined + p * channels + offset + c,
                       load_some(source + (long)(from + p) * count + c, count - c), count - c);
};
join((const float*)task.first, task.first_channels, 0);
join((const float*)task.second, task.second_channels, task.first_channels);
product(joined, channels, (const float*)task.columns, products, pixels, channels, all_made);
for (int p = 0; p < pixels; p++) {
    float* sums = products + p * all_made;
    const long place = (long)(from + p) * made;
    Vector squares = {};
    for (int k = 0; k < made; k += LANES) {
        const int count = made - k;
        const Vector value = load(sums + k) + load_some((const float*)task.bias + k, count)
                             + load_some((const float*)task.added + place + k, count);
        store(sums + k, value);
        squares += value * value;
    }
    float scale = 1.0f;
    if (task.most > 0.0f) scale /= __builtin_sqrtf(1.0f + total(squares) / made / task.most);
    for (int k = 0; k < made; k += LANES)
        store_some((float*)task.out + place + k, load(sums + k) * scale, made - k);
}
"""


@no_type_check
@wp.func_native(VECTORS + MATRIX_PRODUCT + _CODE)
def _add(task: _Task, block: int, scratch: wp.uint64): ...


@no_type_check
@wp.kernel
def _add_block(task: _Task, first_block: int, scratch: wp.uint64):
    _add(task, first_block + wp.tid(), scratch)


class ShortcutKernel(NamedTuple):
    """A kernel made ready for `fused_shortcut`.

    Attributes:
        columns: laid out as the product reads it.
        channels_in: of all inputs together.
        channels_out: of the result.
    """

    columns: Float[Tensor, "_"]
    channels_in: int
    channels_out: int


def shortcut_kernel(weight: Float[Tensor, "o i 1 1"]) -> ShortcutKernel:
    """Make a kernel ready for `fused_shortcut`."""
    channels_out, channels_in = weight.shape[:2]
    rows = functional.pad(weight.flatten(1).mT, (0, vectors(channels_out) - channels_out))
    return ShortcutKernel(in_columns(rows[None]).flatten(), channels_in, channels_out)


def fused_shortcut(
    inputs: Inputs,
    kernel: ShortcutKernel,
    bias: Float[Tensor, "o"],
    added: Float[Tensor, "b o h w"],
    most: float = 0.0,
) -> Float[Tensor, "b o h w"]:
    """Convolve joined inputs pixel by pixel and add; single precision, no gradients.

    Args:
        added: to what is convolved.
        most: bound of the mean square of a pixel's channels (`bdmm.network.layers.bounded`); 0 for
            none.

    Returns:
        The sum, channels last in memory.
    """
    rows = [one.permute(0, 2, 3, 1).contiguous() for one in (*inputs, added)]
    out, parts = torch.empty_like(rows[-1]), [one.shape[3] for one in rows[:-1]]
    assert (sum(parts), out.shape[3]) == (kernel.channels_in, kernel.channels_out)
    assert all(one.dtype == torch.float32 for one in (*rows, kernel.columns, bias))

    task = _Task()
    task.first, task.second, task.added = (rows[i].data_ptr() for i in (0, -2, -1))
    task.columns, task.bias, task.out = kernel.columns.data_ptr(), bias.data_ptr(), out.data_ptr()
    task.first_channels, task.second_channels = parts[0], sum(parts[1:])
    task.channels_out, task.pixels, task.most = out.shape[3], out[..., 0].numel(), most
    numbers = _PIXELS_AT_ONCE * (sum(parts) + vectors(out.shape[3])) + vectors(1)
    in_blocks(_add_block, task, -(-task.pixels // _PIXELS_AT_ONCE), numbers)
    return out.permute(0, 3, 1, 2)
