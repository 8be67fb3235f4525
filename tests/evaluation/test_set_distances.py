"""Features of clips on disk, and the distances of systems' sets from the true ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bdmm.errors import InputError
from bdmm.evaluation.jobs import keypoint_metrics as pose_judge
from bdmm.evaluation.jobs.frame_cache import FrameTape
from bdmm.evaluation.jobs.keypoint_metrics import POSE, PoseJudge
from bdmm.evaluation.jobs.reenactment import JudgedFrame
from bdmm.evaluation.jobs.set_features import (
    FeatureCollector,
    FeatureFiles,
    SetDetectors,
    read_features,
)
from bdmm.evaluation.jobs.set_results import TEST, TRAIN, SetDistance, distances_of_sets
from bdmm.evaluation.reports.tables import set_notes
from bdmm.metrics.frame_metrics import FramePair
from bdmm.metrics.protocols import VideoDistance
from bdmm.records import KEYPOINT_NAMES

SIDE, COUNT = 16, 12
VIDEO = (VideoDistance("FVD-Test4f", 4, 2, "test", repeats=3),)


class MeanColour:
    """Looks at frames, or at clips: the mean of each colour."""

    dimension = 3

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.name, self.distance = ("i3d", "FVD") if unit == "clip" else ("inception", "FID")
        self.settings = {"detector": self.name, "sha256": "0", "resize": "none"}
        self.seen: list[int] = []

    def __call__(self, frames: Tensor) -> Tensor:
        self.seen.append(len(frames))
        return frames.movedim(-3, 1).flatten(2).mean(2)


@pytest.fixture
def detectors() -> SetDetectors:
    return SetDetectors((MeanColour("frame"),), (MeanColour("clip"),), VIDEO)


def clip(seed: int, shift: int, count: int = COUNT) -> list[JudgedFrame]:
    pictures = np.random.default_rng(seed).integers(0, 200, (count, SIDE, SIDE, 3), np.uint8)
    return [
        JudgedFrame(i, FramePair(str(i), one + np.uint8(shift), one))
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
    found, missing = distances_of_sets(generated, {TEST: true}, detectors)
    values = {(one.system, one.name): one for one in found}
    assert values["same", "FID-Test"].mean == pytest.approx(0, abs=1e-9)
    assert values["brighter", "FID-Test"].mean == pytest.approx(3 * (9 / 127.5) ** 2, rel=1e-4)
    assert values["brighter", "FID-Test"].count_real == 3 * COUNT
    assert values["same", "FVD-Test4f"].mean == pytest.approx(0, abs=1e-9)
    assert values["brighter", "FVD-Test4f"].mean == pytest.approx(3 * (9 / 127.5) ** 2, rel=1e-4)
    assert values["brighter", "FVD-Test4f"].count_generated == 3
    assert "needs the training set" in missing["FID"]
    with_train, missing = distances_of_sets(generated, {TEST: true, TRAIN: true}, detectors)
    assert "FID" in {one.name for one in with_train}
    assert "FID" not in missing


def test_truth_is_looked_at_once_and_only_some_frames_if_asked(
    tmp_path: Path, detectors: SetDetectors
) -> None:
    gather(tmp_path, detectors, 0, every=5)
    rows = read_features(tmp_path / "0-0.safetensors")
    assert rows["inception"].shape == (3, 3)
    looked: Sequence[int] = detectors.frames[0].seen  # type: ignore[attr-defined]
    before = sum(looked)
    gather(tmp_path, detectors, 5, every=5)
    assert sum(looked) == 1.5 * before


def test_sets_that_are_too_small_are_said_so(tmp_path: Path, detectors: SetDetectors) -> None:
    one = FeatureFiles(tmp_path / "a.st", tmp_path / "b.st")
    with FeatureCollector("short", one, detectors) as collector:
        list(collector.watch(clip(0, 1, count=3)))
        collector.finish()
    found, missing = distances_of_sets(
        {"x": {"short": one.generated}}, {TEST: {"short": one.true}}, detectors
    )
    assert [distance.name for distance in found] == ["FID-Test"]
    assert missing["FVD-Test4f"] == "not computed: needs two videos of at least 7 frames"
    (tmp_path / "c.st").write_bytes(b"no features")
    with pytest.raises(InputError, match=r"c\.st"):
        read_features(tmp_path / "c.st")


def test_notes_tell_sizes() -> None:
    one = SetDistance("x", "FID", 3.0, 0.0, 10, 10, True)
    assert "compare it at this size only" in set_notes([one])[0]
    other = replace(one, system="y", count_generated=20)
    assert "different sizes cannot be compared" in set_notes([one, other])[0]


def test_tape_keeps_frames_for_later(tmp_path: Path) -> None:
    pictures = [frame.pair.target_uint8 for frame in clip(0, 0)]
    with FrameTape(tmp_path) as tape:
        for picture in pictures:
            tape.add(picture)
        assert len(tape) == COUNT
        assert all(np.array_equal(a, b) for a, b in zip(tape, pictures, strict=True))
        assert tape.frames([5, 2]).shape == (2, 3, SIDE, SIDE)
    assert not list(tmp_path.iterdir())


def test_keypoints_found_again_are_compared_with_the_driving_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driving = torch.rand(3, len(KEYPOINT_NAMES), 3) * SIDE
    driving[..., 2] = 1
    found = driving + torch.tensor([0.5, 0, 0])
    monkeypatch.setattr(pose_judge, "detect_keypoints", lambda frames, fps, _: found[: len(frames)])
    frames = [replace(one, keypoints=driving[i]) for i, one in enumerate(clip(0, 0, 3))]
    with PoseJudge(tmp_path, 25.0) as judge:
        assert list(judge.watch(frames)) == frames
        scores = judge.scores()[POSE]
    assert scores["keypoint_pixels"].mean == pytest.approx(0.5 * 256 / SIDE, rel=1e-5)
    assert scores["keypoints_found"].mean == 1
    with PoseJudge(tmp_path, 25.0) as judge:
        list(judge.watch(clip(0, 0, 3)))
        assert judge.scores() == {}, "nobody knows what they should show"
