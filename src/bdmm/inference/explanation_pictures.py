"""An explanation as pictures: maps by name, sheets that lay them out, and their files."""

import math
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.errors import InputError, Progress
from bdmm.files.output_file import appearing, check_folder
from bdmm.inference.explanation import (
    ExplainedFrame,
    Ranges,
    draw_units,
    explain,
    mean_offset,
    on_frame,
)
from bdmm.inference.prepare import Inputs
from bdmm.inference.renderers import NetworkRenderer
from bdmm.inference.trace import BRANCHES, Block, blocks_of
from bdmm.media.colour_code import colour_bar, flow_colours, flow_wheel, heat_colours
from bdmm.media.image import Picture, picture_size, write_image
from bdmm.media.panels import captioned, contain, mosaic
from bdmm.media.pixels import to_pictures
from bdmm.media.video_writer import FrameWriter, create_video

MOST_MASK = 2.0
"""Masks lie between 0 and this."""
_BAR_SHARE = 1 / 12
_WHITE = 255
_MAPS = ("offsets", "masks", "features")

Named = dict[str, Picture]


def block_pictures(frame: ExplainedFrame, block: Block) -> Named:
    """Return offsets, masks, features and units of a block; folders' names begin with these.

    Masks and features are black outside the part that the network worked on.
    """
    modulated, shrink = frame.trace.blocks[block], block.shrink
    place = {"shrink": shrink, "size": picture_size(frame.generated), "corner": frame.corner}
    offset = on_frame(mean_offset(modulated, shrink), **place)
    mask = on_frame(modulated.mean_mask, **place, nothing=math.nan)
    features = on_frame(modulated.feature_norm, **place, nothing=math.nan)
    return {
        "offsets": flow_colours(offset, frame.ranges.offset[shrink]),
        "masks": heat_colours(mask, 0.0, MOST_MASK, "turbo"),
        "features": heat_colours(features, 0.0, frame.ranges.features[block], "inferno"),
        "units": draw_units(frame.generated, modulated, shrink, frame.points, frame.corner),
    }


def layer_pictures(frame: ExplainedFrame) -> Named:
    """Return alpha, copy share, copied and synthesised pixels; nothing without layers."""
    layers = frame.trace.layers
    if layers is None:
        return {}

    def placed(one: Float[Tensor, "1 1 c h w"], nothing: float) -> Float[np.ndarray, "c h1 w1"]:
        return on_frame(one[0, 0], 1, picture_size(frame.generated), frame.corner, nothing)

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


def block_sheet(
    source: Picture, frame: ExplainedFrame, shrink: int, shown: dict[Block, Named]
) -> Picture:
    """Lay out one scale: source, driver, result and legend left, a row for each branch right."""
    blank = np.full_like(source, _WHITE)
    left = {
        "forward": {"source": source, "driving": frame.driving},
        "backward": {"generated": frame.generated, "legend": legend(source, frame.ranges, shrink)},
    }
    rows = []
    for branch in BRANCHES:
        pictures = shown.get(Block(branch, shrink), {})
        panels = {f"{kind} {branch}": pictures.get(kind, blank) for kind in _MAPS}
        rows.append([captioned(one, name) for name, one in (left[branch] | panels).items()])
    return mosaic(rows)


def legend(like: Picture, ranges: Ranges, shrink: int) -> Picture:
    """Return the meaning of one scale's colours, as large as a picture."""
    height, width = picture_size(like)
    bar = max(round(width * _BAR_SHARE), 4)
    wheel = contain(flow_wheel(width // 2), (width // 2, width))
    rows = [
        captioned(wheel, f"rim: {ranges.offset[shrink]:g} frame pixels"),
        captioned(colour_bar((bar, width), "turbo"), f"mask 0 to {MOST_MASK:g}"),
    ]
    for branch in BRANCHES:
        norm = ranges.features.get(Block(branch, shrink))
        if norm is not None:
            caption = f"features {branch} 0 to {norm:g}"
            rows.append(captioned(colour_bar((bar, width), "inferno"), caption))
    return contain(np.concatenate(rows), (height, width))


def scales_of(blocks: Iterable[Block]) -> list[int]:
    """Return the shrinks of blocks, coarse to fine."""
    return list(dict.fromkeys(block.shrink for block in blocks))


def check_explanation_folder(folder: Path, every: int) -> None:
    """Refuse before the work what cannot be written.

    Raises:
        InputError: the folder holds files, is none or cannot be made, or the number is negative.
    """
    if every < 0:
        raise InputError(f"PNG files of every {every}th frame cannot be kept; 0 keeps none.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The output {folder} is a file; give the name of a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"The output folder {folder} is not empty; give a new one.")
    check_folder(folder.resolve().parent)


def write_explanation(
    inputs: Inputs, renderer: NetworkRenderer, folder: Path, every: int, progress: Progress
) -> list[str]:
    """Write an explanation, whole or not at all; return the names of its videos.

    Args:
        folder: new, or empty.
        every: PNG files are kept of every N-th frame, from the first on; 0 for none.
        progress: is called with the number of frames done.

    Raises:
        InputError: the folder cannot be written.
    """
    check_explanation_folder(folder, every)
    photo, shrink = inputs.photo, renderer.shrink(inputs.source.pose.size)
    blocks = list(blocks_of(renderer.generator, shrink))
    with appearing(folder.resolve(), folder=True) as part, ExitStack() as stack:
        videos: dict[str, FrameWriter] = {}
        for frame in explain(inputs, renderer):
            shown = {block: block_pictures(frame, block) for block in blocks}
            layers = layer_pictures(frame)
            for name, sheet in sheets_of(photo, frame, shown, layers).items():
                if name not in videos:
                    video = create_video(part / f"{name}.mp4", inputs.fps)
                    videos[name] = stack.enter_context(video)
                videos[name].write(sheet)
            if every and (frame.number - 1) % every == 0:
                _write_maps(part, frame, shown, layers)
            if frame.number == 1:
                for scale in scales_of(blocks):
                    write_image(part / f"legend_{scale}.png", legend(photo, frame.ranges, scale))
            progress("Explaining", frame.number, len(inputs))
    return [f"{name}.mp4" for name in videos]


def sheets_of(
    source: Picture, frame: ExplainedFrame, shown: dict[Block, Named], layers: Named
) -> dict[str, Picture]:
    """Return the pictures of one frame as its videos show them, by the videos' names."""
    sheets: dict[str, Picture] = {}
    for shrink in scales_of(shown):
        sheets[f"motion_{shrink}"] = block_sheet(source, frame, shrink, shown)
        units = {
            block.branch: one["units"] for block, one in shown.items() if block.shrink == shrink
        }
        sheets[f"units_{shrink}"] = mosaic(
            [[captioned(u, f"{b}: units green, sampling points red") for b, u in units.items()]]
        )
    if layers:
        row = {"source": source, "driving": frame.driving, "generated": frame.generated, **layers}
        sheets["layers"] = mosaic([[captioned(one, name) for name, one in row.items()]])
    return sheets


def _write_maps(
    folder: Path, frame: ExplainedFrame, shown: dict[Block, Named], layers: Named
) -> None:
    maps = {"generated": frame.generated, **layers}
    for block, pictures in shown.items():
        for kind, picture in pictures.items():
            maps[f"{kind}_{block.branch}_{block.shrink}"] = picture
    for name, picture in maps.items():
        (folder / name).mkdir(exist_ok=True)
        write_image(folder / name / f"{frame.number:06d}.png", picture)
