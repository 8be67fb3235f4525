"""Fréchet video distances: clips cut from videos at random offsets, again and again.

A video gives one clip per repeat. Its offset follows from the seed, the video's name and the
repeat alone: not from the order of work or the number of processes. A generated video is cut where
the true one of the same name is, so that equal sets have a distance of 0. Each repeat yields one
distance; the report has their mean and deviation.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float, Int

from bdmm.errors import InputError
from bdmm.metrics.detectors import Detector
from bdmm.metrics.frechet import FeatureStatistics, Moments, check_settings, frechet_distance
from bdmm.metrics.protocols import VideoDistance
from bdmm.metrics.running import RunningMean, Summary
from bdmm.shapes import Frames


@dataclass(frozen=True)
class ClipSampling:
    """How clips are cut from videos.

    Attributes:
        frames: of a clip.
        stride: every N-th frame is taken.
        repeats: clips of a video, each at a new random offset.
        seed: of the offsets.
    """

    frames: int
    stride: int
    repeats: int
    seed: int = 0

    @classmethod
    def of(cls, row: VideoDistance, seed: int = 0) -> "ClipSampling":
        """Return the sampling of a protocol's row; rows that differ in the real split share it."""
        return cls(row.frames, row.stride, row.repeats, seed)

    @property
    def reach(self) -> int:
        """Return the frames of the video from a clip's first to its last."""
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

    def starts(self, sampling: ClipSampling) -> Int[np.ndarray, "repeats"]:
        """Return the first frame of each clip.

        Raises:
            InputError: the video is too short.
        """
        free = self.length - sampling.reach + 1
        if free < 1:
            raise InputError(
                f"The video {self.name} has {self.length} frames, and clips of {sampling.frames} "
                f"frames at stride {sampling.stride} need {sampling.reach}; leave it out or give "
                "longer videos."
            )
        digest = hashlib.sha256(f"{sampling.seed} {self.name}".encode()).digest()
        random = np.random.default_rng(np.frombuffer(digest, np.uint32))
        return random.integers(0, free, sampling.repeats)

    def features(
        self, sampling: ClipSampling, detector: Detector
    ) -> Float[np.ndarray, "repeats d"]:
        """Return the features of each clip; a clip that is drawn twice is computed once.

        One clip is held at a time.

        Args:
            sampling: how clips are cut.
            detector: of clips.

        Raises:
            InputError: the video is too short, or a frame cannot be read.
        """
        assert detector.unit == "clip", "a video distance needs a detector of clips"
        starts, drawn = np.unique(self.starts(sampling), return_inverse=True)
        found = [
            detector(self.read(range(start, start + sampling.reach, sampling.stride))[None]).numpy()
            for start in starts.tolist()
        ]
        return np.concatenate(found)[drawn.reshape(-1)]


@dataclass(frozen=True)
class VideoDistanceScore:
    """A Fréchet video distance and the sizes of its sets.

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


class VideoFeatures:
    """Features of a set of videos, a row per repeat.

    Args:
        sampling: how clips were cut.
        settings: how the features were made, `Detector.settings`.
    """

    def __init__(self, sampling: ClipSampling, settings: Mapping[str, str]) -> None:
        self._sampling = sampling
        self._settings = {name: str(value) for name, value in asdict(sampling).items()}
        self._settings = dict(settings) | self._settings
        self._of: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self._of)

    def add(self, name: str, features: Float[np.ndarray, "repeats d"]) -> None:
        """Add a video, in place of an older one of its name.

        Raises:
            InputError: a feature is not finite.
        """
        assert len(features) == self._sampling.repeats, "one feature vector per repeat"
        if not np.isfinite(features).all():
            raise InputError(
                f"The features of the video {name} are not finite: its frames or the detector's "
                "weights are damaged."
            )
        self._of[name] = features.astype(np.float32)

    def distance(self, real: "VideoFeatures") -> VideoDistanceScore:
        """Return the Fréchet distance of two sets of videos, repeat by repeat.

        Raises:
            InputError: the features were made in different ways, or a set has fewer than two
                videos.
        """
        check_settings(self._settings, real._settings)
        for one in (self, real):
            if len(one) < 2:
                raise InputError(
                    f"A Fréchet video distance needs at least two videos in each set, not "
                    f"{len(one)}; give more videos."
                )
        each, deficient = RunningMean(), False
        for repeat in range(self._sampling.repeats):
            found = frechet_distance(self._moments(repeat), real._moments(repeat))
            each.add(found.value)
            deficient = found.rank_deficient
        return VideoDistanceScore(each.summary(), len(self), len(real), deficient)

    def _moments(self, repeat: int) -> Moments:
        rows = np.stack([self._of[name][repeat] for name in sorted(self._of)])
        running = FeatureStatistics(rows.shape[1], {})
        running.add(rows)
        return running.moments()
