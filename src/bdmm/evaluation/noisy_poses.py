"""Quality against the strength of noise on the driving poses: the paper's main claim.

Poses enter twice. Pose heatmaps are drawn from keypoints, and warps are worked out from the body's
motion. So there are two doors for noise:

- ``heatmaps``: the clip's keypoints are corrupted, the warps stay as they are;
- ``body``: the clip's motion is corrupted, and with it warps and heatmaps alike. The motion is not
  fitted anew to noisy keypoints: the noise is put on its rotations and positions.

The photo and its own pose stay clean.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bdmm.body.model import load_body
from bdmm.body.pose_heatmap import pose_heatmaps
from bdmm.body.source_geometry import SourceGeometry
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.evaluation.forward_only import without_backward
from bdmm.evaluation.pose_noise import FULL_STRENGTH, PoseNoise, noise_of, noisy_keypoints
from bdmm.evaluation.pose_noise import noisy_motion as disturb
from bdmm.evaluation.reenact import Casting, JudgedFrame, Reenactment, first_usable
from bdmm.evaluation.results import ALL, GroupMean, Results
from bdmm.evaluation.subjects import ReenactedClip
from bdmm.evaluation.systems import BASELINES, System, open_system
from bdmm.inference.renderers import Renderer
from bdmm.records import Conditions, Motion, Source
from bdmm.shapes import Frames, Keypoints

Door = Literal["heatmaps", "body"]
DOORS: Mapping[Door, tuple[str, ...]] = {
    "heatmaps": tuple(FULL_STRENGTH),
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
        random = np.random.default_rng([self.trial.seed, zlib.crc32(clip.info.name.encode())])
        if self.trial.door == "body":
            clip = _Disturbed(clip, self.trial.noise, source, random)
        else:
            scale = min(clip.info.size) / 256
            points = noisy_keypoints(clip.keypoints(), self.trial.noise, scale, random)
            renderer = _WithKeypoints(renderer, points)
        yield from Reenactment(clip, casting).pairs(renderer)

    @property
    def _clean(self) -> ReenactedClip:
        casting = Casting(frames=self.frames_made)
        return ReenactedClip(self.player.system, self.folder, casting, self.device)


class _Disturbed(PreparedClip):
    """A clip whose motion is noisy but for the frame that serves as photo."""

    def __init__(
        self, clip: PreparedClip, noise: PoseNoise, source: int, random: np.random.Generator
    ) -> None:
        super().__init__(clip.folder)
        clean = clip.motion()
        motion = disturb(clean, noise, load_body(clean.body), random)
        for name in ("rotations", "scale", "translation"):
            values = getattr(motion, name).clone()
            values[source] = getattr(clean, name)[source]
            motion = replace(motion, **{name: values})
        self._motion = motion

    def motion(self, part: str = "") -> Motion:
        """Return the noisy motion."""
        return super().motion(part) if part else self._motion


class _WithKeypoints:
    """A renderer that is given heatmaps of other keypoints than those of the motion."""

    def __init__(self, renderer: Renderer, keypoints: Keypoints) -> None:
        self.name, self.joints, self.device = renderer.name, renderer.joints, renderer.device
        self._renderer, self._keypoints = renderer, keypoints.to(renderer.device)

    def render(
        self,
        source: Source,
        geometry: SourceGeometry,
        windows: Iterable[Conditions],
        backgrounds: Iterable[Frames] | None = None,
    ) -> Iterator[Frames]:
        """Yield the frames of each window; see `Renderer.render`."""
        yield from self._renderer.render(source, geometry, self._replaced(windows), backgrounds)

    def _replaced(self, windows: Iterable[Conditions]) -> Iterator[Conditions]:
        start = 0
        for window in windows:
            stop = start + len(window)
            size = (window.state.shape[1], window.state.shape[2])
            maps = pose_heatmaps(self._keypoints[start:stop], size, self.joints)
            yield replace(window, pose_heatmaps=maps)
            start = stop


def trials(
    strengths: Sequence[float], kinds: Sequence[str] = tuple(FULL_STRENGTH), seed: int = 0
) -> list[Trial]:
    """Return some kinds of noise at every door and strength, the clean poses once for each door.

    Raises:
        InputError: a strength is not in [0, 1], or there is no such kind.
    """
    for kind in kinds:
        for strength in strengths:
            noise_of(kind, strength)
    graded = sorted({one for one in strengths if one > 0})
    found = []
    for door, known in DOORS.items():
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
        if trial.door == "body" or player.looks_at_heatmaps
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
