"""Changes to samples that make a network robust; all randomness comes in as an argument."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bdmm.data.sample import Sample
from bdmm.kernels.warp import warp
from bdmm.records import KEYPOINT_NAMES, NOWHERE, PixelState
from bdmm.shapes import Frames, Keypoints

_LUMA = (0.299, 0.587, 0.114)
_LIMBS = (
    ("shoulder", "elbow", "wrist", "index", "pinky"),
    ("hip", "knee", "ankle", "big_toe", "small_toe", "heel"),
)
_KNOTS = 5
"""Knots of the flow's error along each side of the source: about one for each body part."""


@dataclass(frozen=True)
class Augmentation:
    """How much samples are changed; zeros change nothing.

    Attributes:
        flip: probability of a mirrored sample.
        colour: strength of changes of brightness, contrast, saturation and tint.
        drop_outs: probability that a joint is missing for a while.
        jitter: standard deviation in pixels at 256 of the joints' noise.
        swaps: probability that left and right arms or legs are mistaken for a while.
        flow_error: largest mean error in pixels at 256 of the flow, which varies smoothly over the
            source and is the same for all frames, as that of a wrong fit is.
        flow_jitter: largest mean error in pixels at 256 of where the flow is in a frame, which
            varies smoothly over the frame and is new in each, as that of estimated poses is.
    """

    flip: float = 0.5
    colour: float = 0.2
    drop_outs: float = 0.03
    jitter: float = 1.0
    swaps: float = 0.02
    flow_error: float = 2.0
    flow_jitter: float = 0.0


def augment(sample: Sample, how: Augmentation, random: np.random.Generator) -> Sample:
    """Return a changed sample.

    Args:
        sample: the sample.
        how: how much.
        random: decides what; the same state gives the same result.
    """
    scale = sample.source_image.shape[1] / 256
    if random.random() < how.flip:
        sample = flip(sample)
    if how.colour > 0:
        sample = shift_colours(sample, how.colour, random)
    keypoints = corrupt_keypoints(sample.keypoints, how, scale, random)
    amount = float(random.uniform(0, how.flow_error)) * scale
    grid = sample.source_grid
    if amount > 0:
        grid = corrupt_flow(grid, sample.state, amount, random)
    sample = replace(sample, keypoints=keypoints, source_grid=grid)
    if how.flow_jitter > 0:
        sample = shake_flow(sample, float(random.uniform(0, how.flow_jitter)) * scale, random)
    return sample


def flip(sample: Sample) -> Sample:
    """Return the mirror image, left and right joints swapped."""
    width = sample.source_image.shape[2]
    keypoints = sample.keypoints[:, list(_OTHER_SIDE)].clone()
    keypoints[..., 0] = width - keypoints[..., 0]
    grid = sample.source_grid.flip(2) * sample.source_grid.new_tensor([-1.0, 1.0])
    state = sample.state.flip(2)
    grid = torch.where((state == PixelState.NONE)[..., None], NOWHERE, grid)
    return Sample(
        source_image=sample.source_image.flip(2),
        source_foreground=sample.source_foreground.flip(2),
        background=sample.background.flip(2),
        keypoints=keypoints,
        source_grid=grid,
        state=state,
        filled=sample.filled.flip(2),
        target_frames=sample.target_frames.flip(3),
        target_foreground=sample.target_foreground.flip(3),
    )


def shift_colours(sample: Sample, strength: float, random: np.random.Generator) -> Sample:
    """Change brightness, contrast, saturation and tint of all pictures alike.

    Channels are never swapped: skin must stay skin.

    Args:
        sample: the sample.
        strength: largest change, as a share.
        random: decides the change.
    """
    contrast, saturation = (1 + strength * float(v) for v in random.uniform(-1, 1, 2))
    tint = 0.5 * strength * random.uniform(-0.4, 0.4, 3)
    shift = torch.tensor(0.5 * strength * random.uniform(-1, 1) + tint).float()[:, None, None]
    luma = torch.tensor(_LUMA)[:, None, None]

    def change(frames: Frames) -> Frames:
        grey = (frames * luma).sum(dim=1, keepdim=True)
        return ((grey + (frames - grey) * saturation) * contrast + shift).clamp(-1, 1)

    return replace(
        sample,
        source_image=change(sample.source_image[None])[0],
        background=change(sample.background[None])[0],
        target_frames=change(sample.target_frames),
    )


