"""The decoder: structure and propagated features to those of a frame (figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from bdmm.config import NetworkConfig
from bdmm.kernels.per_sample_conv import Out, conv_per_sample
from bdmm.network.layers import (
    AnyScale,
    Folded,
    ModulatedKernel,
    StyledConv,
    StyledLayer,
    StyledUp,
    styled_activation,
)
from bdmm.network.motion_modulation import MotionModulation
from bdmm.shapes import Features, Style


@dataclass(frozen=True)
class FoldedStyle:
    """The decoder's kernels for one batch of source photos; made once, used for whole clips.

    Attributes:
        up: of the layers that double the resolution, coarse to fine.
        direct: of the styled convolutions after them.
        forward: of the blocks that modulate what was propagated forward; empty without them.
        backward: likewise backward.
    """

    up: tuple[Folded, ...]
    direct: tuple[Folded, ...]
    forward: tuple[Folded, ...]
    backward: tuple[Folded, ...]


class Decoder(nn.Module):
    """At each scale: double the resolution, then sum the direct and both propagated branches."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build one level for each propagated scale and a last one at the frame's own size."""
        super().__init__()
        style, scales = config.style_size, config.widths[-2::-1]
        widths = (config.widths[-1], *scales, scales[-1])
        self.up = nn.ModuleList(StyledUp(a, b, style) for a, b in pairwise(widths))
        self.direct = nn.ModuleList(
            StyledConv(width, width, style, demodulated=config.demodulate_direct)
            for width in widths[1:]
        )
        self.forward_branch = nn.ModuleList(
            _branch(width, config) for width in scales if config.forward_branch
        )
        self.backward_branch = nn.ModuleList(
            _branch(width, config) for width in scales if config.backward_branch
        )

    def fold(self, style: Style) -> FoldedStyle:
        """Make every kernel for these styles."""
        return FoldedStyle(
            up=_fold(self.up, style),
            direct=_fold(self.direct, style),
            forward=_fold(self.forward_branch, style),
            backward=_fold(self.backward_branch, style),
        )

    def forward(
        self,
        structure: AnyScale,
        propagated_forward: Sequence[AnyScale],
        propagated_backward: Sequence[AnyScale],
        folded: FoldedStyle,
    ) -> AnyScale:
        """Decode one frame.

        Args:
            structure: the structural encoder's state at this frame, at the bottleneck.
            propagated_forward: this frame's propagated features, coarse to fine; empty without
                the branch.
            propagated_backward: likewise backward.

        Returns:
            Features of the frame's size for the head.
        """
        x = structure
        for level in range(len(self.up)):
            x = self.up[level](x, folded.up[level])
            fused = self.direct[level](x, folded.direct[level])
            for branch, features, kernels in (
                (self.forward_branch, propagated_forward, folded.forward),
                (self.backward_branch, propagated_backward, folded.backward),
            ):
                if level < len(branch):
                    fused = fused + branch[level](features[level], x, kernels[level])
            x = fused
        return x


class PlainModulation(StyledLayer):
    """What stands in for a DMM block in the ablation "w/o DMM": a plain styled convolution."""

    def __init__(self, width: int, style_size: int) -> None:
        super().__init__(ModulatedKernel(width, width, 3, style_size))

    def forward(self, propagated: Features, decoded: Features, folded: Folded) -> Out:
        """Convolve the propagated features; the decoder's are not looked at."""
        del decoded
        return styled_activation(conv_per_sample(propagated, *folded, self.implementation))


def _branch(width: int, config: NetworkConfig) -> StyledLayer:
    if not config.motion_modulation:
        return PlainModulation(width, config.style_size)
    context = 2 * width if config.feature_concat else width
    return MotionModulation(width, width, context, width, config)


def _fold(layers: nn.ModuleList, style: Style) -> tuple[Folded, ...]:
    return tuple(layer.fold(style) for layer in layers if isinstance(layer, StyledLayer))
