"""Statistics of feature sets: shards, files, refusals."""

import numpy as np
import pytest
import torch

from bdmm.errors import InputError
from bdmm.metrics.detectors import Unit
from bdmm.metrics.frechet import frechet_distance
from bdmm.metrics.set_distance import FeatureStatistics, gather, set_distance

SETTINGS = {"detector": "inception", "sha256": "ab", "resize": "bilinear to 299 x 299"}


def gathered(features: np.ndarray, settings: dict[str, str] = SETTINGS) -> FeatureStatistics:
    statistics = FeatureStatistics(features.shape[1], settings)
    for batch in np.array_split(features, 3):
        statistics.add(torch.from_numpy(batch).float())
    return statistics


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(40, 1, (200, 6)).astype(np.float32)


def test_shards_saved_and_merged_equal_one_run(features, tmp_path) -> None:
    whole = gathered(features)
    parts = [gathered(features[:70]), gathered(features[70:])]
    for i, part in enumerate(parts):
        part.save(tmp_path / f"{i}.safetensors")
    first, second = (FeatureStatistics.load(tmp_path / f"{i}.safetensors") for i in range(2))
    assert first.settings == SETTINGS
    for loaded, part in zip((first, second), parts, strict=True):
        np.testing.assert_array_equal(loaded.moments().covariance, part.moments().covariance)
    first.merge(second)
    assert first.count == whole.count == 200
    np.testing.assert_allclose(first.moments().mean, features.astype(float).mean(0), rtol=1e-12)
    expected = np.cov(features.astype(float), rowvar=False)
    np.testing.assert_allclose(first.moments().covariance, expected, rtol=1e-10, atol=1e-12)
    assert set_distance(first, whole).value == 0


def test_going_on_after_loading_equals_never_having_stopped(features, tmp_path) -> None:
    path = tmp_path / "half.safetensors"
    straight = FeatureStatistics(6, SETTINGS)
    straight.add(features[:90])
    straight.save(path)
    resumed = FeatureStatistics.load(path)
    for statistics in (straight, resumed):
        statistics.add(features[90:])
    np.testing.assert_array_equal(resumed.moments().mean, straight.moments().mean)
    np.testing.assert_array_equal(resumed.moments().covariance, straight.moments().covariance)


def test_an_empty_set_can_be_put_aside(features, tmp_path) -> None:
    FeatureStatistics(6, SETTINGS).save(tmp_path / "none.safetensors")
    statistics = FeatureStatistics.load(tmp_path / "none.safetensors")
    statistics.merge(gathered(features))
    assert statistics.count == 200


def test_a_shift_by_hand(features) -> None:
    """Equal spread, means 3 and 4 apart in two dimensions: 9 + 16."""
    away = features + np.array([3, 4, 0, 0, 0, 0], np.float32)
    score = set_distance(gathered(features), gathered(away))
    assert score.value == pytest.approx(25, rel=1e-4)
    assert (score.count_generated, score.count_real, score.rank_deficient) == (200, 200, False)
    direct = frechet_distance(gathered(features).moments(), gathered(away).moments())
    assert score == direct


class MeanColour:
    """A detector that needs no weights."""

    name, distance, dimension, settings = "colour", "none", 3, SETTINGS
    unit: Unit = "frame"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(frames))
        return frames.mean((2, 3))


def test_pictures_are_gathered_a_few_at_a_time() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (7, 3), dtype=np.uint8)
    pictures = (np.broadcast_to(colour, (4, 5, 3)).copy() for colour in levels)
    statistics, detector = FeatureStatistics(3, SETTINGS), MeanColour()
    gather(statistics, detector, pictures, batch=3)
    assert detector.batches == [3, 3, 1]
    assert statistics.count == 7
    expected = levels.astype(float).mean(0) / 127.5 - 1
    np.testing.assert_allclose(statistics.moments().mean, expected, atol=1e-6)
    with pytest.raises(InputError, match="their detector is vgg19 and inception"):
        gather(FeatureStatistics(3, SETTINGS | {"detector": "vgg19"}), detector, ())


def test_unlike_sets_are_not_compared(features) -> None:
    ours = gathered(features)
    theirs = gathered(features, SETTINGS | {"resize": "antialiased to 299 x 299"})
    with pytest.raises(InputError, match=r"their resize is bilinear.* and antialiased"):
        set_distance(ours, theirs)
    with pytest.raises(InputError, match="their resize is"):
        ours.merge(theirs)
    with pytest.raises(InputError, match="at least two samples in each set, not 1"):
        set_distance(ours, _of_one(features))


def _of_one(features: np.ndarray) -> FeatureStatistics:
    statistics = FeatureStatistics(6, SETTINGS)
    statistics.add(features[:1])
    return statistics


def test_damaged_files_are_refused(features, tmp_path) -> None:
    path = tmp_path / "s.safetensors"
    gathered(features).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        FeatureStatistics.load(path)
    path.write_bytes(content.replace(b"feature statistics", b"feature_statistics"))
    with pytest.raises(InputError, match="does not hold feature statistics; gather them again"):
        FeatureStatistics.load(path)
