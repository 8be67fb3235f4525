"""Several photos at one moment: each pixel from the photo that shows its surface point best.

Photo k's weight at a pixel is proportional to ``(trust_k exp(share_k / tau))^sharpness``, with the
trust of the surface point (`photo_view`) and the share of the frame's body that the photo shows
(`photo_choice`). Both are smooth, in space or in time: so one photo rules almost everywhere, and
where another one takes over, the border moves over the surface as the person turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bdmm.appearance.photo_view import PhotoView
from bdmm.body.mesh_flow import MeshFlow
from bdmm.kernels.warp import warp
from bdmm.records import NOWHERE, PixelState

TAU = 0.25
"""Difference of shares that counts as much as a factor e of trust."""
SHARPNESS = 4.0
"""1 would blend photos and show how the fits disagree; infinity would cut."""
_LEAST = 0.02
"""Trust that every visible pixel has at least."""
_STRETCH, _RIM = 2.0, 0.05
"""How much better a frame may show a surface than the photo from which it comes."""
LEAST_WEIGHT = 1e-3
"""A photo is looked up in frames where it can weigh so much somewhere."""


@dataclass(frozen=True)
class Mixture:
    """What several photos show of some frames.

    Attributes:
        flow: state of each pixel in the mixture; of the frame's best photo: fallback, and positions
            as if that photo had the frame's size.
        warped: ``t 4 h w`` colours and foreground of the mixture.
    """

    flow: MeshFlow
    warped: Float[Tensor, "t 4 h w"]


def useful_photos(shares: Float[Tensor, "t k"]) -> Bool[Tensor, "t k"]:
    """Return which photos are looked up in which frames: those not surpassed by far."""
    behind = shares.amax(dim=1, keepdim=True) - shares
    # A point that this photo shows fully and the best one hardly.
    return ((-behind / TAU).exp() / _LEAST) ** SHARPNESS > LEAST_WEIGHT


def sufficiency(shown: Float[Tensor, "*p"], wanted: Float[Tensor, "*p"]) -> Float[Tensor, "*p"]:
    """Return the share that the photos' pixels have in a frame; the rest is the atlas's.

    A rim of a photo, where few pixels show much of the surface and the background is near, is not
    stretched over what faces the camera in the frame.

    Args:
        shown: largest trust of the photos.
        wanted: trust in a photo that were the frame itself.
    """
    return (_STRETCH * (shown + _RIM) / (wanted + _RIM)).clamp(max=1)


def mix(
    views: Sequence[PhotoView],
    flows: Sequence[MeshFlow],
    trust: Float[Tensor, "k t h w"],
    shares: Float[Tensor, "t k"],
    size: tuple[int, int],
) -> Mixture:
    """Mix the photos of a person in some frames, or in a part of them.

    Args:
        flows: from each photo to the frames.
        trust: of the surface point at each pixel, 0 off the body.
        shares: of the frames' bodies that the photos show.
        size: (height, width) of whole frames.
    """
    if len(views) == 1:
        return Mixture(flows[0], _warp(views[0], flows[0]))
    states = torch.stack([flow.state for flow in flows])
    visible, extended = states == PixelState.VISIBLE, states == PixelState.EXTENDED
    body = (flows[0].segment >= 0).expand_as(visible)
    preference = (shares / TAU).T[:, :, None, None]
    score = torch.where(body, trust.clamp(min=_LEAST).log(), 0.0) + preference
    useful = useful_photos(shares).T[:, :, None, None]
    visible, extended = visible & useful, extended & useful
    usable = torch.where(body, visible, useful)
    weight = _softmax(SHARPNESS * score, usable)
    warped = torch.stack([_warp(v, f) for v, f in zip(views, flows, strict=True)])
    shown = weight * torch.where(body, visible, extended)
    best = shares.argmax(dim=1)
    of_best = _picked(warped, best)
    colour_weight = shown.sum(dim=0)
    mixed = (warped * shown[:, :, None]).sum(dim=0) / colour_weight.clamp(min=1e-6)[:, None]
    mixed = torch.where((colour_weight > 1e-6)[:, None], mixed, of_best)
    # Off the body the foreground fades as its photo does.
    fading = torch.where(body[0], 1.0, colour_weight)[:, None]
    mixed = torch.cat((mixed[:, :3], mixed[:, 3:] * fading), dim=1)
    known = shown.sum(dim=0) > 0.05
    positions = [
        flow.source_xy * best.new_tensor(size[::-1]) / best.new_tensor(view.geometry.size[::-1])
        for view, flow in zip(views, flows, strict=True)
    ]
    flow = _mixed_flow(flows, _picked(torch.stack(positions), best), best, known, body[0])
    return Mixture(flow, mixed)


def _mixed_flow(
    flows: Sequence[MeshFlow],
    source_xy: Float[Tensor, "t h w 2"],
    best: Tensor,
    shown: Bool[Tensor, "t h w"],
    body: Bool[Tensor, "t h w"],
) -> MeshFlow:
    hidden = torch.where(body, int(PixelState.HIDDEN), int(PixelState.NONE))
    seen = torch.where(body, int(PixelState.VISIBLE), int(PixelState.EXTENDED))
    fallback = _picked(torch.stack([flow.fallback for flow in flows]), best)
    return MeshFlow(
        source_xy=source_xy,
        state=torch.where(shown, seen, hidden).to(flows[0].state),
        fallback=fallback & ~shown & body,
        segment=flows[0].segment,
    )


def _softmax(
    score: Float[Tensor, "k t h w"], usable: Bool[Tensor, "k t h w"]
) -> Float[Tensor, "k t h w"]:
    score = torch.where(usable, score, -1e9)
    return torch.softmax(score, dim=0) * usable


def _picked(stacked: Tensor, index: Tensor) -> Tensor:
    """Return of each frame what belongs to one photo: ``stacked[index[t], t]``."""
    return stacked[index, torch.arange(len(index), device=index.device)]


def _warp(view: PhotoView, flow: MeshFlow) -> Float[Tensor, "t 4 h w"]:
    height, width = view.geometry.size
    grids = 2 * flow.source_xy / flow.source_xy.new_tensor([width, height]) - 1
    grids = torch.where(grids.isinf(), NOWHERE, grids)
    return torch.cat([warp(view.appearance, grid[None]) for grid in grids])
