"""Convolution whose taps are moved by offsets, weighted by masks, with a kernel for each sample.

The fast implementation never forms the four corner values of a tap: the features become a table
with one row for each pixel, and a tap is a weighted sum of four rows (`embedding_bag`, one
vectorised pass on CPU and on GPU, differentiable in rows and weights). One matrix product with the
kernel follows.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from bdmm.shapes import Features

_CHUNK = 2**19
"""Sampled values handled at once on a CPU, so that they stay in its cache."""


def modulated_deform_conv(
    features: Features,
    offsets: Float[Tensor, "b p2 h w"],
    masks: Float[Tensor, "b p h w"],
    kernel: Float[Tensor, "n o c k k"],
    implementation: Literal["fast", "reference"] = "fast",
) -> Float[Tensor, "b o h w"]:
    """Convolve ``features`` at moved positions (equation 2): stride 1, output as large as input.

    ``out(q) = sum over taps t of kernel_t . masks_t(q) . features(q + place of t + offsets_t(q))``,
    read bilinearly; outside the features everything is zero, corner by corner.

    Convention:
        Tap ``t = k * row + column`` of the kernel; its place is ``(row, column) - k // 2``. Offsets
        are displacements in pixels of ``features``: channel ``2t`` is dy (down), ``2t + 1`` is dx
        (right). A grid, in contrast, holds (x, y).

    Args:
        offsets: displacement of each tap at each output pixel; p = k * k, p2 = 2 * p.
        masks: weight of each tap at each output pixel.
        kernel: one for each sample, or one that all share.
        implementation: ``reference`` is the specification in plain steps, slow.

    Returns:
        The convolved features, in their number type and memory layout.
    """
    if implementation == "reference":
        return modulated_deform_conv_ref(features, offsets, masks, kernel)
    batch, channels, height, width = features.shape
    taps = masks.shape[1]
    indices, weights = _corners(offsets, masks, height, width)
    indices = indices.view(batch, -1, 4 * taps)
    weights = weights.to(features.dtype).view(batch, -1, 4 * taps)
    # Two empty rows and columns after the image and one before: no position needs a border test.
    table = functional.pad(features.permute(0, 2, 3, 1), (0, 0, 1, 2, 1, 2)).reshape(-1, channels)
    flat_kernel = kernel.to(features.dtype).permute(0, 1, 3, 4, 2).flatten(2)
    pixels = height * width
    at_once = max(1, _CHUNK // (taps * channels)) if features.device.type == "cpu" else pixels
    channels_last = features.is_contiguous(memory_format=torch.channels_last)
    parts = []
    for start in range(0, pixels, at_once):
        part = slice(start, start + at_once)
        sampled = _sum_rows(table, indices[:, part].reshape(-1, 4), weights[:, part].reshape(-1, 4))
        sampled = sampled.view(batch, -1, taps * channels)
        parts.append(sampled @ flat_kernel.mT if channels_last else flat_kernel @ sampled.mT)
    if channels_last:
        return torch.cat(parts, dim=1).unflatten(1, (height, width)).permute(0, 3, 1, 2)
    return torch.cat(parts, dim=2).unflatten(2, (height, width))


def _sum_rows(
    table: Float[Tensor, "r c"], indices: Int[Tensor, "n 4"], weights: Float[Tensor, "n 4"]
) -> Float[Tensor, "n c"]:
    """Return weighted sums of four rows of a table each."""
    sparse = table.device.type == "cpu" and table.dtype in (torch.float32, torch.float64)
    if sparse and torch.is_grad_enabled():
        return _SumRows.apply(table, indices, weights)
    return functional.embedding_bag(indices, table, per_sample_weights=weights, mode="sum")


class _SumRows(torch.autograd.Function):
    """`embedding_bag` on a CPU with a faster gradient: its own sorts all indices."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, table: Tensor, indices: Tensor, weights: Tensor
    ) -> Tensor:
        """Return the weighted sums of rows."""
        ctx.save_for_backward(table, indices, weights)
        return functional.embedding_bag(indices, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, None, Tensor | None]:
        """Return the gradients of the table and of the weights, where they are asked for."""
        from scipy.sparse import csc_matrix

        table, indices, weights = ctx.saved_tensors
        of_table = of_weights = None
        if ctx.needs_input_grad[0]:
            starts = torch.arange(0, indices.numel() + 1, 4, dtype=indices.dtype)
            entries = (one.flatten().numpy() for one in (weights, indices, starts))
            shares = csc_matrix(tuple(entries), shape=(len(table), len(indices)))
            of_table = torch.from_numpy(shares @ gradient.numpy())
        if ctx.needs_input_grad[2]:
            bags = torch.arange(len(indices), dtype=indices.dtype).repeat_interleave(4)
            of_weights = torch.ops.aten._embedding_bag_per_sample_weights_backward(
                gradient, table, indices.flatten(), bags[::4] * 4, bags, 0
            ).view_as(weights)
        return of_table, None, of_weights


