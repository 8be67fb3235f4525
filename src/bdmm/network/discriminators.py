"""The discriminators of the adversarial losses: supplement, figures 3 to 5, and the released pair.

The spatial discriminator sees one frame, the temporal one a whole window. Both return a map of
logits, one per patch, for least squares (`bdmm.losses.adversarial`). The released pair sees the
frames alone; the paper's pair sees each frame joined with a partner by channel.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from bdmm.config import DiscriminatorConfig
from bdmm.shapes import Clips

Frame = Float[Tensor, "b 3 h w"]
Patches = Float[Tensor, "b 1 hp wp"]


class DownBlock(nn.Module):
    """Halve the resolution of an image: two convolutions, and an average-pooled shortcut.

    It begins with the activation, on the raw input too, and has no normalisation.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.conv = nn.Conv2d(inputs, hidden, 3, padding=1)
        self.down = nn.Conv2d(hidden, outputs, 4, stride=2, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """Return features at half the resolution."""
        hidden = self.conv(F.leaky_relu(x, self.slope))
        main = self.down(F.leaky_relu(hidden, self.slope))
        return main + self.shortcut(F.avg_pool2d(x, 2))


class ClipConv(nn.Conv3d):
    """`Conv3d` of stride 1 in time; a single clip on a CPU is one 2D convolution of stacked frames.

    PyTorch's own takes two to four times as long there, as it leaves oneDNN out.
    """

    def forward(self, input: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c2 t2 h2 w2"]:
        """Return the convolved clip."""
        if input.device.type != "cpu" or len(input) > 1:
            return super().forward(input)
        moments, margin = self.kernel_size[0], int(self.padding[0])
        padded = F.pad(input, (0, 0, 0, 0, margin, margin))
        stacked = rearrange(padded.unfold(2, moments, 1), "b c t h w k -> (b t) (c k) h w")
        kernel = self.weight.flatten(1, 2)
        out = F.conv2d(stacked, kernel, self.bias, self.stride[1:], self.padding[1:])
        return rearrange(out, "(b t) c h w -> b c t h w", b=len(input))


class ClipDownBlock(nn.Module):
    """`DownBlock` for a clip, released form: halves the resolution and takes two frames away."""

    def __init__(self, inputs: int, hidden: int, outputs: int, slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.conv = ClipConv(inputs, hidden, 3, padding=1)
        self.down = ClipConv(hidden, outputs, (3, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1))
        self.shortcut = ClipConv(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c2 t2 h2 w2"]:
        """Return features of ``t - 2`` moments at half the resolution."""
        hidden = self.conv(F.leaky_relu(x, self.slope))
        main = self.down(F.leaky_relu(hidden, self.slope))
        return main + self.shortcut(F.avg_pool3d(x, (3, 2, 2), stride=(1, 2, 2)))


class WeightedClipDownBlock(nn.Module):
    """`DownBlock` for a clip as the supplement prints it: halves h and w, takes one frame away.

    The printed kernels, 3x3x3 then 3x3x4, are read height x width x time: only so do four blocks
    fit a window of six frames. The branches are fused by two learned weights.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.conv = ClipConv(inputs, hidden, 3, padding=1)
        self.down = ClipConv(hidden, outputs, (4, 3, 3), stride=(1, 2, 2), padding=1)
        self.shortcut = ClipConv(inputs, outputs, 1)
        self.fusion = nn.Parameter(torch.full((2,), 0.5**0.5))

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c2 t2 h2 w2"]:
        """Return features of ``t - 1`` moments at half the resolution."""
        hidden = self.conv(F.leaky_relu(x, self.slope))
        main = self.down(F.leaky_relu(hidden, self.slope))
        residual = self.shortcut(F.avg_pool3d(x, 2, stride=(1, 2, 2)))
        return self.fusion[0] * main + self.fusion[1] * residual


def _widths(config: DiscriminatorConfig, blocks: int) -> list[int]:
    """Channels after each block: doubled from block to block up to the cap."""
    return [min(config.width * 2**level, config.max_width) for level in range(blocks)]


def _stack(
    block: type[DownBlock | ClipDownBlock | WeightedClipDownBlock],
    inputs: int,
    widths: list[int],
    config: DiscriminatorConfig,
) -> nn.Sequential:
    """Chain blocks of the given output widths; a block is as wide inside as it begins."""
    chain = []
    for outputs in widths:
        chain.append(block(inputs, max(inputs, config.width), outputs, config.slope))
        inputs = outputs
    return nn.Sequential(*chain)


class SpatialDiscriminator(nn.Module):
    """Discriminate frames, released form: four halvings, then a spectrally normed 1x1 head."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.slope = config.slope
        self.blocks = _stack(DownBlock, 3, _widths(config, 4), config)
        self.head = spectral_norm(nn.Conv2d(_widths(config, 4)[-1], 1, 1))

    def forward(self, frame: Frame) -> Patches:
        """Return ``b 1 h/16 w/16`` logits of frames in [-1, 1]."""
        return self.head(F.leaky_relu(self.blocks(frame), self.slope))


class TemporalDiscriminator(nn.Module):
    """Discriminate windows, released form: two halvings in space-time, two in space, a 1x1 head."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        widths, cap = _widths(config, 2), config.max_width
        moments = config.frames - 4
        self.slope = config.slope
        self.clip_blocks = _stack(ClipDownBlock, 3, widths, config)
        self.blocks = _stack(DownBlock, moments * widths[-1], [cap, cap], config)
        self.head = spectral_norm(nn.Conv2d(cap, 1, 1))

    def forward(self, frames: Clips) -> Patches:
        """Return ``b 1 h/16 w/16`` logits of windows of ``config.frames`` frames in [-1, 1]."""
        clip = self.clip_blocks(rearrange(frames, "b t c h w -> b c t h w"))
        flat = rearrange(clip, "b c t h w -> b (c t) h w")
        return self.head(F.leaky_relu(self.blocks(flat), self.slope))


class PairedSpatialDiscriminator(nn.Module):
    """Discriminate a frame and its partner: supplement, figure 4, with the pair of equation 10.

    Equation 10 pairs each frame, true or generated, with the source; the supplement's text pairs a
    generated frame with its target. The caller chooses by what it passes.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        widths = _widths(config, 3)
        self.slope = config.slope
        self.blocks = _stack(DownBlock, 6, widths, config)
        self.head = nn.Conv2d(widths[-1], 1, 4, padding=1)

    def forward(self, frame: Frame, partner: Frame) -> Patches:
        """Return ``b 1 h/8-1 w/8-1`` logits of frames in [-1, 1] and their partners."""
        features = self.blocks(torch.cat([frame, partner], dim=1))
        return self.head(F.leaky_relu(features, self.slope))


class PairedTemporalDiscriminator(nn.Module):
    """Discriminate a window and its partner window: supplement, figure 5."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        widths = _widths(config, 4)
        self.slope = config.slope
        self.blocks = _stack(WeightedClipDownBlock, 6, widths, config)
        self.head = nn.Conv2d((config.frames - 4) * widths[-1], 1, 4, padding=1)

    def forward(self, frames: Clips, partner: Clips) -> Patches:
        """Return ``b 1 h/16-1 w/16-1`` logits of windows in [-1, 1] and their partners."""
        pair = rearrange(torch.cat([frames, partner], dim=2), "b t c h w -> b c t h w")
        flat = rearrange(self.blocks(pair), "b c t h w -> b (c t) h w")
        return self.head(F.leaky_relu(flat, self.slope))


def build_discriminators(config: DiscriminatorConfig) -> tuple[nn.Module, nn.Module]:
    """Return the (spatial, temporal) discriminators of a preset, freshly initialised."""
    if config.paired:
        return PairedSpatialDiscriminator(config), PairedTemporalDiscriminator(config)
    return SpatialDiscriminator(config), TemporalDiscriminator(config)
