"""What a generator ends in: colours (the paper), or layers that are laid over a background.

A head says what the warp encoder sees of a window, and makes the network's output from the
decoder's features. Heads are pure functions of features and conditions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, TypeVar

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from bdmm.config import NetworkConfig
from bdmm.kernels.picture_filters import enlarged, shrunk, smoothed
from bdmm.kernels.push_pull import push_pull, spread_person
from bdmm.kernels.warp import warp
from bdmm.network.encoders import images_at_once
from bdmm.network.layers import AnyScale, Conv3x3, Folded, ToRGB, initialise
from bdmm.records import Conditions, PixelState
from bdmm.shapes import Clips, Style

Photos = Float[Tensor, "b 3 h0 w0"]
Foregrounds = Float[Tensor, "b 1 h0 w0"]
Appearance = Float[Tensor, "b _ h0 w0"]
WindowFeatures = Float[Tensor, "b t _ h w"]

_LAYER_MAPS = 12
"""Colours, warped colours, warped foreground, four states, prior alpha."""
_OUTPUTS = 5
"""Of the compositing head: three colours, the logits of copy and alpha."""
_START = 0.1
"""Size of the compositing head's first results: small, so that training begins at the warp."""
_Some = TypeVar("_Some", "LayerInputs", "Layers")
_ALPHA_SLOPE = 8.0
"""Logit of alpha at the start: ``8 (prior alpha - 1/2)``."""
_COPY_VISIBLE, _COPY_FALLBACK, _COPY_NOTHING = 3.0, 1.0, -1.0
"""Logit of copy at the start, by what is known of a pixel."""


class RgbInputs(NamedTuple):
    """What an RGB head and its warp encoder see: ``maps``, ``b t 3 h w`` the warped photo."""

    maps: WindowFeatures


class RgbHead(nn.Module):
    """Styled convolution to RGB and tanh, frame by frame (figure 3)."""

    maps = 3
    """Channels that the warp encoder sees."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.to_rgb = ToRGB(config.widths[0], config.style_size)

    def appearance(self, image: Photos, foreground: Foregrounds) -> Appearance:
        """Return what is warped: the photo."""
        del foreground
        return image

    def inputs(self, appearance: Appearance, conditions: Conditions, shrink: int = 1) -> RgbInputs:
        """Warp the photo to each frame (equation 5); the network works at the frames' size."""
        assert shrink == 1
        return RgbInputs(warp_window(appearance, conditions))

    def fold(self, style: Style) -> Folded:
        """Make the kernel for these styles."""
        return self.to_rgb.fold(style)

    def frame(self, features: AnyScale, folded: Folded | None) -> AnyScale:
        """Return one frame, RGB in [-1, 1], from the decoder's features."""
        assert folded is not None
        return torch.tanh(self.to_rgb(features, folded))

    def forward(self, frames: WindowFeatures, inputs: RgbInputs) -> Clips:
        """Return the frames as they are."""
        del inputs
        return frames

    def over(self, output: Clips, background: Float[Tensor, "b t3 3 h w"]) -> Clips:
        """Return the frames: a background of their own is in them."""
        del background
        return output


@dataclass(frozen=True)
class LayerInputs:
    """What a compositing head and its warp encoder see: the coarse warp, taken apart.

    Attributes:
        maps: ``b t 12 hn wn`` all that follows, and what it was made from, at the network's size.
        colours: ``b t 3 h w`` the person's: copied where known, elsewhere inpainted or diffused.
        known: ``b t 1 h w`` 1 where a position in the source may be copied.
        visible: ``b t 1 h w`` 1 where that was seen there, not a fallback.
        prior: ``b t 1 h w`` prior alpha in [0, 1]: where the coarse warp shows the person.
    """

    maps: Float[Tensor, "b t 12 hn wn"]
    colours: Float[Tensor, "b t 3 h w"]
    known: Float[Tensor, "b t 1 h w"]
    visible: Float[Tensor, "b t 1 h w"]
    prior: Float[Tensor, "b t 1 h w"]


