"""Convolutions in which every sample of a batch has a kernel of its own.

The reference implementations are one grouped convolution over all samples, whatever the batch. The
fast ones know that a single kernel, as a clip has, needs no groups: all samples share it.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.shapes import Features

Implementation = Literal["fast", "reference"]
Kernels = Float[Tensor, "n o i k k"]
"""One for each sample, or one that all share."""
Out = Float[Tensor, "b o ho wo"]


def conv_per_sample(
    x: Features, kernel: Kernels, bias: Float[Tensor, "o"], implementation: Implementation = "fast"
) -> Out:
    """Convolve, keeping the resolution.

    Args:
        kernel: one per sample or one for all, k odd; zero padding k // 2.
        implementation: ``reference`` is the specification.

    Returns:
        The convolved features.
    """
    batch, padding = len(x), kernel.shape[-1] // 2
    if implementation == "fast" and len(kernel) == 1:
        return functional.conv2d(x, kernel[0], bias, padding=padding)
    kernel = kernel.expand(batch, -1, -1, -1, -1)
    out = functional.conv2d(
        x.flatten(0, 1)[None],
        kernel.flatten(0, 1),
        bias.repeat(batch),
        padding=padding,
        groups=batch,
    )
    return out[0].unflatten(0, (batch, -1))


def transposed_conv_per_sample(
    x: Features, kernel: Kernels, implementation: Implementation = "fast"
) -> Out:
    """Convolve transposed with stride 2 and no padding: h -> 2h + k - 2.

    Returns:
        The convolved features.
    """
    batch, swapped = len(x), kernel.transpose(1, 2)
    if implementation == "fast" and len(kernel) == 1:
        # On a CPU this layout is up to three times as fast for transposed convolutions.
        x = x.contiguous(memory_format=torch.channels_last)
        return functional.conv_transpose2d(x, swapped[0], stride=2)
    swapped = swapped.expand(batch, -1, -1, -1, -1)
    out = functional.conv_transpose2d(
        x.flatten(0, 1)[None], swapped.flatten(0, 1), stride=2, groups=batch
    )
    return out[0].unflatten(0, (batch, -1))
