"""Does the generated person do the motion? Keypoints found again, beside the driving ones."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bdmm.errors import InputError
from bdmm.perception.pose import FrameArray, PoseEstimator
from bdmm.records import KEYPOINT_NAMES
from bdmm.shapes import Keypoints

MIN_CONFIDENCE = 0.5
"""A keypoint below it counts as not seen."""
PCK_SHARE = 0.1
"""A keypoint is right within this share of the torso's length."""
REFERENCE_SIZE = 256
"""Distances in pixels are given for frames of this height."""


@dataclass(frozen=True)
class KeypointError:
    """How far the keypoints found again lie from those asked for.

    Attributes:
        pixels: mean distance over the joints found, in pixels of a frame 256 high; NaN if none.
        of_torso: mean distance as a share of the torso's length; NaN if none.
        pck: share of the joints asked for that are found within a tenth of the torso's length;
            a joint not found is wrong. NaN if none was asked for.
        found: share of the joints asked for that are found; NaN if none was asked for.
        joints: joints asked for, all frames together.
        frames: frames that had one.
    """

    pixels: float
    of_torso: float
    pck: float
    found: float
    joints: int
    frames: int


def keypoint_error(
    generated: Keypoints,
    driving: Keypoints,
    height: int,
    min_confidence: float = MIN_CONFIDENCE,
) -> KeypointError:
    """Compare keypoints frame by frame.

    A joint is asked for where the driving keypoint is confident and the frame has a torso length
    to measure by: neck to the middle of the hips, in the median of its frames where it cannot be
    seen or is foreshortened to less than half of that.

    Args:
        generated: found in the generated frames, pixels of ``height``.
        driving: that they should show, in the same pixels.
        height: of the frames.
        min_confidence: below it a keypoint is not seen.
    """
    torso = torso_lengths(driving, min_confidence)
    asked = _seen(driving, min_confidence) & torso.isfinite()[:, None]
    found = asked & _seen(generated, min_confidence)
    away = (generated[..., :2] - driving[..., :2]).double().norm(dim=-1)
    relative = away / torso[:, None]
    joints = int(asked.sum())
    right = found & (relative <= PCK_SHARE)
    return KeypointError(
        pixels=_mean(away[found]) * REFERENCE_SIZE / height,
        of_torso=_mean(relative[found]),
        pck=_share(int(right.sum()), joints),
        found=_share(int(found.sum()), joints),
        joints=joints,
        frames=int(asked.any(1).sum()),
    )


def torso_lengths(
    keypoints: Keypoints, min_confidence: float = MIN_CONFIDENCE
) -> Float[Tensor, "t"]:
    """Return each frame's length to measure by, in pixels; NaN if no frame has one.

    Args:
        keypoints: of one person in one clip.
        min_confidence: below it a keypoint is not seen.
    """
    ends = [KEYPOINT_NAMES.index(name) for name in ("neck", "mid_hip")]
    lengths = (keypoints[:, ends[0], :2] - keypoints[:, ends[1], :2]).double().norm(dim=-1)
    seen = _seen(keypoints, min_confidence)[:, ends].all(1)
    if not bool(seen.any()):
        return torch.full_like(lengths, torch.nan)
    usual = lengths[seen].median()
    return torch.where(seen & (lengths >= usual / 2), lengths, usual)


def detect_keypoints(
    frames: Iterable[FrameArray], fps: Fraction, estimator: PoseEstimator
) -> Keypoints:
    """Find the person's keypoints in frames; where nobody is seen at all, none is confident.

    Args:
        frames: RGB in 0..255, all of one size; gone through once.
        fps: frames per second.
        estimator: such as `perception.mediapipe_pose.MediaPipePose`.

    Raises:
        InputError: there are no frames, or one cannot be read.
    """
    count, ended = 0, False

    def counted() -> Iterator[FrameArray]:
        nonlocal count, ended
        for frame in frames:
            count += 1
            yield frame
        ended = True

    try:
        return estimator.detect(counted(), fps).landmarks.keypoints
    except InputError:
        if not ended or count == 0:
            raise
        return torch.zeros(count, len(KEYPOINT_NAMES), 3)


def _seen(keypoints: Tensor, min_confidence: float) -> Bool[Tensor, "t k"]:
    return (keypoints[..., 2] >= min_confidence) & keypoints.isfinite().all(-1)


def _mean(values: Tensor) -> float:
    return float(values.mean()) if values.numel() else math.nan


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
