"""Distribution distances: frames and clips of a system against the true ones, or a training set.

FID and FVD, or their likes in other features. Features lie in files, see `distribution_features`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig, EvalFrame, EvalItem
from bdmm.evaluation.jobs.distribution_features import (
    FeatureCollector,
    FeatureFiles,
    SetDetectors,
    open_set_detectors,
    read_features,
    sampling_key,
)
from bdmm.evaluation.jobs.scores import DistributionDistance, fit_pair
from bdmm.files.fingerprint import fingerprint
from bdmm.media.pixels import to_pictures
from bdmm.metrics.detectors import Detector
from bdmm.metrics.frame_metrics import FramePair
from bdmm.metrics.frechet import FeatureStatistics
from bdmm.metrics.protocols import VideoDistance
from bdmm.metrics.video_distance import VideoFeatures

TRAIN, TEST = "train", "test"
"""Real frames are those of the training set, or the true frames of the scored clips."""
Files = Mapping[str, Path]
"""Clip -> file of its features."""
_OF_SYSTEM = ("system", "generated")
"""What a clip's truth does not depend on."""
_AT_ONCE = 24


def feature_files(
    folder: Path, stem: str, item: EvalItem, config: EvalConfig
) -> FeatureFiles | None:
    """Return the files of a clip's features; None where there is no detector."""
    detectors = open_set_detectors(config)
    if not detectors.any:
        return None
    own = {key: value for key, value in item.identity.items() if key not in _OF_SYSTEM}
    made = digest([detectors.settings, config.features_every, config.protocol])
    true = digest([own, made])
    return FeatureFiles(
        folder / f"{stem}-{made}.safetensors",
        folder / f"true--{item.clip}-{true}.safetensors",
    )


def compare_distributions(
    scored: Sequence[tuple[EvalItem, FeatureFiles | None]], config: EvalConfig, folder: Path
) -> tuple[list[DistributionDistance], dict[str, str]]:
    """Return the distances of the systems, and which are not computed and why.

    Args:
        scored: clips that all systems finished.

    Raises:
        InputError: the training set or a file of features is damaged.
    """
    detectors = open_set_detectors(config)
    missing = dict(detectors.not_computed)
    if not detectors.any:
        return [], missing
    generated: dict[str, dict[str, Path]] = {}
    true: dict[str, Path] = {}
    for item, files in scored:
        assert files is not None, "there are detectors"
        generated.setdefault(item.system, {})[item.clip] = files.generated
        true[item.clip] = files.true
    real = {TEST: true}
    if config.training_set:
        real[TRAIN] = _training_set(config, folder)
    distances, lacking = distribution_distances(generated, real, detectors)
    return distances, missing | lacking


def distribution_distances(
    generated: Mapping[str, Files], real: Mapping[str, Files], detectors: SetDetectors
) -> tuple[list[DistributionDistance], dict[str, str]]:
    """Return the distances of all systems.

    Args:
        generated: of each system.
        real: of `TEST`, and of `TRAIN` if that is known.

    Returns:
        (distances, distance -> why it is not computed).

    Raises:
        InputError: a file is damaged.
    """
    found: list[DistributionDistance] = []
    missing: dict[str, str] = {}
    for split, files in real.items():
        for name, needed, gather in _sets(split, detectors):
            truth = gather(files)
            for system, own in generated.items():
                ours = gather(own)
                if min(ours.count, truth.count) < 2:
                    missing[name] = f"not computed: needs {needed}"
                    continue
                distance = vars(ours.distance(truth))
                found.append(DistributionDistance(system=system, name=name, **distance))
    if TRAIN not in real:
        names = [one.distance for one in detectors.frames]
        names += ["FVD-Train"] if detectors.clips else []
        missing |= dict.fromkeys(names, "not computed: needs the training set, with --real")
    return found, missing


def _sets(split: str, detectors: SetDetectors) -> Iterator[tuple[str, str, Callable[[Files], Any]]]:
    """Yield (distance, what it needs, what gathers a set) for the real frames of a split."""
    for detector in detectors.frames:
        name = detector.distance if split == TRAIN else f"{detector.distance}-Test"
        yield name, "at least two frames in each set", partial(_statistics, detector)
    for row in detectors.video_distances if detectors.clips else ():
        if row.real == split:
            needed = f"two videos of at least {row.reach} frames"
            yield row.name, needed, partial(_videos, row, detectors.clips[0])


def _statistics(detector: Detector, files: Files) -> FeatureStatistics:
    """Gather the features of all clips, one file at a time."""
    statistics = FeatureStatistics(detector.dimension, detector.settings)
    for clip in sorted(files):
        rows = read_features(files[clip]).get(detector.name)
        if rows is not None:
            statistics.add(rows)
    return statistics


def _videos(row: VideoDistance, detector: Detector, files: Files) -> VideoFeatures:
    videos = VideoFeatures(row, detector.settings)
    for clip, path in files.items():
        rows = read_features(path).get(sampling_key(row))
        if rows is not None:
            videos.add(clip, rows.numpy())
    return videos


def _training_set(config: EvalConfig, folder: Path) -> dict[str, Path]:
    """Gather the features of the training set; those on disk are not gathered again."""
    settings = [open_set_detectors(config).settings, config.features_every, config.protocol]
    clips: list[tuple[Path, Path]] = []
    for clip in (path for one in config.training_set for path in find_clips(one)):
        described = fingerprint(clip / "clip.json")
        name = f"train--{clip.name}-{digest([described, settings])}.safetensors"
        clips.append((clip, folder / name))
    names = [clip.name for clip, _ in clips]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"The training set has two clips {name}: give each one name.")
    todo = [one for one in clips if not one[1].is_file()]
    for outcome in config.distributor.run_jobs(partial(_extract_true, config), todo):
        if outcome.reason:
            raise InputError(f"The training set cannot be used: {outcome.reason}")
    return {clip.name: path for clip, path in clips}


def _extract_true(config: EvalConfig, job: tuple[Path, Path]) -> None:
    """Write the features of a clip's true frames, job (clip, file)."""
    clip, path = job
    files, detectors = FeatureFiles(path, path), open_set_detectors(config)
    with FeatureCollector(clip.name, files, detectors, config.features_every) as collector:
        for _ in collector.watch(_true_frames(clip, config)):
            pass
        collector.finish()


def _true_frames(folder: Path, config: EvalConfig) -> Iterator[EvalFrame]:
    clip = PreparedClip(folder)
    for start in range(0, len(clip), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(clip))
        for number, picture in enumerate(to_pictures(clip.frames(start, stop)), start):
            pair = FramePair(f"{clip.info.name} frame {number}", picture, picture)
            yield EvalFrame(number, fit_pair(pair, config.rules))


def digest(content: object) -> str:
    """Return 12 hexadecimal digits that differ wherever the content does, for names of files."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
