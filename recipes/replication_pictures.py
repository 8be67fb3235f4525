"""Pictures of `replicate.py`: what its networks draw, and figures 7 and 8 of the paper.

Rendered people only: held-out ones, from noisy poses as in training.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import cv2

from bdmm.data.clip_store import PreparedClip
from bdmm.evaluation.config import EvalConfig, EvalFrame
from bdmm.evaluation.jobs.reenactment import Reenactment
from bdmm.evaluation.systems import open_system
from bdmm.inference.explanation import explain
from bdmm.inference.explanation_pictures import block_pictures, scales_of
from bdmm.inference.renderers import load_network
from bdmm.inference.trace import BRANCHES, Block
from bdmm.media.image import Picture, write_image
from bdmm.media.panels import captioned, mosaic

_SIDE, _SMALL = 176, 144
"""Pixels of a picture's side on the sheets."""
_FRAME = 9
"""Which frame of a clip is shown."""


def draw_frames(path: Path, clips: Sequence[Path], systems: Mapping[str, str]) -> None:
    """Write a sheet of people: photo, truth, then each system's frame.

    Args:
        path: of the picture.
        clips: one for each row.
        systems: name -> what `bdmm.evaluation.systems.open_system` takes.
    """
    rows = []
    for folder in clips:
        clip, shown = PreparedClip(folder), {}
        for name, where in systems.items():
            made = Reenactment(clip, EvalConfig(cached=True), keypoints=clip.keypoints())
            frame = _frame(made, where)
            shown |= {"photo": made.inputs.photo, "truth": frame.pair.target_uint8}
            shown[name] = frame.pair.generated_uint8
        rows.append(_row(shown, _SIDE))
    write_image(path, mosaic(rows))


def draw_blocks(path: Path, clip: Path, weights: str, every: int = 6) -> None:
    """Write offsets, masks, features and units: a row for each block, of every N-th frame.

    Args:
        path: of the picture.
        weights: of the network that is looked at.
    """
    prepared = PreparedClip(clip)
    inputs = Reenactment(prepared, EvalConfig(), keypoints=prepared.keypoints()).inputs
    rows: dict[str, list[Picture]] = {}
    for frame in islice(explain(inputs, load_network(weights, traces=True)), every, None, every):
        for shrink in scales_of(frame.trace.blocks):
            for branch in BRANCHES:
                name, maps = f"{branch} {shrink}", block_pictures(frame, Block(branch, shrink))
                shown = {f"{kind} {name}": one for kind, one in maps.items()}
                rows.setdefault(name, []).extend(_row(shown, _SMALL))
    write_image(path, mosaic(list(rows.values())))


def _frame(made: Reenactment, where: str) -> EvalFrame:
    return next(one for one in made.frames(open_system(where)) if one.number >= _FRAME)


def _row(pictures: Mapping[str, Picture], side: int) -> list[Picture]:
    sized = (
        cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA if one.shape[0] > side else 0)
        for one in pictures.values()
    )
    return [captioned(one, name) for name, one in zip(pictures, sized, strict=True)]
