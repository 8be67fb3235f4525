"""The Fréchet distance between two sets of features, each taken for a normal distribution.

    d² = |m1 - m2|² + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))

The trace of the root is the sum of the singular values of A1ᵀ A2, where C = A Aᵀ comes from the
symmetric eigenvalues. So no root of a product that is not symmetric is taken, and covariances
without full rank (fewer samples than dimensions) lose no precision. Sums are kept in float64
around a running mean: features far from zero with little spread would otherwise cancel.

The distance of finite sets is biased by their size: compare at equal counts only.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from bdmm.errors import InputError

_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of a set.

    Attributes:
        mean: ``d`` in float64.
        covariance: ``d d`` in float64, unbiased (divided by the count less one).
    """

    mean: Float[np.ndarray, "d"]
    covariance: Float[np.ndarray, "d d"]
    count: int


@dataclass(frozen=True)
class FrechetDistance:
    """A distance and the sizes of its sets.

    Attributes:
        mean: the squared distance, which is what FID and FVD report, at least 0; over repeats where
            clips are drawn at random.
        count_generated: samples of the one set.
        count_real: samples of the other.
        rank_deficient: a set has no more samples than the features have dimensions: its covariance
            is singular, and the distance may be compared at equal counts only.
        deviation: over repeats; 0 where nothing is drawn.
    """

    mean: float
    count_generated: int
    count_real: int
    rank_deficient: bool
    deviation: float = 0.0


class FeatureStatistics:
    """Mean and covariance of features, in memory of their dimension squared.

    Args:
        settings: how the features were made, `Detector.settings`; only equals are compared.
    """

    def __init__(self, dimension: int, settings: Mapping[str, str]) -> None:
        self.settings = dict(settings)
        self.count = 0
        self._mean = np.zeros(dimension)
        self._spread = np.zeros((dimension, dimension))

    def add(self, features: Float[np.ndarray | Tensor, "n d"]) -> None:
        """Add features of any floating-point type, on any device (Chan, Golub and LeVeque 1979).

        Raises:
            InputError: a feature is not finite; it is counted from the first one ever added.
        """
        if isinstance(features, Tensor):
            features = features.detach().cpu().double().numpy()
        batch = features.astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(batch).all(axis=1))
        if len(bad):
            raise InputError(
                f"The features of sample {self.count + int(bad[0]) + 1} are not finite: its "
                "frames or the detector's weights are damaged."
            )
        if len(batch):
            mean = batch.mean(axis=0)
            centred = batch - mean
            total = self.count + len(batch)
            away = mean - self._mean
            self._spread += centred.T @ centred + np.outer(away, away) * (
                self.count * len(batch) / total
            )
            self._mean += away * (len(batch) / total)
            self.count = total

    def moments(self) -> Moments:
        """Return mean and covariance.

        Raises:
            InputError: there are fewer than two samples.
        """
        if self.count < 2:
            raise InputError(
                f"A Fréchet distance needs at least two samples in each set, not {self.count}; "
                "give more clips or frames."
            )
        covariance = self._spread / (self.count - 1)
        return Moments(self._mean.copy(), (covariance + covariance.T) / 2, self.count)

    def distance(self, real: "FeatureStatistics") -> FrechetDistance:
        """Return the Fréchet distance to a real set: FID where the features are Inception's.

        Raises:
            InputError: the features were made in different ways, or a set has fewer than two
                samples.
        """
        check_settings(self.settings, real.settings)
        return frechet_distance(self.moments(), real.moments())


def frechet_distance(generated: Moments, real: Moments) -> FrechetDistance:
    """Return the Fréchet distance of two sets; exactly 0 where only rounding differs."""
    assert generated.mean.shape == real.mean.shape, "features of one detector"
    away = generated.mean - real.mean
    traces = float(np.trace(generated.covariance) + np.trace(real.covariance))
    value = float(away @ away) + traces - 2 * _trace_of_root(generated, real)
    dimension = len(away)
    rounding = 8 * dimension * _EPSILON * traces
    return FrechetDistance(
        mean=value if value > rounding else 0.0,
        count_generated=generated.count,
        count_real=real.count,
        rank_deficient=min(generated.count, real.count) <= dimension,
    )


def check_settings(ours: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """Check that two sets of features were made alike.

    Raises:
        InputError: naming the first setting in which they differ.
    """
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise InputError(
                f"Two sets of features cannot be compared: their {name} is "
                f"{ours.get(name, 'unknown')} and {theirs.get(name, 'unknown')}; gather both "
                "in one way."
            )


def _trace_of_root(generated: Moments, real: Moments) -> float:
    product = _root(generated.covariance).T @ _root(real.covariance)
    if product.size == 0:
        return 0.0
    return float(np.linalg.svd(product, compute_uv=False).sum())


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return A, ``d rank``, with A Aᵀ the covariance; values below rounding are left out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > len(values) * _EPSILON * max(values[-1], 0.0)
    return vectors[:, kept] * np.sqrt(values[kept])