def corrupt_keypoints(
    keypoints: Keypoints, how: Augmentation, scale: float, random: np.random.Generator
) -> Keypoints:
    """Take joints away, shake them, mistake left for right, as estimators do.

    Args:
        keypoints: ``t 29 3`` in pixels.
        how: how much.
        scale: pixels per pixel at 256.
        random: decides which.
    """
    result = keypoints.clone()
    frames, joints = keypoints.shape[:2]
    for names in _LIMBS:
        chosen = _while(frames, how.swaps, random)
        for place in _pairs(names):
            result[chosen[:, None], place] = keypoints[chosen[:, None], place[::-1]]
    for joint in range(joints):
        result[_while(frames, how.drop_outs, random), joint, 2] = 0
    # Half of the noise lasts, as a wrong fit does; half is new in every frame.
    lasting, fresh = random.normal(0, how.jitter * scale, (2, frames, joints, 2))
    noise = (lasting[:1] + fresh) / np.sqrt(2)
    result[..., :2] += torch.from_numpy(noise).float()
    return result


def corrupt_flow(
    grid: Float[Tensor, "t h w 2"],
    state: Int[Tensor, "t h w"],
    error: float,
    random: np.random.Generator,
) -> Float[Tensor, "t h w 2"]:
    """Move grid positions by a smooth random field over the source, the same in all frames.

    Args:
        grid: normalised positions.
        state: values of `PixelState`; unknown pixels stay unknown.
        error: mean length of the displacement in pixels, over the source.
        random: decides the field.
    """
    height, width = grid.shape[1:3]
    field = _smooth_fields(1, (64, 64), error, random)
    moved = warp(field.expand(len(grid), -1, -1, -1), grid)
    step = moved.permute(0, 2, 3, 1) * grid.new_tensor([2 / width, 2 / height])
    return torch.where((state == PixelState.NONE)[..., None], grid, grid + step)


def shake_flow(sample: Sample, error: float, random: np.random.Generator) -> Sample:
    """Move the flow about within each frame by a smooth random field of its own.

    Args:
        sample: the sample; the true frames stay.
        error: mean length of the displacement in pixels.
        random: decides the fields.
    """
    count, height, width = sample.state.shape
    away = _smooth_fields(count, (height, width), error, random).round().long()
    row = (torch.arange(height)[:, None] + away[:, 1]).clamp(0, height - 1)
    column = (torch.arange(width) + away[:, 0]).clamp(0, width - 1)
    frame = torch.arange(count)[:, None, None]
    return replace(
        sample,
        source_grid=sample.source_grid[frame, row, column],
        state=sample.state[frame, row, column],
        filled=sample.filled[frame, row, column],
    )


def _smooth_fields(
    count: int, size: tuple[int, int], error: float, random: np.random.Generator
) -> Float[Tensor, "n 2 h w"]:
    """Return smooth random displacements, each of this mean length."""
    knots = torch.from_numpy(random.normal(0, 1, (count, 2, _KNOTS, _KNOTS))).float()
    fields = functional.interpolate(knots, size, mode="bicubic", align_corners=False)
    length = fields.norm(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True)
    return fields * (error / length.clamp_min(1e-6))


def _while(frames: int, probability: float, random: np.random.Generator) -> Int[Tensor, "n"]:
    """Return the numbers of a run of frames, mostly none."""
    start, length = (int(random.integers(frames)) + least for least in (0, 1))
    if random.random() >= probability:
        return torch.arange(0)
    return torch.arange(start, min(start + length, frames))


def _pairs(names: tuple[str, ...]) -> list[list[int]]:
    return [
        [KEYPOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right")] for name in names
    ]


def _other_sides() -> tuple[int, ...]:
    swapped = {"left": "right", "right": "left"}
    parts = [name.partition("_") for name in KEYPOINT_NAMES]
    names = [swapped.get(side, side) + dash + rest for side, dash, rest in parts]
    return tuple(KEYPOINT_NAMES.index(name) for name in names)


_OTHER_SIDE = _other_sides()
