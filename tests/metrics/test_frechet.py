import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from bdmm.errors import InputError
from bdmm.metrics.frechet import FeatureStatistics, Moments, frechet_distance

SETTINGS = {"detector": "inception", "sha256": "ab", "resize": "bilinear to 299 x 299"}


def moments_of(features, pieces: int = 3) -> Moments:
    running = FeatureStatistics(features.shape[1], SETTINGS)
    for start in range(0, len(features), -(-len(features) // pieces)):
        running.add(features[start : start - (-len(features) // pieces)])
    return running.moments()


def random_features(seed: int, count: int, dimension: int = 6) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(count, dimension)) @ random.normal(size=(dimension, dimension))


def exact(mean, covariance) -> Moments:
    return Moments(np.asarray(mean, float), np.asarray(covariance, float), 1000)


def test_streamed_moments_equal_numpy_in_any_pieces() -> None:
    features = random_features(0, 50)
    for pieces in (1, 3, 50):
        moments = moments_of(features, pieces)
        np.testing.assert_allclose(moments.mean, features.mean(0), rtol=1e-12)
        np.testing.assert_allclose(moments.covariance, np.cov(features.T), rtol=1e-11)
        assert moments.count == 50


def test_closed_form_of_one_dimension() -> None:
    distance = frechet_distance(exact([1], [[4]]), exact([4], [[25]]))
    assert distance.mean == pytest.approx(3**2 + (2 - 5) ** 2, rel=1e-12)


def test_closed_form_of_covariances_that_commute() -> None:
    random = np.random.default_rng(0)
    axes, _ = np.linalg.qr(random.normal(size=(8, 8)))
    a, b = random.uniform(0.1, 5, (2, 8))
    means = random.normal(size=(2, 8))
    distance = frechet_distance(
        exact(means[0], axes @ np.diag(a) @ axes.T), exact(means[1], axes @ np.diag(b) @ axes.T)
    )
    expected = ((means[0] - means[1]) ** 2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert distance.mean == pytest.approx(expected, rel=1e-12)


def test_closed_form_of_two_dimensions() -> None:
    """For 2 x 2 matrices tr(M^1/2) = sqrt(tr M + 2 sqrt(det M))."""
    a, b = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    product = a @ b
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    distance = frechet_distance(exact([0, 0], a), exact([0, 0], b))
    assert distance.mean == pytest.approx(np.trace(a) + np.trace(b) - 2 * root, rel=1e-12)


def test_equals_the_matrix_root_in_float64() -> None:
    a, b = moments_of(random_features(2, 300)), moments_of(random_features(3, 200) + 1)
    root = np.real(np.asarray(sqrtm(a.covariance @ b.covariance)))
    expected = ((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance + b.covariance - 2 * root)
    assert frechet_distance(a, b).mean == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a).mean == pytest.approx(expected, rel=1e-9)


def test_singular_covariances_closed_form() -> None:
    """All the spread of the one set lies in a plane, that of the other along a line in it."""
    plane, line = np.zeros((50, 50)), np.zeros((50, 50))
    plane[0, 0], plane[1, 1], line[0, 0] = 4, 9, 1
    distance = frechet_distance(exact(np.zeros(50), plane), exact(np.zeros(50), line))
    assert distance.mean == pytest.approx((2 - 1) ** 2 + 9, rel=1e-12)
    nothing = exact(np.zeros(50), np.zeros((50, 50)))
    assert frechet_distance(nothing, exact(np.ones(50), plane)).mean == pytest.approx(50 + 13)
    assert frechet_distance(nothing, nothing).mean == 0


def test_fewer_samples_than_dimensions_keep_their_precision() -> None:
    """A set moved by d and scaled by s: |d|² + (1 - s)² tr C, whatever the rank."""
    random = np.random.default_rng(4)
    features = random.normal(size=(20, 120))
    for scale in (1.0, 1.001, 3.0):
        shift = random.normal(size=120)
        centred = features - features.mean(0)
        a, b = moments_of(features), moments_of(centred * scale + features.mean(0) + shift)
        expected = (shift**2).sum() + (1 - scale) ** 2 * np.trace(a.covariance)
        distance = frechet_distance(a, b)
        assert distance.mean == pytest.approx(expected, rel=1e-9)
        assert distance.rank_deficient
        assert (distance.count_generated, distance.count_real) == (20, 20)


@pytest.mark.parametrize("count", [2, 20, 400])
def test_identical_sets_have_distance_zero(count) -> None:
    features = random_features(5, count, 60) * 1e3 + 1e4
    shuffled = np.random.default_rng(0).permutation(features)
    assert frechet_distance(moments_of(features), moments_of(features)).mean == 0
    assert frechet_distance(moments_of(features), moments_of(shuffled, 7)).mean == 0


@pytest.mark.parametrize("kind", [np.float32, torch.float32, torch.float64])
def test_float32_features_far_from_zero_do_not_cancel(kind) -> None:
    """The naive E[x²] - E[x]² in float32 is off by hundreds of per cent here."""
    random = np.random.default_rng(6)
    features = (1000 + random.normal(0, 0.05, (500, 4))).astype(np.float32)
    other = (1000.01 + random.normal(0, 0.07, (500, 4))).astype(np.float32)

    def given(values):
        return torch.from_numpy(values).to(kind) if isinstance(kind, torch.dtype) else values

    a, b = moments_of(given(features)), moments_of(given(other))
    np.testing.assert_allclose(a.covariance, np.cov(features.astype(float).T), rtol=1e-9)
    expected = frechet_distance(
        exact(features.astype(float).mean(0), np.cov(features.astype(float).T)),
        exact(other.astype(float).mean(0), np.cov(other.astype(float).T)),
    )
    assert frechet_distance(a, b).mean == pytest.approx(expected.mean, rel=1e-6)
    naive = (features.T @ features) / np.float32(500) - np.outer(features.mean(0), features.mean(0))
    assert abs(naive[0, 0] / a.covariance[0, 0] - 1) > 0.5


def test_one_sample_is_not_enough() -> None:
    running = FeatureStatistics(3, SETTINGS)
    running.add(np.ones((1, 3)))
    with pytest.raises(InputError, match="at least two samples in each set, not 1"):
        running.moments()


def test_the_sample_that_is_not_finite_is_named() -> None:
    running = FeatureStatistics(3, SETTINGS)
    running.add(np.ones((4, 3)))
    bad = np.ones((4, 3))
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match="sample 7"):
        running.add(bad)


def gathered(features: np.ndarray, settings: dict[str, str] = SETTINGS) -> FeatureStatistics:
    statistics = FeatureStatistics(features.shape[1], settings)
    for batch in np.array_split(features, 3):
        statistics.add(torch.from_numpy(batch).float())
    return statistics


def test_a_shift_by_hand() -> None:
    """Equal spread, means 3 and 4 apart in two dimensions: 9 + 16."""
    features = np.random.default_rng(0).normal(40, 1, (200, 6)).astype(np.float32)
    away = features + np.array([3, 4, 0, 0, 0, 0], np.float32)
    score = gathered(features).distance(gathered(away))
    assert score.mean == pytest.approx(25, rel=1e-4)
    assert (score.count_generated, score.count_real, score.rank_deficient) == (200, 200, False)


def test_unlike_sets_are_not_compared() -> None:
    features = random_features(0, 20)
    ours = gathered(features)
    with pytest.raises(InputError, match=r"their resize is bilinear.* and antialiased"):
        ours.distance(gathered(features, SETTINGS | {"resize": "antialiased to 299 x 299"}))
    with pytest.raises(InputError, match="at least two samples in each set, not 1"):
        ours.distance(gathered(features[:1]))