@dataclass(frozen=True)
class Layers:
    """What some frames are made of; `over` lays them over a background.

    Attributes:
        alpha: ``b t 1 h w`` in [0, 1], how much the person covers the background.
        person: ``b t 3 h w`` the person's colours, everywhere:
            ``copy * copied + (1 - copy) * synthesis``.
        copied: ``b t 3 h w`` pixels taken from the source.
        synthesis: ``b t 3 h w`` pixels that the network made.
        copy: ``b t 1 h w`` in [0, 1], the copied pixels' share of the person.
        known: see `LayerInputs`.
        visible: see `LayerInputs`.
        prior: see `LayerInputs`.
    """

    alpha: Float[Tensor, "b t 1 h w"]
    person: Float[Tensor, "b t 3 h w"]
    copied: Float[Tensor, "b t 3 h w"]
    synthesis: Float[Tensor, "b t 3 h w"]
    copy: Float[Tensor, "b t 1 h w"]
    known: Float[Tensor, "b t 1 h w"]
    visible: Float[Tensor, "b t 1 h w"]
    prior: Float[Tensor, "b t 1 h w"]

    def over(self, background: Float[Tensor, "b t3 3 h w"]) -> Clips:
        """Return the person over a background, one for each frame or one for all."""
        return self.alpha * self.person + (1 - self.alpha) * background


class CompositingHead(nn.Module):
    """Two convolutions to layers; fresh weights give the coarse warp."""

    maps = _LAYER_MAPS
    """Channels that the warp encoder sees."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.slope = config.slope
        width = config.widths[0]
        self.mix = Conv3x3(width + _LAYER_MAPS, width)
        self.layers = Conv3x3(width, _OUTPUTS)
        initialise(self.mix, config.slope)
        initialise(self.layers, config.slope)
        with torch.no_grad():
            self.layers.weight.mul_(_START)

    def appearance(self, image: Photos, foreground: Foregrounds) -> Appearance:
        """Return what is warped: the person's colours spread beyond the rim, the foreground."""
        return torch.cat((spread_person(image, foreground), foreground), dim=1)

    def inputs(
        self, appearance: Appearance, conditions: Conditions, shrink: int = 1
    ) -> LayerInputs:
        """Warp a source and note what is known of each pixel; see `layer_inputs`."""
        return layer_inputs(appearance, conditions, shrink)

    def fold(self, style: Style) -> None:
        """Return nothing: the style plays no part here."""
        del style

    def frame(self, features: AnyScale, folded: Folded | None) -> AnyScale:
        """Return the decoder's features of one frame as they are."""
        del folded
        return features

    def forward(self, features: WindowFeatures, inputs: LayerInputs) -> Layers:
        """Return layers: the warp's own, corrected by what is regressed from features and warp.

        With ``v`` visible, ``f`` fallback, ``p`` prior alpha and ``C`` the warp's colours, the
        regressed ``c, m, a`` give ``synthesis = C + c``, ``copy = sigmoid(m + 3 v + f - (1 - v -
        f))`` and ``alpha = sigmoid(a + 8 (p - 1/2))``. Where the network works at a smaller size,
        ``c, m, a`` are enlarged before they meet what is known of each pixel of the frame.
        """
        regressed, count = self._regressed(features, inputs.maps), inputs.maps.shape[1]
        if regressed.device.type != "cpu":
            return _layers(regressed, inputs)
        # Frame by frame, what lies in between stays in the cache.
        each = (_layers(regressed[:, t : t + 1], frame_of(inputs, t)) for t in range(count))
        made = _joined(each, count, ("alpha", "person", "synthesis", "copy"))
        given = {name: getattr(inputs, name) for name in ("known", "visible", "prior")}
        return Layers(copied=inputs.colours, **given, **made)

    def over(self, output: Layers, background: Float[Tensor, "b t3 3 h w"]) -> Clips:
        """Lay the person over a background, as learned."""
        return output.over(background)

    def _regressed(
        self, features: WindowFeatures, maps: Float[Tensor, "b t 12 h w"]
    ) -> Float[Tensor, "b t 5 h w"]:
        known = (rearrange(one, "b t c h w -> (b t) c h w") for one in (features, maps))
        at_once = images_at_once(maps[:, 0])
        parts = zip(*(one.split(at_once) for one in known), strict=True)
        raw = torch.cat([self.layers(self.mix(*part, slope=self.slope)) for part in parts])
        return rearrange(raw, "(b t) c h w -> b t c h w", t=maps.shape[1])


def _at_size_of(
    values: Float[Tensor, "b t c hn wn"], like: Float[Tensor, "b t c2 h w"]
) -> Float[Tensor, "b t c h w"]:
    if values.shape[3:] == like.shape[3:]:
        return values
    height, width = like.shape[3:]
    return enlarged(values.flatten(0, 1), (height, width)).unflatten(0, values.shape[:2])


