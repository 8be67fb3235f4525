"""Layers of a trained generator that only generates, on a CPU: the same results, without gradients.

Importing this module starts warp-lang; see `bdmm.kernels.vector_code`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdmm.kernels.fused_deform_conv import FlatKernel, flat_kernel, fused_deform_conv
from bdmm.kernels.fused_pixel_norm import fused_pixel_norm
from bdmm.kernels.fused_shortcut import fused_shortcut, shortcut_kernel
from bdmm.kernels.per_sample_conv import Out
from bdmm.kernels.winograd_conv import (
    WinogradConv3x3,
    WinogradKernel,
    doubling_kernel,
    winograd_conv,
    winograd_kernel,
)
from bdmm.network.layers import (
    MOST,
    STYLED_SLOPE,
    AnyScale,
    Conv3x3,
    Folded,
    InstanceNorm,
    PixelNorm,
    Shortcut,
    StyledConv,
    StyledUp,
    joined,
)
from bdmm.network.motion_modulation import DeformedConv, MotionModulation
from bdmm.shapes import Features, Style


class FastShortcut(nn.Module):
    """What `Shortcut` does."""

    def __init__(self, shortcut: Shortcut) -> None:
        super().__init__()
        assert shortcut.bias is not None
        self.kernel, self.bias = shortcut_kernel(shortcut.weight), shortcut.bias.detach()
        self.most = MOST if shortcut.bounded else 0.0

    def forward(self, *inputs: AnyScale, added: AnyScale) -> Out:
        """Convolve each pixel of the joined inputs by itself, and add."""
        return fused_shortcut(inputs, self.kernel, self.bias, added, self.most)


class FastPixelNorm(nn.Module):
    """What `PixelNorm` does."""

    def __init__(self, norm: PixelNorm) -> None:
        super().__init__()
        self.gain, self.bias = norm.gain.detach(), norm.bias.detach()

    def forward(self, *inputs: AnyScale, slope: float) -> Features:
        """Join and normalise, then apply a leaky ReLU."""
        return fused_pixel_norm(inputs, self.gain, self.bias, slope)


class FastInstanceNorm(nn.Module):
    """What `InstanceNorm` does, for features that lie channels last.

    PyTorch's own is quick in that layout, but on a CPU it loses three digits where the mean is
    larger than the deviation, and one where the mean is taken off before.
    """

    def __init__(self, norm: InstanceNorm) -> None:
        super().__init__()
        self.epsilon = norm.eps
        self.gain = norm.weight.detach()[:, None, None]
        self.bias = norm.bias.detach()[:, None, None]

    def forward(self, *inputs: AnyScale, slope: float) -> Features:
        """Join and normalise, then apply a leaky ReLU."""
        x = joined(inputs)
        centred = x - x.mean((2, 3), keepdim=True)
        variance = centred.square().mean((2, 3), keepdim=True)
        scale = self.gain * (variance + self.epsilon).rsqrt()
        return functional.leaky_relu(torch.addcmul(self.bias, centred, scale), slope, inplace=True)


class FastStyledConv(StyledConv):
    """What `StyledConv` does."""

    def __init__(self, layer: StyledConv) -> None:
        vars(self).update(vars(layer))

    def fold(self, style: Style) -> Folded:
        """Make the kernels for these styles."""
        return _ready(super().fold(style), winograd_kernel)

    def forward(self, x: Features, folded: Folded) -> Out:
        """Convolve, keeping the resolution."""
        return _styled(x, folded)


class FastStyledUp(StyledUp):
    """What `StyledUp` does: a convolution 3x3 that makes the four pixels of one, blur included."""

    def __init__(self, layer: StyledUp) -> None:
        vars(self).update(vars(layer))

    def fold(self, style: Style) -> Folded:
        """Make the kernels for these styles."""
        return _ready(super().fold(style), doubling_kernel)

    def forward(self, x: Features, folded: Folded) -> Out:
        """Convolve ``b c h w`` into ``b channels_out 2h 2w``."""
        return _styled(x, folded)


class FastMotionModulation(MotionModulation):
    """What `MotionModulation` does."""

    def __init__(self, block: MotionModulation) -> None:
        vars(self).update(vars(block))
        self.deform = FastDeformedConv()
        if self.offset is not None and self.mask is not None:
            self.taps = WinogradConv3x3(*self.tap_weights())

    def fold(self, style: Style) -> Folded:
        """Make the kernels for these styles."""
        return _ready(super().fold(style), flat_kernel)


class FastDeformedConv(DeformedConv):
    """What `DeformedConv` does."""

    def forward(
        self,
        propagated: Features,
        offsets: Tensor,
        masks: Tensor,
        folded: Folded,
        implementation: str = "fast",
    ) -> Out:
        """Sample where the offsets point and convolve."""
        del implementation

        def convolve(kernel: FlatKernel, *at: Tensor) -> Out:
            return fused_deform_conv(*at, kernel=kernel, bias=folded.bias, slope=STYLED_SLOPE)

        return _by_sample(convolve, folded, propagated, offsets, masks)


def _ready(folded: Folded, make: Callable[[Tensor], Any]) -> Folded:
    return Folded([make(one) for one in folded.kernel], folded.bias)


def _styled(x: Features, folded: Folded) -> Out:
    def convolve(kernel: WinogradKernel, x: Tensor) -> Out:
        return winograd_conv((x,), kernel, folded.bias, STYLED_SLOPE)

    return _by_sample(convolve, folded, x)


def _by_sample(convolve: Callable[..., Out], folded: Folded, *given: Tensor) -> Out:
    """Convolve each sample with its kernel, or all with one."""
    if len(folded.kernel) == 1:
        return convolve(folded.kernel[0], *given)
    samples = zip(*(one.split(1) for one in given), strict=True)
    pairs = zip(folded.kernel, samples, strict=True)
    return torch.cat([convolve(kernel, *sample) for kernel, sample in pairs])


FAST: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    Conv3x3: lambda conv: WinogradConv3x3(conv.weight, conv.bias),
    Shortcut: FastShortcut,
    PixelNorm: FastPixelNorm,
    InstanceNorm: FastInstanceNorm,
    StyledConv: FastStyledConv,
    StyledUp: FastStyledUp,
    MotionModulation: FastMotionModulation,
}
"""What makes the fast layer of a layer."""
