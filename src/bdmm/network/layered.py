"""The layered generator: the paper's machinery, ending in layers instead of colours.

A frame is the person before a background; the person is made of pixels copied from the photo at
full resolution and of synthesised ones. Fresh weights give the coarse warp.
"""

from dataclasses import dataclass, fields

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from bdmm.config import NetworkConfig
from bdmm.kernels.rim import spread_person
from bdmm.network.decoder import FoldedStyle
from bdmm.network.encoders import images_at_once
from bdmm.network.generator import Generator
from bdmm.network.layer_inputs import LAYER_INPUTS, Guide, LayerInputs, layer_inputs
from bdmm.network.layers import initialise
from bdmm.records import PropagationState

_CHANNELS = 5
"""Of the head: three colours, the logits of copy and alpha."""
_START = 0.1
"""Size of the head's first results: small, so that training begins at the coarse warp."""
_GAP = 3 / 256
"""Half the width of a gap in the outline, of the photo's shorter side."""
_DETAIL = 3.0 / 256
"""Size of what counts as detail, of the photo's shorter side: prints, folds, seams."""
_STRONG = 0.6
"""How much of a stand-in's detail is kept."""
_VEIL = 0.06
"""Alpha up to which nobody is there: before a plain ground even a faint halo is seen."""
_SURE, _COPIES_SEEN, _COPIES_FILLED = 8.0, 3.0, 1.0
"""Logits at the start: alpha from one side to the other, copying what was seen, what was filled."""


@dataclass(frozen=True)
class Layers:
    """Some frames and what they are made of.

    Attributes:
        frames: ``b t 3 h w`` the result, RGB; in [-1, 1] after `clamped`, about so before.
        alpha: ``b t 1 h w`` in [0, 1], how much the person covers the background.
        person: ``b t 3 h w`` the person's colours, everywhere.
        copied: ``b t 3 h w`` pixels taken from the source.
        synthesis: ``b t 3 h w`` pixels that the network made.
        copy: ``b t 1 h w`` in [0, 1], the copied pixels' share of the person.
        visible: ``b t 1 h w`` where the source shows what is copied.
    """

    frames: Float[Tensor, "b t 3 h w"]
    alpha: Float[Tensor, "b t 1 h w"]
    person: Float[Tensor, "b t 3 h w"]
    copied: Float[Tensor, "b t 3 h w"]
    synthesis: Float[Tensor, "b t 3 h w"]
    copy: Float[Tensor, "b t 1 h w"]
    visible: Float[Tensor, "b t 1 h w"]

    def float(self) -> "Layers":
        """Return the layers in 32 bit."""
        return Layers(*(getattr(self, one.name).float() for one in fields(self)))


@dataclass(frozen=True)
class PreparedSource:
    """The source, made ready once for a whole clip.

    Attributes:
        image: ``b 3 h w`` the photo, RGB in [-1, 1].
        person: ``b 3 h w`` the same with the person's colours everywhere.
        foreground: ``b 1 h w`` in [0, 1].
        folded: the decoder's kernels.
    """

    image: Float[Tensor, "b 3 h w"]
    person: Float[Tensor, "b 3 h w"]
    foreground: Float[Tensor, "b 1 h w"]
    folded: FoldedStyle


