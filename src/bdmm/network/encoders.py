"""Encoders of what changes from frame to frame: the pose's structure and the warped source."""

from itertools import pairwise

import torch
from torch import nn

from bdmm.config import NetworkConfig
from bdmm.network.layers import AnyScale, EncoderBlock, ResidualBlock


class StructuralEncoder(nn.Module):
    """Pose to features at the bottleneck, with a recurrent state (figure 3, "Structural Encoder").

    Where the config feeds frames back, the previously generated one is encoded with the pose.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Build the encoder blocks and the two residual blocks of the recurrence."""
        super().__init__()
        self.recurrent = config.structural_recurrence
        widths = (config.joints + 3 * config.feeds_back, *config.widths)
        self.blocks = nn.Sequential(
            *(EncoderBlock(a, b, config.slope) for a, b in pairwise(widths))
        )
        bottleneck = widths[-1]
        self.recurrence = nn.Sequential(
            ResidualBlock(2 * bottleneck, bottleneck, config.slope),
            ResidualBlock(bottleneck, bottleneck, config.slope),
        )

    def forward(self, x: AnyScale) -> AnyScale:
        """Encode pose heatmaps (with the previous frame, if fed back) to 1/8 of their size."""
        return self.blocks(x)

    def next_state(self, features: AnyScale, state: AnyScale | None) -> AnyScale:
        """Join a frame's features with the state of the frame before; none before the first."""
        if state is None or not self.recurrent:
            state = features
        return self.recurrence(torch.cat((state, features), dim=1))


class WarpEncoder(nn.Module):
    """Features of the warped source at each propagated scale, shared by both directions."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build one block for each propagated scale."""
        super().__init__()
        widths = (3, *config.widths[:-1])
        self.blocks = nn.ModuleList(EncoderBlock(a, b, config.slope) for a, b in pairwise(widths))

    def forward(self, warped: AnyScale) -> tuple[AnyScale, ...]:
        """Encode warped images; the features come coarse to fine (1/4, then 1/2)."""
        scales = []
        x = warped
        for block in self.blocks:
            x = block(x)
            scales.append(x)
        return tuple(reversed(scales))
