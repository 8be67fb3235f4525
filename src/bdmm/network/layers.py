"""Elementary blocks: pre-activated convolutions, and convolutions whose kernels the style makes.

All padding is with zeros. A styled layer works in two steps: `fold(style)` makes its kernels, once
for a whole clip; `forward(x, folded)` only convolves.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bdmm.kernels.per_sample_conv import (
    Implementation,
    Out,
    conv_per_sample,
    transposed_conv_per_sample,
)
from bdmm.shapes import Features, Style

AnyScale = Float[Tensor, "b _ _ _"]
"""Features of any width and size, where several scales meet."""

STYLED_SLOPE = 0.2
STYLED_GAIN = math.sqrt(2)
_EPSILON = 1e-8
MOST = 4.0
"""Bound of the mean square of a state's pixel."""


class Conv3x3(nn.Conv2d):
    """A convolution 3x3 of the channels of one input or several, and a leaky ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *inputs: AnyScale, slope: float = 1.0
    ) -> Out:
        """Convolve, keeping the resolution.

        Args:
            slope: of the leaky ReLU for negative values; 1 for none.
        """
        out = super().forward(joined(inputs))
        return out if slope == 1.0 else functional.leaky_relu(out, slope, inplace=True)


class Shortcut(nn.Conv2d):
    """The end of a residual block: a convolution 1x1 of its inputs is added to what it made."""

    def __init__(self, channels_in: int, channels_out: int, *, bounded: bool) -> None:
        """Build the convolution.

        Args:
            bounded: whether the sum is the state of a recurrence that must stay small (`bounded`).
        """
        super().__init__(channels_in, channels_out, 1)
        self.bounded = bounded

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *inputs: AnyScale, added: AnyScale
    ) -> Out:
        """Convolve each pixel of the joined inputs by itself, and add."""
        out = added + super().forward(joined(inputs))
        return bounded(out) if self.bounded else out


class EncoderBlock(nn.Module):
    """Halve the resolution: norm, leaky ReLU, conv 4x4 stride 2, norm, leaky ReLU, conv 3x3."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        slope: float,
        norm: str = "instance",
        *,
        first: bool = False,
    ) -> None:
        """Build the block with the given negative slope.

        Args:
            channels_in: of what it encodes.
            channels_out: of the result.
            slope: of the leaky ReLUs.
            norm: see `bdmm.config.NetworkConfig`.
            first: whether it sees pictures, whose channels no norm of pixels may mix.
        """
        super().__init__()
        self.slope = slope
        bare = norm == "pixel" and first
        self.norm1 = NoNorm() if bare else make_norm(norm, channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1)
        self.norm2 = make_norm(norm, channels_out)
        self.conv2 = Conv3x3(channels_out, channels_out)
        initialise(self, slope)

    def forward(self, x: Features) -> Out:
        """Encode ``b c h w`` into ``b channels_out h/2 w/2``."""
        x = self.conv1(self.norm1(x, slope=self.slope))
        return self.conv2(self.norm2(x, slope=self.slope))


