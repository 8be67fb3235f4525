"""The Fréchet distance between two sets of features, each taken for a normal distribution.

    d² = |m1 - m2|² + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))

The trace of the root is the sum of the singular values of A1ᵀ A2, where C = A Aᵀ comes from the
symmetric eigenvalues. So no root of a product that is not symmetric is taken, and covariances
without full rank (fewer samples than dimensions) lose no precision. Sums are kept in float64
around a running mean: features far from zero with little spread would otherwise cancel.

The distance of finite sets is biased by their size: compare at equal counts only.
"""

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
        count: samples.
    """

    mean: Float[np.ndarray, "d"]
    covariance: Float[np.ndarray, "d d"]
    count: int


@dataclass(frozen=True)
class FrechetDistance:
    """A distance and what it stands on.

    Attributes:
        value: the squared distance, which is what FID and FVD report; at least 0.
        count_generated: samples of the one set.
        count_real: samples of the other.
        dimension: of the features.
        rank_deficient: a set has no more samples than dimensions, so its covariance is singular.
    """

    value: float
    count_generated: int
    count_real: int
    dimension: int
    rank_deficient: bool


class RunningMoments:
    """Mean and covariance of features that pass by once, in memory of their dimension squared.

    Args:
        dimension: of a feature.
    """

    def __init__(self, dimension: int) -> None:
        self._count = 0
        self._mean = np.zeros(dimension)
        self._spread = np.zeros((dimension, dimension))

    def add(self, features: Float[np.ndarray | Tensor, "n d"]) -> None:
        """Take in some features, of any floating-point type, on any device.

        Raises:
            InputError: a feature is not finite; it is counted from the first one ever added.
        """
        batch = _as_float64(features)
        bad = np.flatnonzero(~np.isfinite(batch).all(axis=1))
        if len(bad):
            raise InputError(
                f"The features of sample {self._count + int(bad[0]) + 1} are not finite: its "
                "frames or the detector's weights are damaged."
            )
        if len(batch):
            mean = batch.mean(axis=0)
            centred = batch - mean
            self._take(len(batch), mean, centred.T @ centred)

    def merge(self, other: "RunningMoments") -> None:
        """Take in what another shard gathered."""
        if other._count:
            self._take(other._count, other._mean, other._spread)

    @property
    def count(self) -> int:
        """Return the number of samples."""
        return self._count

    @property
    def dimension(self) -> int:
        """Return the features' dimension."""
        return len(self._mean)

    def sums(self) -> Moments:
        """Return mean, count and, as ``covariance``, the *sum* of outer products about the mean.

        `from_sums` goes on from there.
        """
        return Moments(self._mean.copy(), self._spread.copy(), self._count)

    @classmethod
    def from_sums(cls, sums: Moments) -> "RunningMoments":
        """Go on from what `sums` returned."""
        running = cls(len(sums.mean))
        if sums.count:
            running._take(sums.count, sums.mean, sums.covariance)
        return running

    def moments(self) -> Moments:
        """Return mean and covariance.

        Raises:
            InputError: there are fewer than two samples.
        """
        if self._count < 2:
            raise InputError(
                f"A Fréchet distance needs at least two samples in each set, not {self._count}; "
                "give more clips or frames."
            )
        covariance = self._spread / (self._count - 1)
        return Moments(self._mean.copy(), (covariance + covariance.T) / 2, self._count)

    def _take(self, count: int, mean: np.ndarray, spread: np.ndarray) -> None:
        """Join two sets' sums (Chan, Golub and LeVeque 1979)."""
        total = self._count + count
        away = mean - self._mean
        self._spread += spread + np.outer(away, away) * (self._count * count / total)
        self._mean += away * (count / total)
        self._count = total


def frechet_distance(generated: Moments, real: Moments) -> FrechetDistance:
    """Return the Fréchet distance of two sets; exactly 0 where rounding is all that differs.

    Args:
        generated: moments of the one set.
        real: moments of the other, of the same dimension.
    """
    assert generated.mean.shape == real.mean.shape, "features of one detector"
    away = generated.mean - real.mean
    traces = float(np.trace(generated.covariance) + np.trace(real.covariance))
    value = float(away @ away) + traces - 2 * _trace_of_root(generated, real)
    dimension = len(away)
    rounding = 8 * dimension * _EPSILON * traces
    return FrechetDistance(
        value=value if value > rounding else 0.0,
        count_generated=generated.count,
        count_real=real.count,
        dimension=dimension,
        rank_deficient=min(generated.count, real.count) <= dimension,
    )


def _trace_of_root(generated: Moments, real: Moments) -> float:
    product = _root(generated.covariance).T @ _root(real.covariance)
    if product.size == 0:
        return 0.0
    return float(np.linalg.svd(product, compute_uv=False).sum())


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return A, ``d rank``, with A Aᵀ the covariance; what is below rounding is left out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > len(values) * _EPSILON * max(values[-1], 0.0)
    return vectors[:, kept] * np.sqrt(values[kept])


def _as_float64(features: np.ndarray | Tensor) -> np.ndarray:
    if isinstance(features, Tensor):
        features = features.detach().cpu().double().numpy()
    return features.astype(np.float64)