class LayeredGenerator(nn.Module):
    """One photo and a motion to a video, window by window: `Generator` with a head of layers."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build the networks with fresh weights, which give the coarse warp."""
        super().__init__()
        self.config = config
        self.core = Generator(config)
        width = config.widths[0]
        self.mix = nn.Conv2d(width + LAYER_INPUTS, width, 3, padding=1)
        self.layers = nn.Conv2d(width, _CHANNELS, 3, padding=1)
        initialise(self.mix, config.slope)
        initialise(self.layers, config.slope)
        with torch.no_grad():
            self.layers.weight.mul_(_START)

    def prepare(
        self, image: Float[Tensor, "b 3 h w"], foreground: Float[Tensor, "b 1 h w"]
    ) -> PreparedSource:
        """Make a photo ready: once for a clip.

        Args:
            image: RGB in [-1, 1]; sides are multiples of 8, at least 64.
            foreground: where the person is, in [0, 1].
        """
        return PreparedSource(
            image, spread_person(image, foreground), foreground, self.core.fold(image)
        )

    def forward(
        self,
        prepared: PreparedSource,
        guide: Guide,
        background: Float[Tensor, "b t3 3 h w"],
        after: Guide | None = None,
        state: PropagationState | None = None,
    ) -> tuple[Layers, PropagationState]:
        """Generate the frames of one window.

        Copy and alpha are as learned while training. In evaluation all that the photo shows is
        copied, for nothing that is mixed in keeps a print; of what stands in for hidden places at
        least the detail is kept; and the body's outline has its say in alpha.

        Args:
            prepared: the photo, `prepare`.
            guide: of the window's frames.
            background: what lies behind the person, RGB in [-1, 1]: of each frame, or one for all.
            after: of the frame after the window; None: the last frame's own.
            state: what the window before returned; None at the start of a clip.

        Returns:
            The frames with their layers, and the state for the next window.

        Raises:
            InputError: the frames' size or the number of joints does not fit the network.
        """
        self.core.check(guide.pose_heatmaps)
        count = len(guide)
        inputs = layer_inputs(prepared.person, prepared.foreground, guide)
        maps = inputs.maps
        if after is not None:
            beyond = layer_inputs(prepared.person, prepared.foreground, after)
            maps = torch.cat((maps, beyond.maps), dim=1)
        encoded = self.core.encode_inputs(maps, slice(0, count))
        features, left = self.core.propagate(
            prepared.image, guide.pose_heatmaps, encoded, state, prepared.folded
        )
        side = None if self.training else min(prepared.image.shape[2:])
        return self._compose(inputs, features, background, side), left

    def _compose(
        self,
        inputs: LayerInputs,
        features: Float[Tensor, "b t c h w"],
        background: Float[Tensor, "b t3 3 h w"],
        side: int | None,
    ) -> Layers:
        """Mix the layers, as in evaluation where the photo's shorter side is given."""
        count = inputs.maps.shape[1]
        known = (rearrange(one, "b t c h w -> (b t) c h w") for one in (features, inputs.maps))
        at_once = images_at_once(inputs.maps[:, 0])
        parts = zip(*(one.split(at_once) for one in known), strict=True)
        raw = torch.cat([self._head(torch.cat(part, dim=1)) for part in parts])
        raw = rearrange(raw, "(b t) c h w -> b t c h w", t=count)
        colours, copy, alpha = raw.split((3, 1, 1), dim=2)

        synthesis = inputs.colours + colours
        filled = inputs.known - inputs.visible
        prior = _COPIES_SEEN * inputs.visible + _COPIES_FILLED * filled - (1 - inputs.known)
        copy = torch.sigmoid(copy + prior)
        if side is not None:
            copy = torch.maximum(copy, inputs.visible)
        person = copy * inputs.colours + (1 - copy) * synthesis
        alpha = torch.sigmoid(alpha + _SURE * (inputs.expected - 0.5))
        if side is not None:
            lost = _detail(inputs.colours - person, inputs.known, max(1, round(_DETAIL * side)))
            person = person + _STRONG * filled * lost
            alpha = _tempered(alpha, inputs.expected, max(1, round(_GAP * side)))
            alpha = alpha * ((alpha - _VEIL) / _VEIL).clamp(0, 1)
        frames = alpha * person + (1 - alpha) * background
        return Layers(frames, alpha, person, inputs.colours, synthesis, copy, inputs.visible)

    def _head(self, joined: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 5 h w"]:
        hidden = functional.leaky_relu(self.mix(joined), self.config.slope, inplace=True)
        return self.layers(hidden)


def _detail(
    values: Float[Tensor, "b t 3 h w"], known: Float[Tensor, "b t 1 h w"], reach: int
) -> Float[Tensor, "b t 3 h w"]:
    """Return values less their mean over the known pixels around, twice a square's."""
    blurred = rearrange(torch.cat((values * known, known), dim=2), "b t c h w -> (b t) c h w")
    size = 2 * reach + 1
    for kernel, padding in 2 * (((1, size), (0, reach)), ((size, 1), (reach, 0))):
        blurred = functional.avg_pool2d(blurred, kernel, stride=1, padding=padding)
    blurred = rearrange(blurred, "(b t) c h w -> b t c h w", t=values.shape[1])
    return values - blurred[:, :, :3] / blurred[:, :, 3:].clamp(min=1e-6)


def _tempered(
    alpha: Float[Tensor, "b t 1 h w"], expected: Float[Tensor, "b t 1 h w"], reach: int
) -> Float[Tensor, "b t 1 h w"]:
    """Give the body's own outline half a say in alpha, but in its gaps.

    Alpha learned from rendered silhouettes errs otherwise at the rim of real people than the
    outline of the fitted body does: the mean of both is nearer than either. Narrow gaps in that
    outline (between the legs of a skirt) are the fit's fault, there alpha alone decides.
    """
    outline = rearrange(expected, "b t 1 h w -> (b t) 1 h w")
    closed = -_grown(-_grown(outline, reach), reach)
    soft = functional.avg_pool2d(outline, 3, stride=1, padding=1, count_include_pad=False)
    gap, soft = (
        rearrange(part, "(b t) 1 h w -> b t 1 h w", t=alpha.shape[1])
        for part in (closed - outline > 0.5, soft)
    )
    return torch.where(gap, alpha, (alpha + soft) / 2)


def _grown(values: Float[Tensor, "n 1 h w"], reach: int) -> Float[Tensor, "n 1 h w"]:
    """Return the largest value in each square neighbourhood, side by side: rows, then columns."""
    size = 2 * reach + 1
    rows = functional.max_pool2d(values, (1, size), stride=1, padding=(0, reach))
    return functional.max_pool2d(rows, (size, 1), stride=1, padding=(reach, 0))


def build_generator(config: NetworkConfig) -> Generator | LayeredGenerator:
    """Build the generator of a config with fresh weights."""
    return LayeredGenerator(config) if config.head == "layers" else Generator(config)