class ResidualBlock(nn.Module):
    """Norm, leaky ReLU, conv 3x3, norm, leaky ReLU, conv 3x3; plus a conv 1x1 of the input."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        slope: float,
        norm: str = "instance",
        *,
        bounded: bool = False,
    ) -> None:
        """Build the block with the given negative slope; the hidden width is the input's.

        Args:
            channels_in: of all inputs together.
            channels_out: of the result.
            slope: of the leaky ReLUs.
            norm: see `bdmm.config.NetworkConfig`.
            bounded: whether the result is bounded (`bounded`).
        """
        super().__init__()
        self.slope = slope
        self.norm1 = make_norm(norm, channels_in)
        self.conv1 = Conv3x3(channels_in, channels_in)
        self.norm2 = make_norm(norm, channels_in)
        self.conv2 = Conv3x3(channels_in, channels_out)
        self.skip = Shortcut(channels_in, channels_out, bounded=bounded)
        initialise(self, slope)
        # The recurrences apply the skip to their own state: it must not grow, however often.
        nn.init.orthogonal_(self.skip.weight)

    def forward(self, *inputs: AnyScale) -> Out:
        """Transform ``b channels_in h w``, in one input or several, into ``b channels_out h w``."""
        main = self.conv1(self.norm1(*inputs, slope=self.slope))
        main = self.conv2(self.norm2(main, slope=self.slope))
        return self.skip(*inputs, added=main)


class PixelNorm(nn.Module):
    """Zero mean and less than unit variance over the channels of each pixel, with gain and bias.

    It never enlarges: far from every joint and from the person all channels are alike, and a norm
    that brings them to unit variance multiplies gradients there by thousands in a few layers.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, *inputs: AnyScale, slope: float) -> Features:
        """Join and normalise, then apply a leaky ReLU; a pixel without features gets the bias."""
        last = joined(inputs).movedim(1, -1)
        gain, bias = self.gain.flatten(), self.bias.flatten()
        # The 1 under the root, where others have an epsilon, is what never enlarges.
        normed = functional.layer_norm(last, gain.shape, gain, bias, eps=1.0).movedim(-1, 1)
        return functional.leaky_relu(normed, slope, inplace=True)


class InstanceNorm(nn.GroupNorm):
    """Zero mean and unit variance over the pixels of each channel, with gain and bias.

    It is a group norm of single channels: on a CPU four times as fast as what PyTorch calls
    instance norm.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *inputs: AnyScale, slope: float
    ) -> Features:
        """Join and normalise, then apply a leaky ReLU."""
        return functional.leaky_relu(super().forward(joined(inputs)), slope, inplace=True)


class NoNorm(nn.Module):
    """What stands where nothing is normalised."""

    def forward(self, *inputs: AnyScale, slope: float) -> Features:
        """Join, then apply a leaky ReLU."""
        return functional.leaky_relu(joined(inputs), slope)


def make_norm(kind: str, channels: int) -> nn.Module:
    """Build the norm of a config's kind."""
    return PixelNorm(channels) if kind == "pixel" else InstanceNorm(channels)


def encoder_blocks(widths: Sequence[int], slope: float, norm: str) -> list[EncoderBlock]:
    """Build blocks one after the other, the first for pictures."""
    return [
        EncoderBlock(a, b, slope, norm, first=number == 0)
        for number, (a, b) in enumerate(pairwise(widths))
    ]


def bounded(x: AnyScale) -> AnyScale:
    """Hold a recurrence's state: small values stay, the mean square of a pixel is below `MOST`."""
    return x * (1 + x.square().mean(dim=1, keepdim=True) / MOST).rsqrt()


def joined(inputs: Sequence[AnyScale]) -> AnyScale:
    """Join channels; one input alone is not copied."""
    return inputs[0] if len(inputs) == 1 else torch.cat(tuple(inputs), dim=1)


def initialise(block: nn.Module, slope: float) -> None:
    """Draw the block's convolutions so that activations keep their variance; no biases (He)."""
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=slope)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Folded(NamedTuple):
    """A styled layer made ready for one batch of styles: what its `forward` convolves with.

    Attributes:
        kernel: ``b o i k k`` of each style; a fast layer's has a form of its own.
        bias: of all styles.
    """

    kernel: Any
    bias: Float[Tensor, "o"]


