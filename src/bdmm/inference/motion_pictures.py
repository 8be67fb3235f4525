"""What the blocks of motion modulation do, as maps of the frame's size (figures 7 and 8)."""

import cv2
import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.inference.recorder import Modulated
from bdmm.media.image import Picture, picture_size, resize_image

UNIT, SAMPLE = (0, 220, 60), (235, 30, 30)
"""Green: an activated unit; red: where its taps sample (figure 8)."""
UNITS_SIDE = 768
"""A picture with units is enlarged until its shorter side has so many pixels."""
_LEAST_RADIUS = 2.5
"""Of a unit, in pixels of the enlarged picture."""
_SIDE = 3
_SUBPIXEL = 4
"""Bits of a drawn position behind the point."""
_NOTHING = 0.01
"""Where the masks' mean is below this, the block hardly looks and its flow fades to zero."""


def mean_offset(modulated: Modulated, shrink: int) -> Float[Tensor, "2 h w"]:
    """Return where a block's taps are moved on the whole: their mean offset, weighted by mask.

    Args:
        modulated: of one clip.
        shrink: frame pixels that one of the block's spans.

    Returns:
        Flow (dx, dy) in pixels of the frame; zero where the masks are.
    """
    offsets = rearrange(modulated.offsets[0], "(p yx) h w -> yx p h w", yx=2)
    masks = modulated.masks[0]
    mean = (masks * offsets).mean(dim=1) / masks.mean(dim=0).clamp(min=_NOTHING)
    return shrink * mean.flip(0).float()


def mean_mask(modulated: Modulated) -> Float[Tensor, "h w"]:
    """Return the mean over taps of a block's masks, in [0, 2]."""
    return modulated.masks[0].mean(dim=0).float()


def feature_norm(modulated: Modulated) -> Float[Tensor, "h w"]:
    """Return the length of the propagated features at each pixel."""
    return modulated.propagated[0].float().norm(dim=0)


def on_frame(
    values: Float[Tensor, "*c h1 w1"],
    shrink: int,
    size: tuple[int, int],
    corner: tuple[int, int] = (0, 0),
    nothing: float = 0.0,
) -> Float[np.ndarray, "*c h w"]:
    """Lay a block's map on the frame, each pixel a square, and cut what lies beyond.

    Args:
        values: any map.
        shrink: frame pixels that one of the map's spans.
        size: (height, width) of the frame.
        corner: (top, left) of the map on the frame.
        nothing: what the frame holds beside the map.
    """
    large = repeat(values, "... h w -> ... (h y) (w x)", y=shrink, x=shrink)
    (top, left), (height, width) = corner, size
    beside = (left, width - left - large.shape[-1], top, height - top - large.shape[-2])
    return functional.pad(large.float(), beside, value=nothing).cpu().numpy()


def sampling_points(
    modulated: Modulated, units: Float[Tensor, "n 2"]
) -> tuple[Float[Tensor, "n p 2"], Float[Tensor, "n p"]]:
    """Return where units sample, and how much each of these counts.

    Args:
        modulated: of one clip.
        units: (x, y) whole pixels of the block.

    Returns:
        Positions (x, y) in pixels of the block, (0, 0) at the outer corner of the first one; masks.
    """
    columns, rows = units.long().unbind(dim=1)
    offsets = rearrange(modulated.offsets[0][:, rows, columns], "(p yx) n -> n p yx", yx=2)
    masks = modulated.masks[0][:, rows, columns]
    reach = _SIDE // 2
    steps = torch.arange(-reach, reach + 1, device=offsets.device)
    dy, dx = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack((dx.flatten(), dy.flatten()), dim=-1)
    return units[:, None] + 0.5 + places + offsets.flip(-1), rearrange(masks, "p n -> n p")


def draw_units(
    frame: Picture,
    modulated: Modulated,
    shrink: int,
    points: Float[Tensor, "n 2"],
    corner: tuple[int, int] = (0, 0),
) -> Picture:
    """Draw units of a block over an enlarged frame, and where they sample.

    A sampling point's area is proportional to its mask.

    Args:
        frame: what lies beneath; it is not changed.
        modulated: of one clip.
        shrink: frame pixels that one of the block's spans.
        points: (x, y) in pixels of the frame under which the units lie; where the block has none,
            nothing is drawn.
        corner: (top, left) of the block's map on the frame.
    """
    height, width = picture_size(frame)
    zoom = -(-UNITS_SIDE // min(height, width))
    picture = resize_image(frame, (zoom * height, zoom * width)).copy()
    first = points.new_tensor([corner[1], corner[0]]) / shrink
    units = (points / shrink - first).floor().to(modulated.offsets)
    rows, columns = modulated.masks.shape[-2:]
    inside = (units >= 0).all(dim=1) & (units < units.new_tensor([columns, rows])).all(dim=1)
    units = units[inside]
    samples, masks = sampling_points(modulated, units)
    first, radius = first.to(units), max(0.3 * shrink * zoom, _LEAST_RADIUS)
    samples, masks = (samples + first).nan_to_num(nan=-1e6), masks.nan_to_num()
    for places, weights in zip(samples.tolist(), masks.tolist(), strict=True):
        for place, weight in zip(places, weights, strict=True):
            _dot(picture, place, shrink * zoom, radius * weight**0.5, SAMPLE)
    for unit in (units + 0.5 + first).tolist():
        _dot(picture, unit, shrink * zoom, radius, UNIT)
    return picture


def _dot(
    picture: Picture, place: list[float], scale: int, radius: float, colour: tuple[int, int, int]
) -> None:
    """Draw a filled circle at a place in pixels of a block; it may lie outside the picture."""
    fine = 2**_SUBPIXEL
    limit = 2**14
    # OpenCV puts (0, 0) at the first pixel's centre
    x, y = (round(fine * min(max(scale * one - 0.5, -limit), limit)) for one in place)
    cv2.circle(picture, (x, y), round(fine * radius), colour, -1, cv2.LINE_AA, _SUBPIXEL)
