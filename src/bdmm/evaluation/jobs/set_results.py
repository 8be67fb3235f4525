"""Distances of sets: a system's frames of all clips against the true ones, or a training set's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bdmm.evaluation.jobs.set_features import (
    SetDetectors,
    cutting_key,
    read_features,
)
from bdmm.metrics.detectors import Detector
from bdmm.metrics.protocols import VideoDistance
from bdmm.metrics.set_distance import FeatureStatistics, set_distance
from bdmm.metrics.video_distance import Cutting, VideoFeatures

TRAIN, TEST = "train", "test"
"""Where real frames come from: the training set, or the true frames of the clips judged."""


@dataclass(frozen=True)
class SetDistance:
    """A Fréchet distance of a system's set.

    Attributes:
        system: its name.
        name: of the distance.
        mean: the distance.
        deviation: over repeats; 0 where nothing is drawn.
        count_generated: frames or videos of the system.
        count_real: frames or videos of the real set.
        rank_deficient: a set is no larger than the features' dimension: the distance is biased
            and may be compared at equal counts only.
    """

    system: str
    name: str
    mean: float
    deviation: float
    count_generated: int
    count_real: int
    rank_deficient: bool


Files = Mapping[str, Path]
"""Clip -> file of its features."""


def distances_of_sets(
    generated: Mapping[str, Files], real: Mapping[str, Files], detectors: SetDetectors
) -> tuple[list[SetDistance], dict[str, str]]:
    """Return the distances of all systems.

    Args:
        generated: of each system.
        real: of `TEST`, and of `TRAIN` if that is known.
        detectors: that made the features.

    Returns:
        (distances, distance -> why it is not computed).

    Raises:
        InputError: a file is damaged.
    """
    found: list[SetDistance] = []
    missing: dict[str, str] = {}
    for split, files in real.items():
        for detector in detectors.frames:
            name = detector.distance if split == TRAIN else f"{detector.distance}-Test"
            truth = _statistics(files, detector)
            for system, own in generated.items():
                ours = _statistics(own, detector)
                if min(ours.count, truth.count) < 2:
                    missing[name] = "not computed: needs at least two frames in each set"
                    continue
                one = set_distance(ours, truth)
                counts = one.count_generated, one.count_real, one.rank_deficient
                found.append(SetDistance(system, name, one.value, 0.0, *counts))
        for row in detectors.video_distances if detectors.clips else ():
            if row.real == split:
                found += _of_videos(row, generated, files, detectors.clips[0], missing)
    if TRAIN not in real:
        for detector in detectors.frames:
            missing[detector.distance] = "not computed: needs the training set, with --real"
        if detectors.clips:
            missing["FVD-Train"] = "not computed: needs the training set, with --real"
    return found, missing


def _statistics(files: Files, detector: Detector) -> FeatureStatistics:
    """Gather the features of all clips, one file at a time."""
    statistics = FeatureStatistics(detector.dimension, detector.settings)
    for clip in sorted(files):
        rows = read_features(files[clip]).get(detector.name)
        if rows is not None:
            statistics.add(rows)
    return statistics


def _of_videos(
    row: VideoDistance,
    generated: Mapping[str, Files],
    real: Files,
    detector: Detector,
    missing: dict[str, str],
) -> list[SetDistance]:
    found = []
    truth = _videos(row, real, detector)
    for system, own in generated.items():
        ours = _videos(row, own, detector)
        if min(len(ours), len(truth)) < 2:
            reach = Cutting.of(row).reach
            missing[row.name] = f"not computed: needs two videos of at least {reach} frames"
            continue
        one = ours.distance(truth)
        found.append(
            SetDistance(
                system,
                row.name,
                one.value.mean,
                one.value.deviation,
                one.count_generated,
                one.count_real,
                one.rank_deficient,
            )
        )
    return found


def _videos(row: VideoDistance, files: Files, detector: Detector) -> VideoFeatures:
    cutting = Cutting.of(row)
    videos = VideoFeatures(cutting, detector.settings)
    for clip, path in files.items():
        rows = read_features(path).get(cutting_key(cutting))
        if rows is not None:
            videos.add(clip, rows.numpy())
    return videos


def table_rows(distances: Sequence[SetDistance]) -> dict[str, dict[str, SetDistance]]:
    """Return system -> name -> distance."""
    rows: dict[str, dict[str, SetDistance]] = {}
    for one in distances:
        rows.setdefault(one.system, {})[one.name] = one
    return rows
