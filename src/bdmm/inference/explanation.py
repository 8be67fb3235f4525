"""A clip as the network sees it: each frame with what its motion modulation did (figures 7, 8)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.body.camera import project
from bdmm.body.model import load_body
from bdmm.inference.prepare import Inputs
from bdmm.inference.render import render
from bdmm.inference.renderers import NetworkRenderer
from bdmm.inference.trace import Block, FrameTrace, Modulated
from bdmm.media.image import Picture, picture_size, resize_image
from bdmm.media.pixels import to_pictures
from bdmm.records import KEYPOINT_NAMES

UNITS = (
    "nose", "neck", "right_elbow", "right_wrist", "left_elbow", "left_wrist", "mid_hip",
    "right_knee", "right_ankle", "left_knee", "left_ankle",
)  # fmt: skip
"""Keypoints whose units are drawn with their sampling points."""
UNIT, SAMPLE = (0, 220, 60), (235, 30, 30)
"""Green: an activated unit; red: where its taps sample (figure 8)."""
UNITS_SIDE = 768
"""Shorter side in pixels to which a picture with units is enlarged at least."""
_LEAST_RADIUS = 2.5
"""Of a unit, in pixels of the enlarged picture."""
_SIDE = 3
_SUBPIXEL = 4
"""Bits of a drawn position behind the point."""
_NOTHING = 0.01
"""Mean of the masks below which the block hardly samples, so that its flow fades to zero."""
_ALMOST_ALL = 0.99
"""Share of the values that lie within the colour scale."""
_LEAST_REACH = 0.1
"""Frame pixels that are full colour where nothing moves more."""


@dataclass(frozen=True)
class Ranges:
    """What the ends of the colour scales mean, the same for a whole clip.

    Attributes:
        offset: by shrink, the length in frame pixels of an offset in full colour.
        features: of each block, the norm of the features that are brightest.
    """

    offset: dict[int, float]
    features: dict[Block, float]


@dataclass(frozen=True)
class ExplainedFrame:
    """One frame and what the network did for it.

    Attributes:
        number: of the frame, from 1.
        driving: the driver's frame, as large as the generated one.
        points: ``n 2`` (x, y) of body parts, in pixels of the frame.
        corner: (top, left) in the frame of the part that the network worked on.
    """

    number: int
    driving: Picture
    generated: Picture
    trace: FrameTrace
    points: Float[Tensor, "n 2"]
    corner: tuple[int, int]
    ranges: Ranges


def explain(inputs: Inputs, renderer: NetworkRenderer) -> Iterator[ExplainedFrame]:
    """Yield the frames of a clip with what the network did; a window is held at a time."""
    points, driving = body_points(inputs), inputs.driving_frames()
    number, ranges = 0, None
    for window in render(inputs, renderer):
        ranges = ranges or ranges_of(window.traces)
        corner = window.box.top, window.box.left
        for generated, trace in zip(to_pictures(window.frames), window.traces, strict=True):
            frame = generated, trace, points[number], corner, ranges
            number += 1
            yield ExplainedFrame(number, next(driving), *frame)


def ranges_of(traces: Sequence[FrameTrace]) -> Ranges:
    """Choose the colour scales by the first frames of a clip: almost all lies within."""
    offset: dict[int, float] = {}
    features: dict[Block, float] = {}
    for block in traces[0].blocks:
        seen = [one.blocks[block] for one in traces]
        moved = _high([mean_offset(one, block.shrink).norm(dim=0) for one in seen])
        offset[block.shrink] = max(offset.get(block.shrink, _LEAST_REACH), round_up(moved))
        features[block] = round_up(_high([one.feature_norm for one in seen])) or 1.0
    return Ranges(offset, features)


def round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20 and so on, or 0.1, 0.2, ...; 0 for what has none."""
    if not 0 < value < math.inf:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 2, 5) if value <= step * power), 10 * power)


def body_points(inputs: Inputs) -> Float[Tensor, "t n 2"]:
    """Return where the moved person's `UNITS` are, in pixels of the frames."""
    motion = inputs.motion
    keypoints = load_body(motion.body).keypoints(motion.shape, motion.rotations)
    seen = project(keypoints, motion.scale, motion.translation)[..., :2]
    return seen[:, [KEYPOINT_NAMES.index(name) for name in UNITS]]


def _high(maps: Sequence[Float[Tensor, "h w"]]) -> float:
    values = torch.stack(list(maps)).flatten().nan_to_num()
    return values.kthvalue(max(round(_ALMOST_ALL * len(values)), 1)).values.item()


def mean_offset(modulated: Modulated, shrink: int) -> Float[Tensor, "2 h w"]:
    """Return where a block's taps are moved on the whole: their mean offset, weighted by mask.

    Args:
        shrink: frame pixels per pixel of the block.

    Returns:
        Flow (dx, dy) in pixels of the frame; zero where the masks are.
    """
    offsets = rearrange(modulated.offsets[0], "(p yx) h w -> yx p h w", yx=2)
    masks = modulated.masks[0]
    mean = (masks * offsets).mean(dim=1) / masks.mean(dim=0).clamp(min=_NOTHING)
    return shrink * mean.flip(0).float()


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
        shrink: frame pixels per pixel of the map.
        size: (height, width) of the frame.
        corner: (top, left) of the map on the frame.
        nothing: value of the frame outside the map.
    """
    large = repeat(values, "... h w -> ... (h y) (w x)", y=shrink, x=shrink)
    (top, left), (height, width) = corner, size
    around = (left, width - left - large.shape[-1], top, height - top - large.shape[-2])
    return functional.pad(large.float(), around, value=nothing).cpu().numpy()


def sampling_points(
    modulated: Modulated, units: Float[Tensor, "n 2"]
) -> tuple[Float[Tensor, "n p 2"], Float[Tensor, "n p"]]:
    """Return where units sample, and how much each of these counts.

    Args:
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
        shrink: frame pixels per pixel of the block.
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
