"""Noise on driving poses: joints missing, jittered or swapped, frames that repeat a pose.

Strengths of one kind are nested: a higher strength perturbs the same joints and frames in the same
directions, and more of them or by more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.errors import InputError
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.smooth import bridge
from bdmm.records import COCO18, KEYPOINT_NAMES, Landmarks, Motion
from bdmm.shapes import Flags, Keypoints

RUN = 4
"""Frames that a fault lasts; a run that starts before the clip is cut off."""
_LIMBS = (
    ("shoulder", "elbow", "wrist", "index", "pinky"),
    ("hip", "knee", "ankle", "big_toe", "small_toe", "heel"),
)
_TURN = 0.02
"""Radians of a bone's error for each pixel of the body's, before both are scaled together."""
_ROUNDS = 4


@dataclass(frozen=True)
class PoseNoise:
    """Amounts of noise; zeros change nothing.

    Attributes:
        drop: share of joints, or of whole poses of a body, that are missing.
        jitter: standard deviation of x and of y of the joints in pixels at 256, new in each frame.
        swap: share of frames in which left and right arms, and legs, are swapped.
        freeze: share of frames that repeat the pose before them.
    """

    drop: float = 0.0
    jitter: float = 0.0
    swap: float = 0.0
    freeze: float = 0.0

    def scaled(self, strength: float) -> "PoseNoise":
        """Return the noise with all its numbers multiplied."""
        return PoseNoise(*(strength * getattr(self, one.name) for one in fields(self)))


FULL_STRENGTH: Mapping[str, PoseNoise] = MappingProxyType(
    {
        "drop": PoseNoise(drop=0.4),
        "jitter": PoseNoise(jitter=10.0),
        "swap": PoseNoise(swap=0.4),
        "freeze": PoseNoise(freeze=0.6),
        "drop+jitter": PoseNoise(drop=0.4, jitter=10.0),
    }
)
"""Kind of noise -> its amounts at strength 1."""


def noise_of(kind: str, strength: float) -> PoseNoise:
    """Return a kind of noise at a strength.

    Raises:
        InputError: there is no such kind, or the strength is not in [0, 1].
    """
    if kind not in FULL_STRENGTH:
        raise InputError(f"There is no noise {kind!r:.40}; choose {', '.join(FULL_STRENGTH)}.")
    if not 0 <= strength <= 1:
        raise InputError(f"The strength of noise must lie between 0 and 1, not be {strength}.")
    return FULL_STRENGTH[kind].scaled(strength)


def noisy_keypoints(
    keypoints: Keypoints, noise: PoseNoise, scale: float, random: np.random.Generator
) -> Keypoints:
    """Return perturbed keypoints; missing ones have confidence 0.

    Args:
        keypoints: ``t 29 3`` (x, y, confidence) in pixels, of a whole clip.
        scale: pixels per pixel at 256.
    """
    frames, joints = keypoints.shape[:2]
    result = keypoints.clone()
    for names in _LIMBS:
        swapped = in_runs(frames, 1, noise.swap, random)[:, 0]
        for name in names:
            pair = [KEYPOINT_NAMES.index(f"{side}_{name}") for side in ("left", "right")]
            result[:, pair] = torch.where(
                swapped[:, None, None], keypoints[:, pair[::-1]], keypoints[:, pair]
            )
    jittered = torch.from_numpy(random.normal(0, 1, (frames, joints, 2))).to(result)
    result[..., :2] += noise.jitter * scale * jittered
    result[..., 2] *= ~in_runs(frames, joints, noise.drop, random)
    return result[held(in_runs(frames, 1, noise.freeze, random)[:, 0])]


def noisy_motion(
    motion: Motion, noise: PoseNoise, body: SkinnedBody, random: np.random.Generator
) -> Motion:
    """Return a perturbed motion.

    Jitter turns every bone and moves the body until its COCO-18 joints are off by the jitter's
    pixels. Dropped frames are interpolated from their neighbours, as `perception.smooth.bridge`
    does with poses that are not trusted. Frozen frames repeat a pose.

    Args:
        noise: its amounts; a body's left and right are not swapped.
    """
    assert noise.swap == 0, "a fitted body has no left and right to swap"
    frames = len(motion)
    turns = torch.from_numpy(random.normal(0, _TURN, (*motion.rotations.shape[:2], 3))).float()
    moves = torch.from_numpy(random.normal(0, 1, (frames, 2))).float()
    lost = in_runs(frames, 1, noise.drop, random)[:, 0]
    still = held(in_runs(frames, 1, noise.freeze, random)[:, 0])
    if noise.jitter > 0:
        motion = _jittered(motion, noise.jitter * min(motion.size) / 256, (turns, moves), body)
    if lost.any() and not lost.all():
        motion = bridge(motion, ~lost)
    return replace(
        motion,
        rotations=motion.rotations[still],
        scale=motion.scale[still],
        translation=motion.translation[still],
        flagged=motion.flagged[still],
    )


def refitted_motion(
    motion: Motion,
    keypoints: Keypoints,
    noise: PoseNoise,
    body: SkinnedBody,
    random: np.random.Generator,
) -> Motion:
    """Return the motion fitted to perturbed keypoints, smoothed and interpolated as in use.

    The keypoints in space, which estimators give too, are those of the motion's body with the same
    jitter. The body's shape is taken as known.

    Args:
        keypoints: ``t 29 3`` (x, y, confidence) of the clip in pixels.
    """
    pixels = min(motion.size) / 256
    deep = body.keypoints(motion.shape, motion.rotations)
    deep = deep - deep[:, [KEYPOINT_NAMES.index("mid_hip")]]
    jittered = torch.from_numpy(random.normal(0, 1, deep.shape)).to(deep)
    deep = deep + noise.jitter * pixels / motion.scale[:, None, None] * jittered
    frames = held(in_runs(len(motion), 1, noise.freeze, random)[:, 0])
    moving = replace(noise, freeze=0.0)
    seen = Landmarks(
        keypoints=noisy_keypoints(keypoints, moving, pixels, random)[frames],
        keypoints_3d=deep[frames],
        found=torch.ones(len(motion), dtype=torch.bool),
        size=motion.size,
        fps=motion.fps,
    )
    return fit_motion(seen, body, shape=motion.shape)


def in_runs(
    frames: int, rows: int, share: float, random: np.random.Generator
) -> Bool[Tensor, "t n"]:
    """Return for each frame and row whether a fault is there: in runs of `RUN` frames.

    Args:
        share: of frames with a fault, in [0, 1].
        random: the same state gives nested results for growing shares.
    """
    phase = random.integers(0, RUN, rows)
    drawn = random.random((frames // RUN + 2, rows))
    place = (np.arange(frames)[:, None] + phase) // RUN
    return torch.from_numpy(np.take_along_axis(drawn, place, 0) < share)


def held(still: Flags) -> Int[Tensor, "t"]:
    """Return for each frame the last one up to it that moves on; the first one always does."""
    places = torch.arange(len(still))
    return torch.where(still, 0, places).cummax(0).values


def joint_error(motion: Motion, other: Motion, body: SkinnedBody) -> float:
    """Return the root mean square difference in pixels of x and y of the COCO-18 joints."""
    ours, theirs = (
        project(body.keypoints(one.shape, one.rotations), one.scale, one.translation)
        for one in (motion, other)
    )
    away = (ours - theirs)[:, list(COCO18), :2]
    return float(away.square().mean().sqrt())


def _jittered(
    motion: Motion, pixels: float, noise: tuple[Tensor, Tensor], body: SkinnedBody
) -> Motion:
    """Turn bones and move the body until the joints are off by so many pixels."""
    turns, moves = noise
    size, result = pixels / 2, motion
    for _ in range(_ROUNDS):
        result = replace(
            motion,
            rotations=motion.rotations @ axis_angle_to_matrix(size * turns * _per_pixel(motion)),
            translation=motion.translation + size * moves,
        )
        size *= pixels / max(joint_error(result, motion, body), 1e-6)
    return result


def _per_pixel(motion: Motion) -> float:
    """Return the factor from the turns of a body of 100 pixels per metre to this one's."""
    return 100 / float(motion.scale.mean())