def modulated_deform_conv_ref(
    features: Features,
    offsets: Float[Tensor, "b p2 h w"],
    masks: Float[Tensor, "b p h w"],
    kernel: Float[Tensor, "n o c k k"],
) -> Float[Tensor, "b o h w"]:
    """Specify `modulated_deform_conv`: the sum over taps, written as in equation 2."""
    size = kernel.shape[-1]
    height, width = features.shape[-2:]
    rows = torch.arange(height, device=features.device, dtype=offsets.dtype)[:, None]
    columns = torch.arange(width, device=features.device, dtype=offsets.dtype)[None, :]
    out = features.new_zeros(*kernel.shape[:2], height, width)
    for tap in range(size * size):
        y = rows + tap // size - size // 2 + offsets[:, 2 * tap]
        x = columns + tap % size - size // 2 + offsets[:, 2 * tap + 1]
        sampled = masks[:, tap, None] * _bilinear(features, y, x)
        weight = kernel[..., tap // size, tap % size]
        out = out + torch.einsum("boc,bchw->bohw", weight, sampled)
    return out


def _bilinear(
    features: Features, y: Float[Tensor, "b h w"], x: Float[Tensor, "b h w"]
) -> Float[Tensor, "b c h w"]:
    """Sample features at positions (y, x) in pixels, a corner outside counting as zero."""
    channels, height, width = features.shape[1:]
    top, left = y.floor(), x.floor()
    out = torch.zeros_like(features)
    for corner_y in (top, top + 1):
        for corner_x in (left, left + 1):
            weight = (1 - (y - corner_y).abs()) * (1 - (x - corner_x).abs())
            inside = (corner_y >= 0) & (corner_y < height) & (corner_x >= 0) & (corner_x < width)
            index = corner_y.clamp(0, height - 1) * width + corner_x.clamp(0, width - 1)
            index = index.long().flatten(1)[:, None].expand(-1, channels, -1)
            value = features.flatten(2).gather(2, index).view_as(out)
            out = out + (weight * inside)[:, None] * value
    return out


def _corners(
    offsets: Float[Tensor, "b p2 h w"], masks: Float[Tensor, "b p h w"], height: int, width: int
) -> tuple[Int[Tensor, "n 4"], Float[Tensor, "n 4"]]:
    """Give rows of the padded table and their weights, by sample, pixel and tap."""
    taps = masks.shape[1]
    size = round(taps**0.5)
    place = torch.arange(size, device=offsets.device, dtype=offsets.dtype) - size // 2
    # Positions in the padded table, whose first row and column lie at -1.
    rows = torch.arange(1, height + 1, device=offsets.device, dtype=offsets.dtype)[:, None, None]
    columns = torch.arange(1, width + 1, device=offsets.device, dtype=offsets.dtype)[:, None]
    moved = offsets.unflatten(1, (taps, 2)).permute(2, 0, 3, 4, 1).contiguous()
    y = (moved[0] + (rows + place.repeat_interleave(size))).clamp(0, height + 1)
    x = (moved[1] + (columns + place.repeat(size))).clamp(0, width + 1)
    top, left = y.detach().floor(), x.detach().floor()

    stride = width + 3
    sample_rows = (height + 3) * stride
    first = (top * stride + left).to(torch.int32).clamp(0, sample_rows - stride - 2)
    samples = torch.arange(len(first), device=first.device, dtype=torch.int32)
    first = first + sample_rows * samples.view(-1, 1, 1, 1)
    steps = torch.tensor([0, 1, stride, stride + 1], device=first.device, dtype=torch.int32)
    indices = first.view(-1, 1) + steps

    down, right = y - top, x - left
    masks = masks.permute(0, 2, 3, 1).contiguous()
    below = masks * down
    above = masks - below
    above_right, below_right = above * right, below * right
    weights = (above - above_right, above_right, below - below_right, below_right)
    return indices, torch.stack(weights, dim=-1).view(-1, 4)
