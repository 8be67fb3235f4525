"""Noise on driving poses: joints missing, jittered or swapped, frames that repeat a pose.

Strengths of one kind are nested: a higher strength perturbs the same joints and frames in the same
directions, and more of them or by more. Noise has three injection points:

- ``heatmaps``: heatmaps are drawn from perturbed keypoints, warps stay as they are;
- ``keypoints``: the body is fitted to perturbed keypoints as in use, with temporal smoothing; warps
  and heatmaps are those of that fit;
- ``body``: the clip's motion is perturbed, and with it warps and heatmaps. The motion is not fitted
  anew to noisy keypoints: the noise is put on its rotations and positions.

The photo and its own pose stay clean.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import BodyModel, SkinnedBody, load_body
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig, EvalFrame, EvalItem, Notify
from bdmm.evaluation.jobs.reenactment import Reenactment, first_usable, reenactment_items
from bdmm.evaluation.systems import BASELINES, open_system
from bdmm.inference.render import Renderer
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.smooth import bridge
from bdmm.records import COCO18, KEYPOINT_NAMES, Landmarks, Motion
from bdmm.shapes import Flags, Keypoints

Point = Literal["heatmaps", "keypoints", "body"]
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
POINTS: Mapping[Point, tuple[str, ...]] = MappingProxyType(
    {
        "heatmaps": tuple(FULL_STRENGTH),
        "keypoints": tuple(FULL_STRENGTH),
        "body": tuple(kind for kind, noise in FULL_STRENGTH.items() if noise.swap == 0),
    }
)
"""Injection point -> kinds of noise that it takes."""


@dataclass(frozen=True)
class Trial:
    """One kind of noise at one strength.

    Attributes:
        point: of injection.
        kind: of noise, among `POINTS`.
        strength: in [0, 1].
        seed: decides what is perturbed.
    """

    point: Point
    kind: str
    strength: float
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is not defined."""
        if self.kind not in POINTS.get(self.point, ()):
            raise InputError(f"There is no noise {self.kind!r:.40} on the {self.point}.")
        noise_of(self.kind, self.strength)

    @property
    def label(self) -> str:
        """Return a name; without noise the kind does not matter."""
        kind = f"{self.kind} {self.strength:g}" if self.strength else "clean"
        return f"{self.point} {kind}"


def list_trials(
    strengths: Sequence[float],
    kinds: Sequence[str] = tuple(FULL_STRENGTH),
    points: Sequence[Point] = tuple(POINTS),
    seed: int = 0,
) -> list[Trial]:
    """Return each kind at each point and strength, clean poses once for each point.

    Raises:
        InputError: a strength is not in [0, 1], or there is no such kind.
    """
    for kind in kinds:
        for strength in strengths:
            noise_of(kind, strength)
    positive = sorted({one for one in strengths if one > 0})
    trials = []
    for point in points:
        known = POINTS[point]
        trials.append(Trial(point, known[0], 0.0, seed))
        chosen = [kind for kind in known if kind in kinds]
        trials += [Trial(point, kind, one, seed) for kind in chosen for one in positive]
    return trials


def noisy_items(
    systems: Mapping[str, str], trials: Sequence[Trial], clips: Sequence[Path], config: EvalConfig
) -> list[EvalItem]:
    """Return all clips of all systems under all noises; baselines do not see heatmaps.

    An item's system is called ``NAME, LABEL``, see `Trial.label`.

    Args:
        systems: name -> what `open_system` takes.
        trials: kinds of noise.
        clips: folders of prepared clips.
        config: how frames are made; the source frame is the first usable one.
    """
    items = []
    for name, where in systems.items():
        clean = reenactment_items({name: where}, clips, config)
        for trial in trials:
            if trial.point == "heatmaps" and where in BASELINES:
                continue
            for item, folder in zip(clean, clips, strict=True):
                identity = {**item.identity, "noise": asdict(trial)}
                frames = partial(_reenact, folder, config, where, trial)
                called = f"{name}, {trial.label}"
                items.append(EvalItem(called, item.clip, item.group, identity, frames))
    return items


def _reenact(
    folder: Path, config: EvalConfig, where: str, trial: Trial, notify: Notify
) -> tuple[float, Iterator[EvalFrame]]:
    """Return the clip's frames per second and frames from noisy poses; see `EvalItem.open`."""
    clip = PreparedClip(folder)
    source = first_usable(clip)
    config = replace(config, source_frame=source)
    noise, random = noise_of(trial.kind, trial.strength), _random(clip, trial.seed)
    if trial.point == "heatmaps":
        points = noisy_keypoints(clip.keypoints(), noise, min(clip.info.size) / 256, random)
        made = Reenactment(clip, config, keypoints=points)
    else:
        motion, clean = _noisy(folder, trial), clip.motion()
        for name in ("rotations", "scale", "translation"):
            values = getattr(motion, name).clone()
            values[source] = getattr(clean, name)[source]
            motion = replace(motion, **{name: values})
        made = Reenactment(clip, config, motion)
    return float(clip.info.fps), made.frames(_renderer(where, config.device))


@lru_cache(maxsize=2)
def _renderer(where: str, device: str) -> Renderer:
    return open_system(where, device)


@lru_cache(maxsize=1024)
def _noisy(folder: Path, trial: Trial) -> Motion:
    """Return a clip's noisy motion; it is kept for the other systems."""
    clip = PreparedClip(folder)
    motion, random = clip.motion(), _random(clip, trial.seed)
    noise, body = noise_of(trial.kind, trial.strength), load_body(motion.body)
    if trial.point == "body":
        return noisy_motion(motion, noise, body, random)
    return refitted_motion(motion, clip.keypoints(), noise, body, random)


def _random(clip: PreparedClip, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(clip.info.name.encode())])


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
        noise: its amounts.
        scale: pixels per pixel at 256.
        random: decides which.
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
    motion: Motion, noise: PoseNoise, body: BodyModel, random: np.random.Generator
) -> Motion:
    """Return a perturbed motion.

    Jitter turns every bone and moves the body until its COCO-18 joints are off by the jitter's
    pixels. Dropped frames are interpolated from their neighbours, as `perception.smooth.bridge`
    does with poses that are not trusted. Frozen frames repeat a pose.

    Args:
        motion: of a whole clip.
        noise: its amounts; a body's left and right are not swapped.
        body: that the motion belongs to.
        random: decides which.
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
        motion: of a whole clip.
        keypoints: ``t 29 3`` (x, y, confidence) of the clip in pixels.
        noise: its amounts.
        body: that the motion belongs to.
        random: decides which.
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
        frames: of the clip.
        rows: with independent faults.
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


def joint_error(motion: Motion, other: Motion, body: BodyModel) -> float:
    """Return the root mean square difference in pixels of x and y of the COCO-18 joints."""
    ours, theirs = (
        project(body.keypoints(one.shape, one.rotations), one.scale, one.translation)
        for one in (motion, other)
    )
    away = (ours - theirs)[:, list(COCO18), :2]
    return float(away.square().mean().sqrt())


def _jittered(
    motion: Motion, pixels: float, noise: tuple[Tensor, Tensor], body: BodyModel
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
