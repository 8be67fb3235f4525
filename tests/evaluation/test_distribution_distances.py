"""Features of clips on disk, and the distances of systems' sets from the true ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bdmm.errors import InputError
from bdmm.evaluation.config import EvalFrame
from bdmm.evaluation.jobs import keypoint_metrics
from bdmm.evaluation.jobs.distribution_distances import TEST, TRAIN, distribution_distances
from bdmm.evaluation.jobs.distribution_features import (
    FeatureCollector,
    FeatureFiles,
    SetDetectors,
    read_features,
)
from bdmm.evaluation.jobs.keypoint_metrics import POSE, FrameCache, KeypointMetrics
from bdmm.evaluation.jobs.scores import DistributionDistance
from bdmm.evaluation.reports.tables import size_notes
from bdmm.metrics.detectors import Detector, Unit
from bdmm.metrics.frame_metrics import FramePair
from bdmm.metrics.protocols import VideoDistance
from bdmm.records import KEYPOINT_NAMES

SIDE, COUNT = 16, 12
VIDEO = (VideoDistance("FVD-Test4f", 4, 2, "test", repeats=3),)


SEEN: list[int] = []


def mean_colour(unit: Unit) -> Detector:
    """Look at frames, or at clips: the mean of each colour."""

    def extract(frames: Tensor) -> Tensor:
        if unit == "frame":
            SEEN.append(len(frames))
        return frames.movedim(-3, 1).flatten(2).mean(2)

    name, distance = ("i3d", "FVD") if unit == "clip" else ("inception", "FID")
    settings = {"detector": name, "sha256": "0", "resize": "none"}
    return Detector(name, distance, unit, 3, settings, extract)


@pytest.fixture
def detectors() -> SetDetectors:
    return SetDetectors((mean_colour("frame"),), (mean_colour("clip"),), VIDEO)


def clip(seed: int, shift: int, count: int = COUNT) -> list[EvalFrame]:
    pictures = np.random.default_rng(seed).integers(0, 200, (count, SIDE, SIDE, 3), np.uint8)
    return [
        EvalFrame(i, FramePair(str(i), one + np.uint8(shift), one))
        for i, one in enumerate(pictures)
    ]


def gather(folder: Path, detectors: SetDetectors, shift: int, every: int = 1) -> dict[str, Path]:
    files = {}
    for seed in range(3):
        one = FeatureFiles(folder / f"{shift}-{seed}.safetensors", folder / f"true-{seed}.st")
        with FeatureCollector(f"clip{seed}", one, detectors, every) as collector:
            list(collector.watch(clip(seed, shift)))
            collector.finish()
        assert one.finished()
        files[f"clip{seed}"] = one.generated
    return files


def test_distance_of_equal_sets_is_none(tmp_path: Path, detectors: SetDetectors) -> None:
    generated = {"same": gather(tmp_path, detectors, 0), "brighter": gather(tmp_path, detectors, 9)}
    true = {f"clip{seed}": tmp_path / f"true-{seed}.st" for seed in range(3)}
    found, missing = distribution_distances(generated, {TEST: true}, detectors)
    values = {(one.system, one.name): one for one in found}
    assert values["same", "FID-Test"].mean == pytest.approx(0, abs=1e-9)
    assert values["brighter", "FID-Test"].mean == pytest.approx(3 * (9 / 127.5) ** 2, rel=1e-4)
    assert values["brighter", "FID-Test"].count_real == 3 * COUNT
    assert values["same", "FVD-Test4f"].mean == pytest.approx(0, abs=1e-9)
    assert values["brighter", "FVD-Test4f"].mean == pytest.approx(3 * (9 / 127.5) ** 2, rel=1e-4)
    assert values["brighter", "FVD-Test4f"].count_generated == 3
    assert "needs the training set" in missing["FID"]
    with_train, missing = distribution_distances(generated, {TEST: true, TRAIN: true}, detectors)
    assert "FID" in {one.name for one in with_train}
    assert "FID" not in missing


def test_truth_is_looked_at_once_and_only_some_frames_if_asked(
    tmp_path: Path, detectors: SetDetectors
) -> None:
    gather(tmp_path, detectors, 0, every=5)
    rows = read_features(tmp_path / "0-0.safetensors")
    assert rows["inception"].shape == (3, 3)
    SEEN.clear()
    gather(tmp_path, detectors, 5, every=5)
    assert sum(SEEN) == 3 * 3, "the truth is not extracted again"


def test_sets_that_are_too_small_are_said_so(tmp_path: Path, detectors: SetDetectors) -> None:
    one = FeatureFiles(tmp_path / "a.st", tmp_path / "b.st")
    with FeatureCollector("short", one, detectors) as collector:
        list(collector.watch(clip(0, 1, count=3)))
        collector.finish()
    found, missing = distribution_distances(
        {"x": {"short": one.generated}}, {TEST: {"short": one.true}}, detectors
    )
    assert [distance.name for distance in found] == ["FID-Test"]
    assert missing["FVD-Test4f"] == "not computed: needs two videos of at least 7 frames"
    (tmp_path / "c.st").write_bytes(b"no features")
    with pytest.raises(InputError, match=r"c\.st"):
        read_features(tmp_path / "c.st")


def test_notes_tell_sizes() -> None:
    one = DistributionDistance(3.0, 10, 10, True, system="x", name="FID")
    assert "compare it at this size only" in size_notes([one])[0]
    other = replace(one, system="y", count_generated=20)
    assert "different sizes cannot be compared" in size_notes([one, other])[0]


def test_cache_keeps_frames_for_later(tmp_path: Path) -> None:
    pictures = [frame.pair.target_uint8 for frame in clip(0, 0)]
    with FrameCache(tmp_path) as cache:
        for picture in pictures:
            cache.add(picture)
        assert len(cache) == COUNT
        assert all(np.array_equal(a, b) for a, b in zip(cache, pictures, strict=True))
        assert cache.frames([5, 2]).shape == (2, 3, SIDE, SIDE)
    assert not list(tmp_path.iterdir())


def test_keypoints_found_again_are_compared_with_the_driving_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driving = torch.rand(3, len(KEYPOINT_NAMES), 3) * SIDE
    driving[..., 2] = 1
    found = driving + torch.tensor([0.5, 0, 0])
    monkeypatch.setattr(
        keypoint_metrics, "detect_keypoints", lambda frames, fps: found[: len(frames)]
    )
    frames = [replace(one, keypoints=driving[i]) for i, one in enumerate(clip(0, 0, 3))]
    with KeypointMetrics(tmp_path, 25.0) as metrics:
        assert list(metrics.watch(frames)) == frames
        scores = metrics.scores()[POSE]
    assert scores["keypoint_pixels"].mean == pytest.approx(0.5 * 256 / SIDE, rel=1e-5)
    assert scores["keypoints_found"].mean == 1
    with KeypointMetrics(tmp_path, 25.0) as metrics:
        list(metrics.watch(clip(0, 0, 3)))
        assert metrics.scores() == {}, "nobody knows what they should show"
