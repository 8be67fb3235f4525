"""Pose accuracy: keypoints detected in generated frames against the driving keypoints."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bdmm.errors import InputError
from bdmm.perception.mediapipe_pose import detect_clip
from bdmm.perception.pose import FrameArray
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
    """How far detected keypoints lie from the driving ones.

    A joint counts where the driving keypoint is confident.

    Attributes:
        pixels: mean distance over the detected joints, in pixels of a frame 256 high; NaN if none.
        of_torso: mean distance as a share of the torso's length; NaN if none.
        pck: share of the joints that are detected within a tenth of the torso's length; a joint
            that is not detected is wrong. NaN if there are no joints.
        detection_rate: share of the joints that are detected; NaN if there are no joints.
        joints: that count, all frames together.
        frames: with such a joint.
    """

    pixels: float
    of_torso: float
    pck: float
    detection_rate: float
    joints: int
    frames: int


def keypoint_error(generated: Keypoints, driving: Keypoints, height: int) -> KeypointError:
    """Compare keypoints frame by frame.

    A joint counts where the driving keypoint is confident and the frame has a torso length: neck to
    the middle of the hips. Where that is not seen, or is foreshortened to less than half of the
    median, the median of the clip takes its place.

    Args:
        generated: detected in the generated frames, pixels of ``height``.
        driving: the true ones, in the same pixels.
    """
    torso = torso_lengths(driving)
    counted = _seen(driving) & torso.isfinite()[:, None]
    detected = counted & _seen(generated)
    away = (generated[..., :2] - driving[..., :2]).double().norm(dim=-1)
    relative = away / torso[:, None]
    joints = int(counted.sum())
    right = detected & (relative <= PCK_SHARE)
    return KeypointError(
        pixels=_mean(away[detected]) * REFERENCE_SIZE / height,
        of_torso=_mean(relative[detected]),
        pck=_share(int(right.sum()), joints),
        detection_rate=_share(int(detected.sum()), joints),
        joints=joints,
        frames=int(counted.any(1).sum()),
    )


def torso_lengths(keypoints: Keypoints) -> Float[Tensor, "t"]:
    """Return each frame's torso length in pixels; NaN if no frame has one.

    Args:
        keypoints: of one person in one clip.
    """
    ends = [KEYPOINT_NAMES.index(name) for name in ("neck", "mid_hip")]
    lengths = (keypoints[:, ends[0], :2] - keypoints[:, ends[1], :2]).double().norm(dim=-1)
    seen = _seen(keypoints)[:, ends].all(1)
    if not bool(seen.any()):
        return torch.full_like(lengths, torch.nan)
    usual = lengths[seen].median()
    return torch.where(seen & (lengths >= usual / 2), lengths, usual)


def detect_keypoints(frames: Iterable[FrameArray], fps: Fraction) -> Keypoints:
    """Detect the person's keypoints; where no frame shows a person, none is confident.

    Args:
        frames: RGB in 0..255, all of one size; read once.

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
        return detect_clip(counted(), fps).landmarks.keypoints
    except InputError:
        if not ended or count == 0:
            raise
        return torch.zeros(count, len(KEYPOINT_NAMES), 3)


def _seen(keypoints: Tensor) -> Bool[Tensor, "t k"]:
    return (keypoints[..., 2] >= MIN_CONFIDENCE) & keypoints.isfinite().all(-1)


def _mean(values: Tensor) -> float:
    return float(values.mean()) if values.numel() else math.nan


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