def _layers(regressed: Float[Tensor, "b t 5 hn wn"], inputs: LayerInputs) -> Layers:
    colours, copy, alpha = _at_size_of(regressed, inputs.colours).split((3, 1, 1), dim=2)
    synthesis = inputs.colours + colours
    fallback, nothing = inputs.known - inputs.visible, 1 - inputs.known
    start = _COPY_VISIBLE * inputs.visible + _COPY_FALLBACK * fallback
    copy = torch.sigmoid(copy + (start + _COPY_NOTHING * nothing))
    return Layers(
        alpha=torch.sigmoid(alpha + _ALPHA_SLOPE * (inputs.prior - 0.5)),
        person=copy * inputs.colours + (1 - copy) * synthesis,
        copied=inputs.colours,
        synthesis=synthesis,
        copy=copy,
        known=inputs.known,
        visible=inputs.visible,
        prior=inputs.prior,
    )


def frame_of(maps: _Some, number: int) -> _Some:
    """Return the maps of one frame."""
    parts = (getattr(maps, one.name)[:, number : number + 1] for one in fields(maps))
    return type(maps)(*parts)


def part_of(layers: Layers, rows: slice, columns: slice) -> Layers:
    """Return rows and columns of all maps."""
    return Layers(*(getattr(layers, one.name)[..., rows, columns] for one in fields(layers)))


def _joined(
    each: Iterable[LayerInputs] | Iterable[Layers], count: int, names: Sequence[str]
) -> dict[str, Tensor]:
    """Join maps of single frames by their names; one frame is held at a time."""
    joined: dict[str, Tensor] = {}
    for t, frame in enumerate(each):
        for name in names:
            one = getattr(frame, name)
            if t == 0:
                joined[name] = one.new_empty(one.shape[0], count, *one.shape[2:])
            joined[name][:, t] = one[:, 0]
    return joined


HEADS = {"rgb": RgbHead, "layers": CompositingHead}
"""Heads by their name in `bdmm.config.NetworkConfig`."""


def warp_window(appearance: Appearance, conditions: Conditions) -> WindowFeatures:
    """Sample a source by the grid of each frame."""
    grids = conditions.source_grid
    sources = repeat(appearance, "b c h w -> (b t) c h w", t=conditions.frame_count)
    warped = warp(sources, rearrange(grids, "b t h w xy -> (b t) h w xy"))
    return rearrange(warped, "(b t) c h w -> b t c h w", t=conditions.frame_count)


def layer_inputs(
    appearance: Float[Tensor, "b 4 h0 w0"], conditions: Conditions, shrink: int = 1
) -> LayerInputs:
    """Warp a source and note what is known of each pixel.

    Args:
        appearance: the source's colours spread beyond the person's rim (`spread_person`), and its
            foreground in [0, 1].
        shrink: pixels of the frames per pixel of the network, which sees their mean.
    """
    count = conditions.frame_count
    if count > 1 and conditions.state.device.type == "cpu":
        # Frame by frame, what lies in between stays in the cache.
        alone = (conditions.frames(slice(t, t + 1)) for t in range(count))
        each = (layer_inputs(appearance, one, shrink) for one in alone)
        names = [one.name for one in fields(LayerInputs)]
        return LayerInputs(**_joined(each, count, names))
    warped = conditions.warped
    warped = warp_window(appearance, conditions) if warped is None else warped
    warped = rearrange(warped, "b t c h w -> (b t) c h w")
    state = rearrange(conditions.state, "b t h w -> (b t) 1 h w")
    fallback = rearrange(conditions.fallback, "b t h w -> (b t) 1 h w")

    def at(kind: PixelState) -> Bool[Tensor, "n 1 h w"]:
        return state == kind

    visible, extended = at(PixelState.VISIBLE), at(PixelState.EXTENDED)
    known = (visible | extended | fallback).to(warped)
    unknown = at(PixelState.HIDDEN) & ~fallback
    colours, coloured = warped[:, :3] * known, known
    if conditions.inpainted is not None:
        inpainted = rearrange(conditions.inpainted, "b t c h w -> (b t) c h w")
        colours, coloured = colours + inpainted * unknown, known + unknown
    colours = push_pull(colours, coloured)
    body = visible | at(PixelState.HIDDEN)
    prior = smoothed(torch.where(body, 1.0, warped[:, 3:] * extended))
    # The raw fallback: wrong where it is the face behind a head, but a hint of what is near.
    states = [each.to(warped) for each in (visible, extended, fallback, unknown)]
    maps = (colours, warped, *states, prior)
    maps = torch.cat([one if shrink == 1 else shrunk(one, shrink) for one in maps], dim=1)
    parts = (maps, colours, known, (visible | extended).to(warped), prior)
    return LayerInputs(*(rearrange(part, "(b t) c h w -> b t c h w", t=count) for part in parts))
