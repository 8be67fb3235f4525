import math

import numpy as np
import pytest

from bdmm.metrics.running import RunningMean, RunningScores


def summary_of(values):
    mean = RunningMean()
    for value in values:
        mean.add(value)
    return mean.summary()


def test_mean_and_deviation_equal_numpy_far_from_zero() -> None:
    values = 1e9 + np.random.default_rng(0).normal(0, 1e-2, 5000)
    summary = summary_of(values)
    assert summary.mean == pytest.approx(values.mean(), rel=1e-14)
    assert summary.deviation == pytest.approx(values.std(), rel=1e-4)
    assert summary.count == 5000


def test_an_undefined_value_is_not_left_out() -> None:
    summary = summary_of([1.0, math.nan, 3.0])
    assert math.isnan(summary.mean)
    assert (summary.count, summary.undefined) == (3, 1)


def test_identical_frames_are_left_out_and_counted() -> None:
    summary = summary_of([30.0, math.inf, 31.0, math.inf])
    assert (summary.mean, summary.deviation) == (30.5, 0.5)
    assert (summary.count, summary.undefined, summary.exact) == (2, 0, 2)
    assert summary_of([math.inf]).mean == math.inf


def test_no_values() -> None:
    assert summary_of([]).count == 0
    assert math.isnan(summary_of([]).mean)


def test_a_region_is_averaged_over_the_frames_that_have_it() -> None:
    running = RunningScores()
    running.add({"frame": {"psnr": 20.0}, "face": {"ssim": 0.25}})
    running.add({"frame": {"psnr": 30.0}})
    table = running.summaries()
    assert table["frame"]["psnr"].mean == 25
    assert table["frame"]["psnr"].deviation == 5
    assert table["face"]["ssim"].mean == 0.25
    assert table["face"]["ssim"].count == 1
