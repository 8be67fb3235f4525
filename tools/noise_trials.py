"""Prepared clips rendered from noisy poses, as items of an evaluation.

Noise has three injection points:

- ``heatmaps``: heatmaps are drawn from perturbed keypoints, warps stay as they are;
- ``keypoints``: the body is fitted to perturbed keypoints as in use, with temporal smoothing; warps
  and heatmaps are those of that fit;
- ``body``: the clip's motion is perturbed, and with it warps and heatmaps. The motion is not fitted
  anew to noisy keypoints: the noise is put on its rotations and positions.

The photo and its own pose stay clean.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from pose_noise import (
    FULL_STRENGTH,
    noise_of,
    noisy_keypoints,
    noisy_motion,
    refitted_motion,
)

from bdmm.body.model import load_body
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig, EvalFrame, EvalItem, Notify
from bdmm.evaluation.jobs.reenactment import Reenactment, first_usable, reenactment_items
from bdmm.evaluation.systems import BASELINES, open_system
from bdmm.inference.render import Renderer
from bdmm.records import Motion

Point = Literal["heatmaps", "keypoints", "body"]
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
