"""The three encoders: the source's style, the pose's structure and the warped source (figure 3)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bdmm.config import NetworkConfig
from bdmm.network.layers import AnyScale, ResidualBlock, encoder_blocks
from bdmm.shapes import Style

_STYLE_EPSILON = 1e-6
_CPU_PIXELS = 2 * 256 * 256
"""Pixels that a CPU encodes at once: seven frames of 256x256 together take 1.25 times as long."""


class StyleEncoder(nn.Module):
    """Encoder blocks, then the mean over all pixels (figure 3, "Style Encoder")."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build one block for each of the config's style widths."""
        super().__init__()
        self.unit = config.unit_style
        widths = (3, *config.style_widths)
        self.blocks = nn.Sequential(*encoder_blocks(widths, config.slope, config.norm))

    def forward(self, source: Float[Tensor, "b 3 h w"]) -> Style:
        """Encode photos, RGB in [-1, 1]; the last block must see more than one pixel."""
        style = self.blocks(source).mean((2, 3))
        if self.unit:
            # Nothing inside the encoder holds its size, and it scales every kernel.
            style = style * (style.square().mean(dim=1, keepdim=True) + _STYLE_EPSILON).rsqrt()
        return style


class StructuralEncoder(nn.Module):
    """Pose to features at the bottleneck, with a recurrent state (figure 3, "Structural Encoder").

    Where the config feeds frames back, the previously generated one is encoded with the pose.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Build the encoder blocks and the two residual blocks of the recurrence."""
        super().__init__()
        self.recurrent = config.structural_recurrence
        widths = (config.joints + 3 * config.feeds_back, *config.widths)
        self.blocks = nn.Sequential(*encoder_blocks(widths, config.slope, config.norm))
        bottleneck = widths[-1]
        self.recurrence = nn.Sequential(
            ResidualBlock(2 * bottleneck, bottleneck, config.slope, config.norm),
            ResidualBlock(
                bottleneck, bottleneck, config.slope, config.norm, bounded=config.bounded_states
            ),
        )

    def forward(self, x: AnyScale) -> AnyScale:
        """Encode pose heatmaps (with the previous frame, if fed back) to 1/8 of their size."""
        return torch.cat([self.blocks(part) for part in x.split(images_at_once(x))])

    def next_state(self, features: AnyScale, state: AnyScale | None) -> AnyScale:
        """Join a frame's features with the state of the frame before; none before the first."""
        if state is None or not self.recurrent:
            state = features
        first, second = self.recurrence
        return second(first(state, features))


class WarpEncoder(nn.Module):
    """Features of the warped source at each propagated scale, shared by both directions."""

    def __init__(self, config: NetworkConfig, channels: int = 3) -> None:
        """Build one block for each propagated scale; the first reads ``channels``."""
        super().__init__()
        widths = (channels, *config.widths[:-1])
        self.blocks = nn.ModuleList(encoder_blocks(widths, config.slope, config.norm))

    def forward(self, warped: AnyScale) -> tuple[AnyScale, ...]:
        """Encode warped images, any number; the features come coarse to fine (1/4, then 1/2)."""
        parts = [self._encode(part) for part in warped.split(images_at_once(warped))]
        if len(parts) == 1:
            return tuple(parts[0])
        return tuple(torch.cat(scale) for scale in zip(*parts, strict=True))

    def _encode(self, x: AnyScale) -> list[AnyScale]:
        scales = []
        for block in self.blocks:
            x = block(x)
            scales.insert(0, x)
        return scales


def images_at_once(images: AnyScale) -> int:
    """Say how many images to encode at once: all, but on a CPU as many as its cache rewards."""
    if images.device.type != "cpu":
        return len(images)
    return max(1, _CPU_PIXELS // images[0, 0].numel())
