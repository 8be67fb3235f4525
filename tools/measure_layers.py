"""Print what each layer of the network adds to the coarse warp: alpha, colours, and its size.

    python tools/measure_layers.py prepared/ --vgg vgg19.pth [--every 8]

Each clip reenacts itself from its first usable frame. Printed against the coarse warp of the same
run: PSNR on the person, at their rim, on the frame; SSIM on the person; VGG-19's relative L1 on the
person, in percent. *sharp* is the coarse warp whose alpha is smoothed once, not twice. *alpha* and
*colours* take that layer of the network and the rest of the coarse warp; *larger* runs it at 256
pixels in place of 171, on frames of 512, *full* at all 512. Printed last: the PSNR between the
frames of *layered* and of *full*.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import numpy as np
import torch
import tyro
from measure_person import LAYERS, feature_distance
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.nn import functional

from bdmm.config import LossConfig
from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.evaluation.config import EvalConfig, EvalFrame
from bdmm.evaluation.jobs.reenactment import Reenactment
from bdmm.inference import renderers
from bdmm.inference.presets import NETWORK_SIDE
from bdmm.inference.render import Renderer
from bdmm.kernels.picture_filters import smoothed
from bdmm.losses.vgg19 import Vgg19, load_vgg19
from bdmm.media.pixels import to_frames
from bdmm.network.heads import Layers

_SIDES = {"larger": 256, "full": 512}
_RIM = 4
_ROWS = ("coarse", "sharp", "layered", "alpha", "colours", "larger", "full")
_MEASURES = ("person", "rim", "frame", "SSIM", "VGG %")
Scores = np.ndarray


def main(
    folder: Annotated[Path, tyro.conf.Positional],
    vgg: Path,
    every: int = 8,
    limit: int | None = None,
    rows: tuple[str, ...] = _ROWS,
) -> None:
    """Print the table.

    Args:
        vgg: weights of VGG-19.
        rows: in any order, with ``coarse``.
        every: score every N-th frame.
        limit: at most so many clips.
    """
    torch.set_num_threads(1)
    losses = LossConfig(
        perceptual=1.0, style=0.0, contextual=0.0, perceptual_layers=LAYERS, imagenet_input=True
    )
    eye = load_vgg19(vgg, losses)
    print(f"{'':20} {'':8}" + "".join(f"{one:>9}" for one in _MEASURES))
    gains: dict[str, list[Scores]] = {}
    alike: list[float] = []
    for path in find_clips(folder)[:limit]:
        clip = PreparedClip(path)
        frames = {row: frames_of(clip, row, every) for row in rows}
        found = {row: scores(clip, some, eye) for row, some in frames.items()}
        for row, gain in against_coarse(found).items():
            gains.setdefault(row, []).append(gain)
            show(clip.info.name, row, gain)
        if {"layered", "full"} <= set(rows):
            alike += [decibels(*one) for one in zip(frames["layered"], frames["full"], strict=True)]
    for row, all_gains in gains.items():
        show(f"mean of {len(all_gains)}", row, np.mean(all_gains, axis=0))
    if alike:
        print(f"layered and full: {np.mean(alike):.1f} dB, least {min(alike):.1f}")


def show(clip: str, row: str, gain: Scores) -> None:
    """Print a row."""
    print(f"{clip:20.20} {row:8}" + "".join(f"{one:+9.3f}" for one in gain), flush=True)


def against_coarse(found: Mapping[str, Scores]) -> dict[str, Scores]:
    """Return what each row gains, the last number in percent."""
    coarse = found["coarse"]
    gains = {row: one - coarse for row, one in found.items() if row != "coarse"}
    for gain in gains.values():
        gain[-1] *= 100 / coarse[-1]
    return gains


def frames_of(clip: PreparedClip, row: str, every: int) -> list[EvalFrame]:
    """Return every N-th frame of one row of one clip."""
    with (
        patch.object(renderers, "refine", _CHANGES.get(row, renderers.refine)),
        patch.object(renderers, "smoothed", once if row == "sharp" else smoothed),
    ):
        frames = Reenactment(clip, EvalConfig()).frames(renderer_of(row))
        return [one for one in frames if one.number % every == 0]


def scores(clip: PreparedClip, frames: Sequence[EvalFrame], eye: Vgg19) -> Scores:
    """Return the means over frames."""
    return np.mean([scored(clip, one, eye) for one in frames], axis=0)


def decibels(one: EvalFrame, other: EvalFrame) -> float:
    """Return the PSNR of what two rows generated."""
    first, second = (frame.pair.generated_uint8.astype(float) for frame in (one, other))
    return -20 * math.log10(max(np.sqrt(np.square(first - second).mean()), 1e-3) / 255)


def renderer_of(row: str) -> Renderer:
    """Return what renders a row."""
    if row in ("coarse", "sharp"):
        return renderers.CoarseRenderer()
    return renderers.load_network("layered", network_side=_SIDES.get(row, NETWORK_SIDE))


def once(alpha: Tensor, times: int) -> Tensor:
    """Smooth alpha once, however often it is asked for."""
    del times
    return smoothed(alpha)


_refine = renderers.refine
_CHANGES: dict[str, Callable[[Layers, int], Layers]] = {
    "alpha": lambda layers, side: replace(_refine(layers, side), person=layers.copied),
    "colours": lambda layers, side: replace(_refine(layers, side), alpha=layers.prior),
}


def scored(clip: PreparedClip, frame: EvalFrame, eye: Vgg19) -> list[float]:
    """Return a frame's numbers, in the order of the table."""
    made, true = frame.pair.generated_uint8, frame.pair.target_uint8
    similar = structural_similarity(made, true, channel_axis=2, full=True)[1].mean(axis=2)
    person = clip.foregrounds(frame.number, frame.number + 1)[0, 0] > 0.5
    around = grown(person)
    rim = around & grown(~person)
    made, true = to_frames([made])[0], to_frames([true])[0]
    error = (made - true).square() / 4
    whole = torch.ones_like(person)
    quality = [-10 * math.log10(float(error[:, one].mean())) for one in (person, rim, whole)]
    rows, columns = around.any(dim=1).nonzero(), around.any(dim=0).nonzero()
    part = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    distance = feature_distance(eye, made[:, *part], true[:, *part], around[part])
    return [*quality, 100 * float(similar[person.numpy()].mean()), distance]


def grown(region: Tensor) -> Tensor:
    """Return a region with all pixels near it."""
    wide = functional.max_pool2d(region[None, None].float(), 2 * _RIM + 1, stride=1, padding=_RIM)
    return wide[0, 0] > 0


if __name__ == "__main__":
    tyro.cli(main)
