"""Changes to samples, batches of one clip, that make a network robust."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor
from torch.nn import functional

from bdmm.body.bones import other_sides
from bdmm.data.batch import Batch
from bdmm.kernels.warp import warp
from bdmm.records import KEYPOINT_NAMES, NOWHERE, Conditions, PixelState
from bdmm.shapes import Keypoints

_LUMA = (0.299, 0.587, 0.114)
_LIMBS = (
    ("shoulder", "elbow", "wrist", "index", "pinky"),
    ("hip", "knee", "ankle", "big_toe", "small_toe", "heel"),
)
_PERSON = 0.1
"""Foreground from which on a pixel counts as the person's."""
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


def augment(batch: Batch, how: Augmentation, random: np.random.Generator) -> Batch:
    """Return a changed batch of one clip; the same state of `random` gives the same result."""
    scale = batch.source_image.shape[2] / 256
    if random.random() < how.flip:
        batch = flip(batch)
    if how.colour > 0:
        batch = shift_colours(batch, how.colour, random)
    conditions = batch.conditions
    keypoints = corrupt_keypoints(conditions.keypoints[0], how, scale, random)[None]
    amount = float(random.uniform(0, how.flow_error)) * scale
    grid = conditions.source_grid
    if amount > 0:
        grid = corrupt_flow(grid[0], conditions.state[0], amount, random)[None]
    conditions = replace(conditions, keypoints=keypoints, source_grid=grid)
    if how.flow_jitter > 0:
        error = float(random.uniform(0, how.flow_jitter)) * scale
        conditions = shake_flow(conditions, error, random)
    return replace(batch, conditions=conditions)


def flip(batch: Batch) -> Batch:
    """Return the mirror image, left and right joints swapped."""
    given = batch.conditions
    keypoints = given.keypoints[:, :, other_sides(KEYPOINT_NAMES)].clone()
    keypoints[..., 0] = batch.source_image.shape[3] - keypoints[..., 0]
    state = given.state.flip(3)
    grid = given.source_grid.flip(3) * given.source_grid.new_tensor([-1.0, 1.0])
    grid = torch.where((state == PixelState.NONE)[..., None], NOWHERE, grid)
    fallback = given.fallback.flip(3)
    warped = None if given.warped is None else given.warped.flip(4)
    return replace(
        batch,
        source_image=batch.source_image.flip(3),
        source_foreground=batch.source_foreground.flip(3),
        background=batch.background.flip(3),
        conditions=replace(
            given,
            keypoints=keypoints,
            source_grid=grid,
            state=state,
            fallback=fallback,
            warped=warped,
        ),
        target_frames=batch.target_frames.flip(4),
        target_foreground=batch.target_foreground.flip(4),
    )


def shift_colours(batch: Batch, strength: float, random: np.random.Generator) -> Batch:
    """Change brightness, contrast, saturation and tint of all pictures alike.

    Channels are never swapped: skin must stay skin.

    Args:
        strength: largest change, as a share.
    """
    contrast, saturation = (1 + strength * float(v) for v in random.uniform(-1, 1, 2))
    tint = 0.5 * strength * random.uniform(-0.4, 0.4, 3)
    shift = torch.tensor(0.5 * strength * random.uniform(-1, 1) + tint).float()[:, None, None]
    luma = torch.tensor(_LUMA)[:, None, None]

    def change(frames: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
        grey = (frames * luma).sum(dim=-3, keepdim=True)
        return ((grey + (frames - grey) * saturation) * contrast + shift).clamp(-1, 1)

    return replace(
        batch,
        source_image=change(batch.source_image),
        background=change(batch.background),
        target_frames=change(batch.target_frames),
    )


def corrupt_keypoints(
    keypoints: Keypoints, how: Augmentation, scale: float, random: np.random.Generator
) -> Keypoints:
    """Take joints away, shake them, mistake left for right, as estimators do.

    Args:
        keypoints: in pixels.
        scale: pixels per pixel at 256.
    """
    result = keypoints.clone()
    frames, joints = keypoints.shape[:2]
    for names in _LIMBS:
        chosen = _while(frames, how.swaps, random)
        for name in names:
            place = [KEYPOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right")]
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
    state: Integer[Tensor, "t h w"],
    error: float,
    random: np.random.Generator,
) -> Float[Tensor, "t h w 2"]:
    """Move grid positions by a smooth random field over the source, the same in all frames.

    Unknown pixels stay unknown.

    Args:
        error: mean length of the displacement in pixels, over the source.
    """
    height, width = grid.shape[1:3]
    field = _smooth_fields(1, (64, 64), error, random)
    moved = warp(field.expand(len(grid), -1, -1, -1), grid)
    step = moved.permute(0, 2, 3, 1) * grid.new_tensor([2 / width, 2 / height])
    return torch.where((state == PixelState.NONE)[..., None], grid, grid + step)


def shake_flow(conditions: Conditions, error: float, random: np.random.Generator) -> Conditions:
    """Move the flow about within each frame by a smooth random field of its own.

    Args:
        conditions: of one clip.
        error: mean length of the displacement in pixels.
    """
    count, (height, width) = conditions.frame_count, conditions.size
    away = _smooth_fields(count, (height, width), error, random).round().long()
    row = (torch.arange(height)[:, None] + away[:, 1]).clamp(0, height - 1)
    column = (torch.arange(width) + away[:, 0]).clamp(0, width - 1)
    frame = torch.arange(count)[:, None, None]
    return replace(
        conditions,
        source_grid=conditions.source_grid[:, frame, row, column],
        state=conditions.state[:, frame, row, column],
        fallback=conditions.fallback[:, frame, row, column],
    )


def crop_to_person(batch: Batch, size: tuple[int, int], random: np.random.Generator) -> Batch:
    """Cut the same random part out of all frames: where nothing moves there is nothing to learn.

    Where the person fits, all of it is inside; otherwise some part of it is drawn. The source stays
    whole.

    Args:
        batch: of one clip.
        size: (height, width) of the part; a side that the frames lack is left as it is.
    """
    shown = (batch.target_foreground[0, :, 0] > _PERSON).any(dim=0)
    rows = _span(shown.any(dim=1), size[0], random)
    columns = _span(shown.any(dim=0), size[1], random)
    return replace(
        batch,
        background=batch.background[..., rows, columns],
        conditions=batch.conditions.crop(rows, columns),
        target_frames=batch.target_frames[..., rows, columns],
        target_foreground=batch.target_foreground[..., rows, columns],
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


def _span(used: Bool[Tensor, "n"], length: int, random: np.random.Generator) -> slice:
    """Draw a run of a given length that holds all that is used, or lies in it."""
    most = max(0, len(used) - length)
    places = torch.nonzero(used).flatten().tolist() or [0, len(used) - 1]
    ends = sorted((places[-1] + 1 - length, places[0]))
    low, high = (min(max(end, 0), most) for end in ends)
    start = int(random.integers(low, high + 1))
    return slice(start, start + min(length, len(used)))
