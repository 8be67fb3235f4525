"""Fréchet video distances: clips cut from videos at random offsets, again and again.

A video gives one clip per repeat. Its offset follows from the seed, the video's name and the
repeat alone: not from the order of work or the number of processes, and a generated video is cut
where the true one of the same name is, so that equal sets have a distance of 0. Each repeat yields
one distance; reported are their mean and deviation.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from bdmm.errors import InputError
from bdmm.files.tensor_files import check_tensors, read_safetensors, write_safetensors
from bdmm.metrics.detectors import Detector
from bdmm.metrics.frechet import Moments, RunningMoments, frechet_distance
from bdmm.metrics.protocols import VideoDistance
from bdmm.metrics.running import RunningMean, Summary
from bdmm.metrics.set_distance import check_settings, read_metadata
from bdmm.shapes import Frames

_KIND = "video features"


@dataclass(frozen=True)
class Cutting:
    """How clips are cut from videos.

    Attributes:
        frames: that the detector is shown.
        stride: every so-manieth frame is taken.
        repeats: clips of a video, each at a new random offset.
        seed: of the offsets.
    """

    frames: int
    stride: int
    repeats: int
    seed: int = 0

    @classmethod
    def of(cls, row: VideoDistance, seed: int = 0) -> "Cutting":
        """Return what a protocol's row asks for; rows that differ in the real split share it."""
        return cls(row.frames, row.stride, row.repeats, seed)

    @property
    def reach(self) -> int:
        """Return the frames from the first to the last that is shown."""
        return (self.frames - 1) * self.stride + 1


@dataclass(frozen=True)
class VideoClips:
    """A video that clips are cut from.

    Attributes:
        name: the same for a generated video and the true one.
        length: frames.
        read: (indices) -> these frames, RGB in [-1, 1].
    """

    name: str
    length: int
    read: Callable[[Sequence[int]], Frames]

    def starts(self, cutting: Cutting) -> Int[np.ndarray, "repeats"]:
        """Return the first frame of each clip.

        Raises:
            InputError: the video is too short.
        """
        free = self.length - cutting.reach + 1
        if free < 1:
            raise InputError(
                f"The video {self.name} has {self.length} frames, and clips of {cutting.frames} "
                f"frames at stride {cutting.stride} need {cutting.reach}; leave it out or give "
                "longer videos."
            )
        digest = hashlib.sha256(f"{cutting.seed} {self.name}".encode()).digest()
        random = np.random.default_rng(np.frombuffer(digest, np.uint32))
        return random.integers(0, free, cutting.repeats)

    def features(
        self,
        cutting: Cutting,
        detector: Detector,
        progress: Callable[[int, int], None] | None = None,
    ) -> Float[np.ndarray, "repeats d"]:
        """Return the features of each clip; a clip that is drawn twice is looked at once.

        One clip is held at a time.

        Args:
            cutting: how clips are cut.
            detector: of clips.
            progress: told (clips looked at, clips in all) after each.

        Raises:
            InputError: the video is too short, or a frame cannot be read.
        """
        assert detector.unit == "clip", "a video distance needs a detector of clips"
        starts, drawn = np.unique(self.starts(cutting), return_inverse=True)
        found = []
        for start in starts:
            found.append(detector(self._cut(int(start), cutting)[None]).numpy())
            if progress is not None:
                progress(len(found), len(starts))
        return np.concatenate(found)[drawn.reshape(-1)]

    def _cut(self, start: int, cutting: Cutting) -> Frames:
        return self.read(range(start, start + cutting.reach, cutting.stride))


class VideoFeatures:
    """Features of a set of videos, a row per repeat; what a run needs to go on where it stopped.

    Args:
        cutting: how clips were cut.
        settings: what made the features, `Detector.settings`.
    """

    def __init__(self, cutting: Cutting, settings: Mapping[str, str]) -> None:
        self.cutting = cutting
        self.settings = dict(settings)
        self._of: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self._of)

    def __contains__(self, name: object) -> bool:
        """Return whether a video is in it already."""
        return name in self._of

    def add(self, name: str, features: Float[np.ndarray, "repeats d"]) -> None:
        """Take in a video, in place of an older one of its name.

        Raises:
            InputError: a feature is not finite.
        """
        assert len(features) == self.cutting.repeats, "one feature vector per repeat"
        if not np.isfinite(features).all():
            raise InputError(
                f"The features of the video {name} are not finite: its frames or the detector's "
                "weights are damaged."
            )
        self._of[name] = features.astype(np.float32)

    def merge(self, other: "VideoFeatures") -> None:
        """Take in what another shard or an earlier run gathered.

        Raises:
            InputError: its features were made in another way.
        """
        check_settings(self._all_settings(), other._all_settings())
        self._of |= other._of

    def distance(self, real: "VideoFeatures") -> "VideoDistanceScore":
        """Return the Fréchet distance of two sets of videos, repeat by repeat.

        Raises:
            InputError: the features were made in different ways, or a set has fewer than two
                videos.
        """
        check_settings(self._all_settings(), real._all_settings())
        for one in (self, real):
            if len(one) < 2:
                raise InputError(
                    f"A Fréchet video distance needs at least two videos in each set, not "
                    f"{len(one)}; give more videos."
                )
        each, deficient = RunningMean(), False
        for repeat in range(self.cutting.repeats):
            found = frechet_distance(self._moments(repeat), real._moments(repeat))
            each.add(found.value)
            deficient = found.rank_deficient
        return VideoDistanceScore(each.summary(), len(self), len(real), deficient)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, whole or not at all.

        Raises:
            InputError: it cannot be written.
        """
        metadata = {
            "kind": _KIND,
            "count": str(len(self)),
            "settings": json.dumps(self.settings),
            "cutting": json.dumps(asdict(self.cutting)),
        }
        tensors = {name: torch.from_numpy(value) for name, value in self._of.items()}
        write_safetensors(Path(path), tensors, metadata)

    @classmethod
    def load(cls, path: str | Path) -> "VideoFeatures":
        """Read what `save` wrote.

        Raises:
            InputError: it is missing, damaged or another kind of file.
        """
        path = Path(path)
        metadata, tensors = read_safetensors(path)
        _, settings = read_metadata(path, metadata, _KIND)
        try:
            cutting = Cutting(**json.loads(metadata["cutting"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} does not say how its clips were cut.") from error
        videos = cls(cutting, settings)
        dimension = next((value.shape[-1] for value in tensors.values() if value.ndim), 0)
        check_tensors(path, tensors, dict.fromkeys(tensors, (cutting.repeats, dimension)))
        for name, value in tensors.items():
            videos.add(name, value.numpy())
        return videos

    def _moments(self, repeat: int) -> Moments:
        rows = np.stack([self._of[name][repeat] for name in sorted(self._of)])
        running = RunningMoments(rows.shape[1])
        running.add(rows)
        return running.moments()

    def _all_settings(self) -> dict[str, str]:
        cutting = {name: str(value) for name, value in asdict(self.cutting).items()}
        return self.settings | cutting


@dataclass(frozen=True)
class VideoDistanceScore:
    """A Fréchet video distance and what it stands on.

    Attributes:
        value: mean and deviation over the repeats.
        count_generated: videos of the one set.
        count_real: videos of the other.
        rank_deficient: a set has no more videos than the features have dimensions: its covariance
            is singular, and the distance may be compared at equal counts only.
    """

    value: Summary
    count_generated: int
    count_real: int
    rank_deficient: bool
