"""Fréchet video distances: clips cut from videos at random offsets, again and again.

A video gives one clip per repeat. Its offset follows from `SEED`, the video's name and the
repeat alone: not from the order of work or the number of processes. A generated video is cut where
the true one of the same name is, so that equal sets have a distance of 0. Each repeat yields one
distance; the report has their mean and deviation.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from bdmm.errors import InputError
from bdmm.metrics.detectors import Detector
from bdmm.metrics.frechet import (
    FeatureStatistics,
    FrechetDistance,
    Moments,
    check_settings,
    frechet_distance,
)
from bdmm.metrics.protocols import VideoDistance
from bdmm.metrics.running import RunningMean
from bdmm.shapes import Frames

SEED = 0
"""Of the offsets."""


@dataclass(frozen=True)
class VideoClips:
    """A video that clips are cut from.

    Attributes:
        name: the same for a generated video and the true one.
        read: (indices) -> these frames, RGB in [-1, 1].
    """

    name: str
    length: int
    read: Callable[[Sequence[int]], Frames]

    def starts(self, sampling: VideoDistance) -> Int[np.ndarray, "repeats"]:
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
        digest = hashlib.sha256(f"{SEED} {self.name}".encode()).digest()
        random = np.random.default_rng(np.frombuffer(digest, np.uint32))
        return random.integers(0, free, sampling.repeats)

    def features(
        self, sampling: VideoDistance, detector: Detector
    ) -> Float[np.ndarray, "repeats d"]:
        """Return the features of each clip; a clip that is drawn twice is computed once.

        One clip is held at a time.

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


class VideoFeatures:
    """Features of a set of videos, a row per repeat.

    Args:
        settings: how the features were made, `Detector.settings`.
    """

    def __init__(self, sampling: VideoDistance, settings: Mapping[str, str]) -> None:
        self._sampling = sampling
        sampled = {name: str(getattr(sampling, name)) for name in ("frames", "stride", "repeats")}
        self._settings = {**settings, **sampled}
        self._of: dict[str, np.ndarray] = {}

    @property
    def count(self) -> int:
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

    def distance(self, real: "VideoFeatures") -> FrechetDistance:
        """Return the Fréchet distance of two sets of videos, repeat by repeat.

        Raises:
            InputError: the features were made in different ways, or a set has fewer than two
                videos.
        """
        check_settings(self._settings, real._settings)
        for one in (self, real):
            if one.count < 2:
                raise InputError(
                    f"A Fréchet video distance needs at least two videos in each set, not "
                    f"{one.count}; give more videos."
                )
        each, deficient = RunningMean(), False
        for repeat in range(self._sampling.repeats):
            found = frechet_distance(self._moments(repeat), real._moments(repeat))
            each.add(found.mean)
            deficient = found.rank_deficient
        value = each.summary()
        return FrechetDistance(value.mean, self.count, real.count, deficient, value.deviation)

    def _moments(self, repeat: int) -> Moments:
        rows = np.stack([self._of[name][repeat] for name in sorted(self._of)])
        running = FeatureStatistics(rows.shape[1], {})
        running.add(rows)
        return running.moments()