class ModulatedKernel(nn.Module):
    """Kernel of a convolution whose input channels the style scales (equations 3 and 4)."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        size: int,
        style_size: int,
        *,
        modulated: bool = True,
        demodulated: bool = True,
    ) -> None:
        """Build the kernel; without modulation the style plays no part."""
        super().__init__()
        self.demodulated = demodulated
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, size, size))
        nn.init.normal_(self.weight)
        self.scale = nn.Linear(style_size, channels_in) if modulated else None
        if self.scale is not None:
            nn.init.normal_(self.scale.weight)
            nn.init.ones_(self.scale.bias)

    def forward(self, style: Style) -> Float[Tensor, "b o i k k"]:
        """Make one kernel for each style."""
        weight = self.weight / math.sqrt(self.weight[0].numel())
        if self.scale is None:
            kernel = weight.expand(len(style), -1, -1, -1, -1)
        else:
            kernel = modulate(weight, self.scale_of(style))
        return demodulate(kernel) if self.demodulated else kernel

    def scale_of(self, style: Style) -> Float[Tensor, "b i"]:
        """Map the style to one scale for each input channel: A of equation 3."""
        assert self.scale is not None
        return functional.linear(
            style, self.scale.weight / math.sqrt(style.shape[1]), self.scale.bias
        )


def modulate(
    weight: Float[Tensor, "o i k k"], scale: Float[Tensor, "b i"]
) -> Float[Tensor, "b o i k k"]:
    """Scale a kernel's input channels, for each sample on its own (equation 3)."""
    return weight * scale[:, None, :, None, None]


def demodulate(kernel: Float[Tensor, "b o i k k"]) -> Float[Tensor, "b o i k k"]:
    """Restore unit norm for each output channel (equation 4)."""
    return kernel * (kernel.square().sum((2, 3, 4), keepdim=True) + _EPSILON).rsqrt()


class StyledLayer(nn.Module):
    """What all styled layers share: a modulated kernel, a bias, and the folding of styles."""

    implementation: Implementation = "fast"
    """Which implementation of its convolution runs."""
    gain = STYLED_GAIN
    """Gain of the activation. It is folded into what comes before: gain LR(x) = LR(gain x)."""

    def __init__(self, kernel: ModulatedKernel) -> None:
        super().__init__()
        self.kernel = kernel
        self.bias = nn.Parameter(torch.zeros(len(kernel.weight)))

    def fold(self, style: Style) -> Folded:
        """Make the kernels for these styles."""
        return Folded(self.gain * self.kernel(style), self.gain * self.bias)


class StyledConv(StyledLayer):
    """Modulated convolution 3x3, bias, leaky ReLU 0.2 with gain sqrt(2)."""

    def __init__(
        self, channels_in: int, channels_out: int, style_size: int, *, demodulated: bool
    ) -> None:
        super().__init__(
            ModulatedKernel(channels_in, channels_out, 3, style_size, demodulated=demodulated)
        )

    def forward(self, x: Features, folded: Folded) -> Out:
        """Convolve, keeping the resolution."""
        return styled_activation(conv_per_sample(x, *folded, self.implementation))


class StyledUp(StyledLayer):
    """Double the resolution: modulated transposed conv 3x3, blur, bias, leaky ReLU with gain."""

    def __init__(self, channels_in: int, channels_out: int, style_size: int) -> None:
        super().__init__(ModulatedKernel(channels_in, channels_out, 3, style_size))

    def forward(self, x: Features, folded: Folded) -> Out:
        """Convolve ``b c h w`` into ``b channels_out 2h 2w``."""
        doubled = transposed_conv_per_sample(x, folded.kernel, self.implementation)
        return styled_activation(blur(doubled, folded.bias))


class ToRGB(StyledLayer):
    """Modulated convolution 1x1 to three colours, bias; no demodulation, no activation."""

    gain = 1.0

    def __init__(self, channels_in: int, style_size: int) -> None:
        super().__init__(ModulatedKernel(channels_in, 3, 1, style_size, demodulated=False))
        # Three branches of unit size have been added twice by now: start well inside the tanh.
        nn.init.normal_(self.kernel.weight, std=0.1)

    def forward(self, x: Features, folded: Folded) -> Out:
        """Map features to unbounded colours."""
        return conv_per_sample(x, *folded, self.implementation)


def styled_activation(x: Features) -> Features:
    """Apply the leaky ReLU of styled layers; its gain sits in the folded kernel and bias."""
    return functional.leaky_relu(x, STYLED_SLOPE, inplace=True)


def blur(x: Features, bias: Float[Tensor, "c"]) -> Out:
    """Smooth with (1 3 3 1) x (1 3 3 1) / 16 and add a bias: h -> h - 1."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device) / 4
    kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
    return functional.conv2d(x, kernel, bias, padding=1, groups=x.shape[1])
