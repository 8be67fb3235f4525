"""Quality against the strength of noise on the driving poses: the paper's main claim.

Poses enter twice. Pose heatmaps are drawn from keypoints, and warps are worked out from the body's
motion. So there are three doors for noise:

- ``heatmaps``: the keypoints that heatmaps are drawn from are corrupted, warps stay as they are;
- ``keypoints``: the clip's keypoints are corrupted and the body is fitted to them as in use, with
  smoothing over time; warps and heatmaps are those of that fit;
- ``body``: the clip's motion is corrupted, and with it warps and heatmaps alike. The motion is not
  fitted anew to noisy keypoints: the noise is put on its rotations and positions.

The photo and its own pose stay clean.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bdmm.body.model import load_body
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.evaluation.ablation.disturbed import DisturbedClip, OtherKeypoints
from bdmm.evaluation.ablation.forward_only import without_backward
from bdmm.evaluation.ablation.pose_noise import (
    FULL_STRENGTH,
    PoseNoise,
    noise_of,
    noisy_keypoints,
    noisy_motion,
    refitted_motion,
)
from bdmm.evaluation.jobs.reenactment import Casting, JudgedFrame, Reenactment, first_usable
from bdmm.evaluation.jobs.results import ALL, GroupMean, Results
from bdmm.evaluation.jobs.subjects import ReenactedClip
from bdmm.evaluation.systems import BASELINES, System, open_system
from bdmm.inference.renderers import Renderer
from bdmm.records import Motion

Door = Literal["heatmaps", "keypoints", "body"]
DOORS: Mapping[Door, tuple[str, ...]] = {
    "heatmaps": tuple(FULL_STRENGTH),
    "keypoints": tuple(FULL_STRENGTH),
    "body": tuple(kind for kind, noise in FULL_STRENGTH.items() if noise.swap == 0),
}
"""Where noise enters -> which kinds of it can."""
Curve = list[tuple[float, float]]
"""(strength, quality), strengths rising."""


@dataclass(frozen=True)
class Player:
    """A system under test.

    Attributes:
        system: a baseline, or weights.
        forward_only: leave the backward branch of its weights out.
    """

    system: System
    forward_only: bool = False

    @property
    def looks_at_heatmaps(self) -> bool:
        """Tell whether noise on heatmaps can change anything."""
        return self.system.where not in BASELINES


@dataclass(frozen=True)
class Trial:
    """One grade of noise.

    Attributes:
        door: where it enters.
        kind: of noise, among `DOORS`.
        strength: in [0, 1].
        seed: decides what is hit.
    """

    door: Door
    kind: str
    strength: float
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is not defined."""
        if self.kind not in DOORS.get(self.door, ()):
            raise InputError(f"There is no noise {self.kind!r:.40} on the {self.door}.")
        noise_of(self.kind, self.strength)

    @property
    def noise(self) -> PoseNoise:
        """Return the noise."""
        return noise_of(self.kind, self.strength)

    @property
    def label(self) -> str:
        """Return a name; without noise the kind does not matter."""
        kind = f"{self.kind} {self.strength:g}" if self.strength else "clean"
        return f"{self.door} {kind}"


@dataclass(frozen=True)
class NoisyClip:
    """A prepared clip made again from noisy poses; an `evaluation.subjects.Subject`.

    Attributes:
        player: the system.
        trial: the noise.
        folder: of the clip.
        frames_made: the first frames; all if None.
        device: where the network works.
    """

    player: Player
    trial: Trial
    folder: Path
    frames_made: int | None = None
    device: str = "cpu"

    @property
    def system(self) -> str:
        """Return the system's name with the noise."""
        return f"{self.player.system.name}, {self.trial.label}"

    @property
    def clip(self) -> str:
        """Return the clip's name."""
        return self._clean.clip

    @property
    def group(self) -> str:
        """Return one group for all."""
        return ALL

    @property
    def fps(self) -> float:
        """Return the clip's frames per second."""
        return self._clean.fps

    def identity(self) -> Mapping[str, Any]:
        """Return what the frames depend on."""
        return {
            **self._clean.identity(),
            "forward_only": self.player.forward_only,
            "door": self.trial.door,
            "noise": asdict(self.trial.noise),
            "seed": self.trial.seed,
        }

    def frames(self, tell: Callable[[str], None]) -> Iterator[JudgedFrame]:
        """Make the frames; none is left out."""
        renderer = open_player(self.player, self.device)
        clip = PreparedClip(self.folder)
        source = first_usable(clip)
        casting = Casting(source_frame=source, frames=self.frames_made)
        if self.trial.door == "heatmaps":
            random, scale = _random(clip, self.trial.seed), min(clip.info.size) / 256
            points = noisy_keypoints(clip.keypoints(), self.trial.noise, scale, random)
            renderer = OtherKeypoints(renderer, points)
        else:
            clip = DisturbedClip(clip, _noisy(self.folder, self.trial), source)
        yield from Reenactment(clip, casting).pairs(renderer)

    @property
    def _clean(self) -> ReenactedClip:
        casting = Casting(frames=self.frames_made)
        return ReenactedClip(self.player.system, self.folder, casting, self.device)


