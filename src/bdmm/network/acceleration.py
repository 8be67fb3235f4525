"""Making a trained generator faster where it only generates."""

import torch
from torch import nn

from bdmm.kernels.per_sample_conv import Out
from bdmm.kernels.winograd_conv import winograd_conv, winograd_kernel
from bdmm.network.generator import Generator
from bdmm.shapes import Features

_LEAST_WIDTH = 128
"""Narrower layers lose more by the transforms than they gain."""


class WinogradConv(nn.Module):
    """A convolution 3x3 that has been learned already."""

    kernel: torch.Tensor
    bias: torch.Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        """Transform the weights of ``conv``, which must have padding 1 and a bias."""
        super().__init__()
        assert conv.bias is not None
        self.register_buffer("kernel", winograd_kernel(conv.weight.detach()))
        self.register_buffer("bias", conv.bias.detach())

    def forward(self, x: Features) -> Out:
        """Convolve, keeping the resolution."""
        return winograd_conv(x, self.kernel, self.bias)


def accelerate(generator: Generator) -> Generator:
    """Exchange the wide convolutions of a generator that lies on a CPU for Winograd's.

    All others get channels-last weights, so that features stay in that layout throughout.

    Frames stay within 6e-4 of what they were. The generator is changed in place; afterwards it can
    neither be trained nor saved. On other devices nothing is changed: their libraries choose such
    methods themselves.

    Args:
        generator: with its final weights, on its final device.

    Returns:
        The same generator.
    """
    if next(generator.parameters()).device.type == "cpu":
        for module in list(generator.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.Conv2d) and _gains(child):
                    setattr(module, name, WinogradConv(child))
        generator.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return generator.eval()


def _gains(conv: nn.Conv2d) -> bool:
    wide = min(conv.in_channels, conv.out_channels) >= _LEAST_WIDTH
    return wide and conv.kernel_size == (3, 3) and conv.stride == (1, 1)
