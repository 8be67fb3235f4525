"""Mean, deviation and number of values in one pass, in memory that does not grow."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """Summary of a run of values.

    Attributes:
        mean: NaN if any value was NaN: a number that is not defined for a frame is not defined for
            its clip either, and leaving such frames out would flatter. Infinite if all were.
        deviation: population standard deviation; NaN if the mean is not finite.
        count: values that the mean is over, those not defined included.
        undefined: values that were NaN.
        exact: values that were infinite, the PSNR of a frame that equals the true one: they are
            left out, as one of them would make the mean infinite.
    """

    mean: float
    deviation: float
    count: int
    undefined: int
    exact: int = 0


class RunningMean:
    """Welford's (1962) mean and variance."""

    def __init__(self) -> None:
        self._count = self._undefined = self._exact = 0
        self._mean = 0.0
        self._spread = 0.0

    def add(self, value: float) -> None:
        """Add a value."""
        if value == math.inf:
            self._exact += 1
            return
        self._count += 1
        self._undefined += math.isnan(value)
        if not math.isfinite(self._mean) or not math.isfinite(value):
            self._mean += value
            self._spread = math.nan
            return
        away = value - self._mean
        self._mean += away / self._count
        self._spread += away * (value - self._mean)

    def summary(self) -> Summary:
        """Return the summary; NaN where there was none."""
        if self._count == 0:
            mean = math.inf if self._exact else math.nan
            return Summary(mean, math.nan, 0, 0, self._exact)
        deviation = math.sqrt(self._spread / self._count)
        return Summary(self._mean, deviation, self._count, self._undefined, self._exact)


class RunningScores:
    """Means of region -> metric -> number, frame by frame.

    A region that some frames lack, such as a face turned away, is averaged over the others; its
    ``count`` says how many.
    """

    def __init__(self) -> None:
        self._means: dict[str, dict[str, RunningMean]] = defaultdict(
            lambda: defaultdict(RunningMean)
        )

    def add(self, scores: Mapping[str, Mapping[str, float]]) -> None:
        """Add the scores of a frame."""
        for region, metrics in scores.items():
            for metric, value in metrics.items():
                self._means[region][metric].add(value)

    def summaries(self) -> dict[str, dict[str, Summary]]:
        """Return region -> metric -> summary."""
        return {
            region: {metric: mean.summary() for metric, mean in metrics.items()}
            for region, metrics in self._means.items()
        }
