"""What the head of layers and its encoder are given: the coarse warp, taken apart into maps."""

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from bdmm.kernels.push_pull import push_pull
from bdmm.kernels.rim import smoothed
from bdmm.kernels.warp import warp
from bdmm.records import PixelState

LAYER_INPUTS = 12
"""Colours, warped colours, warped foreground, four states, and where the person is expected."""


@dataclass(frozen=True)
class Guide:
    """Where each pixel of some frames comes from.

    Attributes:
        pose_heatmaps: ``b t k h w`` in [0, 1].
        source_grid: ``b t h w 2`` normalised (x, y) positions in the source, -2 where unknown.
        state: ``b t h w`` values of `records.PixelState`.
        filled: ``b t h w`` hidden pixels whose through-body position may be copied.
        painted: ``b t 3 h w`` colours in [-1, 1] for hidden pixels that nothing is copied to; None
            for such as are spread from whatever is near.
    """

    pose_heatmaps: Float[Tensor, "b t k h w"]
    source_grid: Float[Tensor, "b t h w 2"]
    state: Integer[Tensor, "b t h w"]
    filled: Bool[Tensor, "b t h w"]
    painted: Float[Tensor, "b t 3 h w"] | None = None

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.state.shape[1]


@dataclass(frozen=True)
class LayerInputs:
    """The coarse warp of some frames, taken apart.

    Attributes:
        maps: ``b t 12 h w`` all that follows, and what it was made from.
        colours: ``b t 3 h w`` the person's, copied where known; elsewhere painted, or spread.
        known: ``b t 1 h w`` 1 where a position in the source may be copied.
        visible: ``b t 1 h w`` 1 where that was seen there, not filled in through the body.
        expected: ``b t 1 h w`` in [0, 1] where the coarse warp shows the person.
    """

    maps: Float[Tensor, "b t 12 h w"]
    colours: Float[Tensor, "b t 3 h w"]
    known: Float[Tensor, "b t 1 h w"]
    visible: Float[Tensor, "b t 1 h w"]
    expected: Float[Tensor, "b t 1 h w"]


def layer_inputs(
    person: Float[Tensor, "b 3 h0 w0"], foreground: Float[Tensor, "b 1 h0 w0"], guide: Guide
) -> LayerInputs:
    """Warp a source and tell what is known of each pixel.

    Args:
        person: the source with the person's colours spread beyond the rim, `spread_person`.
        foreground: of the source, in [0, 1].
        guide: of the frames.
    """
    count = len(guide)
    source = repeat(torch.cat((person, foreground), dim=1), "b c h w -> (b t) c h w", t=count)
    warped = warp(source, rearrange(guide.source_grid, "b t h w xy -> (b t) h w xy"))
    state = rearrange(guide.state, "b t h w -> (b t) 1 h w")
    filled = rearrange(guide.filled, "b t h w -> (b t) 1 h w")

    def at(kind: PixelState) -> Bool[Tensor, "n 1 h w"]:
        return state == kind

    visible, extended = at(PixelState.VISIBLE), at(PixelState.EXTENDED)
    known = (visible | extended | filled).to(warped)
    unknown = at(PixelState.HIDDEN) & ~filled
    colours, coloured = warped[:, :3] * known, known
    if guide.painted is not None:
        painted = rearrange(guide.painted, "b t c h w -> (b t) c h w")
        colours, coloured = colours + painted * unknown, known + unknown
    colours = push_pull(colours, coloured)
    body = visible | at(PixelState.HIDDEN)
    expected = smoothed(torch.where(body, 1.0, warped[:, 3:] * extended))
    # Through the body: wrong where it is the face behind a head, but a hint of what is near.
    states = [each.to(warped) for each in (visible, extended, filled, unknown)]
    maps = torch.cat((colours, warped, *states, expected), dim=1)
    parts = (maps, colours, known, (visible | extended).to(warped), expected)
    return LayerInputs(*(rearrange(part, "(b t) c h w -> b t c h w", t=count) for part in parts))
