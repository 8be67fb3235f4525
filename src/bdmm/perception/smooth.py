"""Temporal smoothing and gap interpolation."""

from dataclasses import replace
from fractions import Fraction

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bdmm.body.rotations import interpolate
from bdmm.errors import InputError
from bdmm.records import Landmarks, Motion
from bdmm.shapes import Flags

_AT_ONCE = 4096
"""Frames that are smoothed at once, for bounded memory."""
LONGEST_GAP = 1.0
"""Seconds without a person, or without a trusted pose, that may be interpolated."""


def smooth_over_time(
    values: Float[Tensor, "t *c"], weights: Float[Tensor, "#t *c2"], sigma: float
) -> Float[Tensor, "t *c"]:
    """Return weighted running means under a Gaussian, symmetric in time: no lag.

    Args:
        values: ``t ...``.
        weights: ``t ...`` at least zero, broadcasting against ``values``; a value of weight 0
            is interpolated from its neighbours, or kept where theirs are 0 too.
        sigma: standard deviation in frames; 0 returns ``values`` unchanged.
    """
    if sigma <= 0 or len(values) < 2:
        return values
    reach = max(1, round(4 * sigma))
    steps = torch.arange(-reach, reach + 1, dtype=values.dtype, device=values.device)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)[None, None]

    def blur(signal: Tensor) -> Tensor:
        flat = signal.reshape(len(signal), 1, -1).permute(2, 1, 0)
        flat = functional.conv1d(flat, kernel, padding=reach)
        return flat.permute(2, 1, 0).reshape(signal.shape)

    weights = weights.expand_as(values)
    parts = []
    for start in range(0, len(values), _AT_ONCE):
        near = slice(max(start - reach, 0), start + _AT_ONCE + reach)
        total = blur(weights[near])
        mean = blur(values[near] * weights[near]) / total.clamp_min(1e-6)
        mean = torch.where(total > 1e-6, mean, values[near])
        parts.append(mean[start - near.start :][:_AT_ONCE])
    return torch.cat(parts)


def smooth_landmarks(landmarks: Landmarks, sigma: float = 1.0) -> Landmarks:
    """Return landmarks whose positions are smoothed over time, weighted by confidence.

    Args:
        sigma: standard deviation in frames; 0 for none.

    Raises:
        InputError: ``sigma`` is negative.
    """
    if sigma < 0:
        raise InputError(f"Smoothing must be 0 (off) or a number of frames above it, not {sigma}.")
    confidence = landmarks.keypoints[..., 2:] * landmarks.found[:, None, None]
    positions = smooth_over_time(landmarks.keypoints[..., :2], confidence, sigma)
    keypoints = torch.cat((positions, landmarks.keypoints[..., 2:]), dim=-1)
    points_3d = landmarks.keypoints_3d
    if points_3d is not None:
        points_3d = smooth_over_time(points_3d, confidence, sigma)
    return replace(landmarks, keypoints=keypoints, keypoints_3d=points_3d)


def gaps(good: Flags) -> list[tuple[int, int]]:
    """Return the runs of frames that aren't good as (first, one past the last)."""
    edges = torch.diff(good.int(), prepend=torch.ones(1, dtype=torch.int32, device=good.device))
    starts = (edges == -1).nonzero()[:, 0].tolist()
    ends = [*(edges == 1).nonzero()[:, 0].tolist(), len(good)]
    return list(zip(starts, ends, strict=False))


def require_short_gaps(found: Flags, fps: Fraction) -> None:
    """Check that nobody is missing for longer than a second.

    Raises:
        InputError: somebody is; it names the frames.
    """
    longest = float(fps) * LONGEST_GAP
    too_long = [gap for gap in gaps(found) if gap[1] - gap[0] > longest]
    if too_long:
        runs = ", ".join(f"{start} to {end - 1}" for start, end in too_long)
        raise InputError(
            f"Nobody is seen in the driving clip's frames {runs}; up to {LONGEST_GAP:g} second can "
            "be bridged: cut the clip."
        )


def fill_missing(landmarks: Landmarks) -> Landmarks:
    """Return landmarks whose missing frames lie on straight lines between the found ones.

    Their confidence is 0. Before the first and after the last found frame the nearest is held.
    """
    before, after, weight = _neighbours(landmarks.found)

    def fill(values: Tensor) -> Tensor:
        return torch.lerp(values[before], values[after], weight[:, None, None])

    keypoints = fill(landmarks.keypoints)
    keypoints[..., 2] = landmarks.keypoints[..., 2] * landmarks.found[:, None]
    points_3d = None if landmarks.keypoints_3d is None else fill(landmarks.keypoints_3d)
    return replace(landmarks, keypoints=keypoints, keypoints_3d=points_3d)


def bridge(motion: Motion, trusted: Flags) -> Motion:
    """Return a motion whose untrusted frames are interpolated from the trusted ones around them.

    Rotations take the shortest way at constant speed; scale and translation go straight. Before
    the first and after the last trusted frame the nearest is held. What was bridged is flagged.

    Args:
        trusted: ``t``, at least one of them true.
    """
    before, after, weight = _neighbours(trusted)
    gap = ~trusted
    rotations = motion.rotations.clone()
    rotations[gap] = interpolate(
        motion.rotations[before[gap]],
        motion.rotations[after[gap]],
        weight[gap, None].expand(-1, 24),
    )
    return replace(
        motion,
        rotations=rotations,
        scale=torch.lerp(motion.scale[before], motion.scale[after], weight),
        translation=torch.lerp(
            motion.translation[before], motion.translation[after], weight[:, None]
        ),
        flagged=motion.flagged | gap,
    )


def _neighbours(
    good: Flags,
) -> tuple[Int[Tensor, "t"], Int[Tensor, "t"], Float[Tensor, "t"]]:
    """Return for each frame the good ones before and after it, and where it lies between them."""
    count = len(good)
    frames = torch.arange(count, device=good.device)
    before = torch.where(good, frames, -1).cummax(0).values
    after = torch.where(good, frames, count).flip(0).cummin(0).values.flip(0)
    before, after = (
        torch.where(before < 0, after, before),
        torch.where(after >= count, before, after),
    )
    weight = (frames - before) / (after - before).clamp_min(1)
    return before, after, weight.clamp(0, 1).to(torch.float32)