@lru_cache(maxsize=1024)
def _noisy(folder: Path, trial: Trial) -> Motion:
    """Return a clip's noisy motion; kept, as every system is given the same."""
    clip = PreparedClip(folder)
    motion, random = clip.motion(), _random(clip, trial.seed)
    body = load_body(motion.body)
    if trial.door == "body":
        return noisy_motion(motion, trial.noise, body, random)
    return refitted_motion(motion, clip.keypoints(), trial.noise, body, random)


def _random(clip: PreparedClip, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(clip.info.name.encode())])


def trials(
    strengths: Sequence[float],
    kinds: Sequence[str] = tuple(FULL_STRENGTH),
    seed: int = 0,
    doors: Sequence[Door] = tuple(DOORS),
) -> list[Trial]:
    """Return some kinds of noise at some doors and every strength, clean poses once for each door.

    Raises:
        InputError: a strength is not in [0, 1], or there is no such kind.
    """
    for kind in kinds:
        for strength in strengths:
            noise_of(kind, strength)
    graded = sorted({one for one in strengths if one > 0})
    found = []
    for door in doors:
        known = DOORS[door]
        found.append(Trial(door, known[0], 0.0, seed))
        chosen = [kind for kind in known if kind in kinds]
        found += [Trial(door, kind, one, seed) for kind in chosen for one in graded]
    return found


def list_subjects(
    players: Sequence[Player],
    chosen: Sequence[Trial],
    clips: Sequence[Path],
    frames_made: int | None = None,
    device: str = "cpu",
) -> list[NoisyClip]:
    """Return all clips of all systems under all noises that can change something."""
    return [
        NoisyClip(player, trial, clip, frames_made, device)
        for player in players
        for trial in chosen
        if trial.door != "heatmaps" or player.looks_at_heatmaps
        for clip in clips
    ]


def curves(
    results: Results, players: Sequence[Player], chosen: Sequence[Trial], region: str, metric: str
) -> dict[tuple[Door, str], dict[str, Curve]]:
    """Return (door, kind) -> system -> quality against strength, from clean poses on."""
    found: dict[tuple[Door, str], dict[str, Curve]] = {}
    for door, kinds in DOORS.items():
        for kind in kinds:
            grades = [one for one in chosen if (one.door, one.kind) == (door, kind)]
            if not any(one.strength for one in grades):
                continue
            clean = [one for one in chosen if one.door == door and not one.strength]
            for player in players:
                for trial in sorted({*clean, *grades}, key=lambda one: one.strength):
                    mean = _mean(results, f"{player.system.name}, {trial.label}", region, metric)
                    if mean is not None:
                        lines = found.setdefault((door, kind), {})
                        line = lines.setdefault(player.system.name, [])
                        line.append((trial.strength, mean.mean))
    return found


def _mean(results: Results, system: str, region: str, metric: str) -> GroupMean | None:
    return results.groups.get(system, {}).get(ALL, {}).get(region, {}).get(metric)


@lru_cache(maxsize=2)
def open_player(player: Player, device: str) -> Renderer:
    """Load what makes the frames; kept, so that asking early costs nothing later.

    Raises:
        InputError: the weights are missing, damaged, not ours, or have no branch to leave out.
    """
    if player.forward_only:
        return without_backward(player.system.where, device)
    return open_system(player.system.where, device)
