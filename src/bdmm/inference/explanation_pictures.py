"""The pictures of an explanation: maps by name, and sheets that lay them out."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.inference.explanation import Look, Ranges
from bdmm.inference.motion_pictures import (
    draw_units,
    feature_norm,
    mean_mask,
    mean_offset,
    on_frame,
)
from bdmm.inference.recorder import BRANCHES, Block, Branch
from bdmm.media.colour_code import colour_bar, flow_colours, flow_wheel, heat_colours
from bdmm.media.image import Picture, picture_size
from bdmm.media.panels import captioned, contain, mosaic
from bdmm.media.pixels import to_pictures

MOST_MASK = 2.0
"""Masks lie between 0 and this."""
_BAR_SHARE = 1 / 12
_WHITE = 255
_MAPS = ("offsets", "masks", "features")

Named = dict[str, Picture]


def block_pictures(look: Look, block: Block) -> Named:
    """Return offsets, masks, features and units of a block, named as their folders begin.

    Masks and features are black where the network did not look.
    """
    modulated, shrink = look.recording.blocks[block], block.shrink
    place = {"shrink": shrink, "size": picture_size(look.generated), "corner": look.corner}
    offset = on_frame(mean_offset(modulated, shrink), **place)
    mask = on_frame(mean_mask(modulated), **place, nothing=math.nan)
    features = on_frame(feature_norm(modulated), **place, nothing=math.nan)
    return {
        "offsets": flow_colours(offset, look.ranges.offset[shrink]),
        "masks": heat_colours(mask, 0.0, MOST_MASK, "turbo"),
        "features": heat_colours(features, 0.0, look.ranges.features[block], "inferno"),
        "units": draw_units(look.generated, modulated, shrink, look.points, look.corner),
    }


def layer_pictures(look: Look) -> Named:
    """Return alpha, copy share, copied and synthesised pixels; nothing without layers."""
    layers = look.recording.layers
    if layers is None:
        return {}

    def placed(one: Float[Tensor, "1 1 c h w"], nothing: float) -> Float[np.ndarray, "c h1 w1"]:
        return on_frame(one[0, 0], 1, picture_size(look.generated), look.corner, nothing)

    copied, synthesis = (
        to_pictures(torch.from_numpy(placed(one, -1.0))[None])[0]
        for one in (layers.copied, layers.synthesis)
    )
    return {
        "alpha": heat_colours(placed(layers.alpha, 0.0)[0], 0.0, 1.0, "grey"),
        "copy": heat_colours(placed(layers.copy, math.nan)[0], 0.0, 1.0, "viridis"),
        "copied": copied,
        "synthesis": synthesis,
    }


def block_sheet(source: Picture, look: Look, shrink: int, shown: dict[Block, Named]) -> Picture:
    """Lay out one scale: source, driver, result and legend left, a row for each branch right.

    Args:
        source: the photo as frames show it.
        look: the frame.
        shrink: frame pixels that one of the scale's spans.
        shown: the pictures of each block.
    """
    blank = np.full_like(source, _WHITE)
    left = {
        "forward": {"source": source, "driving": look.driving},
        "backward": {"generated": look.generated, "legend": legend(source, look.ranges, shrink)},
    }
    rows = []
    for branch in BRANCHES:
        pictures = shown.get(Block(branch, shrink), {})
        panels = {f"{kind} {branch}": pictures.get(kind, blank) for kind in _MAPS}
        rows.append([captioned(one, name) for name, one in (left[branch] | panels).items()])
    return mosaic(rows)


def unit_sheet(shrink: int, shown: dict[Block, Named]) -> Picture:
    """Lay out the units of one scale, a picture for each branch."""
    captions = [
        captioned(pictures["units"], f"{block.branch}: units green, sampling points red")
        for block, pictures in shown.items()
        if block.shrink == shrink
    ]
    return mosaic([captions])


def layer_sheet(source: Picture, look: Look, shown: Named) -> Picture:
    """Lay out the layers of a frame beside source, driver and result."""
    first = {"source": source, "driving": look.driving, "generated": look.generated}
    return mosaic([[captioned(one, name) for name, one in (first | shown).items()]])


def legend(like: Picture, ranges: Ranges, shrink: int) -> Picture:
    """Return the meaning of one scale's colours, as large as a picture."""
    height, width = picture_size(like)
    bar = max(round(width * _BAR_SHARE), 4)
    rows: list[Picture] = [captioned(_strip(flow_wheel(width // 2), width), _reach(ranges, shrink))]
    rows.append(captioned(colour_bar((bar, width), "turbo"), f"mask 0 to {MOST_MASK:g}"))
    for branch in BRANCHES:
        norm = ranges.features.get(Block(branch, shrink))
        if norm is not None:
            rows.append(captioned(colour_bar((bar, width), "inferno"), _norm(branch, norm)))
    return contain(np.concatenate(rows), (height, width))


def _strip(picture: Picture, width: int) -> Picture:
    return contain(picture, (picture.shape[0], width))


def _reach(ranges: Ranges, shrink: int) -> str:
    return f"rim: {ranges.offset[shrink]:g} frame pixels"


def _norm(branch: Branch, norm: float) -> str:
    return f"features {branch} 0 to {norm:g}"


def scales_of(blocks: Sequence[Block]) -> list[int]:
    """Return the shrinks of blocks, coarse to fine."""
    return list(dict.fromkeys(block.shrink for block in blocks))
