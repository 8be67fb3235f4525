"""Deformable Motion Modulation, the paper's main block (section 3.1, figure 2, equations 2-4)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bdmm.config import NetworkConfig
from bdmm.kernels.modulated_deform_conv import modulated_deform_conv
from bdmm.kernels.per_sample_conv import Implementation, Out
from bdmm.network.layers import (
    AnyScale,
    Conv3x3,
    Folded,
    ModulatedKernel,
    StyledLayer,
    initialise,
    styled_activation,
)
from bdmm.shapes import Features

TAPS = 9


class MotionModulation(StyledLayer):
    """Convolve the propagated features with styled kernels, each tap moved and weighted.

    Motion offsets and masks are regressed from the decoder's and the propagated features; the
    kernel is applied to the propagated ones.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        context_in: int,
        context: int,
        config: NetworkConfig,
    ) -> None:
        """Build the block.

        Args:
            channels_in: of the propagated features.
            channels_out: of the result.
            context_in: channels that offsets and masks are regressed from.
            context: hidden width of that regression.
            config: its style size; whether offsets, masks and style weights are used; how far
                offsets reach and how fast they learn. At the full pace they may run away before
                the features mean anything.
        """
        kernel = ModulatedKernel(
            channels_in, channels_out, 3, config.style_size, modulated=config.style_weight
        )
        super().__init__(kernel)
        self.concatenates = config.feature_concat
        self.reach, self.slowdown = config.tap_reach, config.tap_slowdown
        self.context = Conv3x3(context_in, context)
        initialise(self, slope=0.0)
        self.offset = _zero_conv(context, 2 * TAPS) if config.deformable else None
        self.mask = _zero_conv(context, TAPS) if config.motion_mask else None
        self.taps: nn.Module | None = None  # both in one, made by `acceleration`
        self.deform = DeformedConv()

    def forward(self, propagated: Features, decoded: Features, folded: Folded) -> Out:
        """Modulate the propagated features by the motion between them and the decoder's."""
        context = (decoded, propagated) if self.concatenates else (propagated,)
        offsets, masks = self.motion(*context)
        return self.deform(propagated, offsets, masks, folded, self.implementation)

    def motion(
        self, *context: AnyScale
    ) -> tuple[Float[Tensor, "b 18 h w"], Float[Tensor, "b 9 h w"]]:
        """Regress offsets (dy, dx by tap, in pixels) and masks in [0, 2] from the context."""
        hidden = self.context(*context, slope=0.0)
        batch, _, height, width = hidden.shape
        offsets = hidden.new_zeros(batch, 2 * TAPS, height, width)
        masks = hidden.new_zeros(batch, TAPS, height, width)
        if self.offset is not None and self.mask is not None:
            offsets, masks = self._both(hidden).split((2 * TAPS, TAPS), dim=1)
        elif self.offset is not None:
            offsets = self.offset(hidden)
        elif self.mask is not None:
            masks = self.mask(hidden)
        return self._within_reach(offsets / self.slowdown), 2 * torch.sigmoid(masks / self.slowdown)

    def _both(self, hidden: Features) -> Float[Tensor, "b 27 h w"]:
        """Convolve to offsets and masks at once, which is faster than one after the other."""
        if self.taps is None:
            return functional.conv2d(hidden, *self.tap_weights(), padding=1)
        return self.taps(hidden)

    def tap_weights(self) -> tuple[Float[Tensor, "27 c 3 3"], Float[Tensor, "27"]]:
        """Return weights and biases of offsets and masks."""
        convs = [one for one in (self.offset, self.mask) if one is not None]
        biases = [one.bias for one in convs if one.bias is not None]
        return torch.cat([one.weight for one in convs]), torch.cat(biases)

    def _within_reach(self, offsets: Features) -> Features:
        """Bound offsets softly, where the config bounds them."""
        if not self.reach:
            return offsets
        return self.reach * torch.tanh(offsets / self.reach)


class DeformedConv(nn.Module):
    """Equation 2, bias and activation; a module so that hooks can see what it is given."""

    def forward(
        self,
        propagated: Features,
        offsets: Float[Tensor, "b 18 h w"],
        masks: Float[Tensor, "b 9 h w"],
        folded: Folded,
        implementation: Implementation = "fast",
    ) -> Out:
        """Sample where the offsets point and convolve."""
        out = modulated_deform_conv(propagated, offsets, masks, folded.kernel, implementation)
        return styled_activation(out + folded.bias[:, None, None])


def _zero_conv(channels_in: int, channels_out: int) -> Conv3x3:
    """Build a convolution that starts at zero: at first no tap is moved, every mask is one."""
    conv = Conv3x3(channels_in, channels_out)
    nn.init.zeros_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
