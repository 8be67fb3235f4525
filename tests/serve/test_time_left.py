"""The estimate of how long a job still takes."""

import pytest

from bdmm.serve.time_left import TimeLeft

WORDS = ("animate", "a.jpg", "b.mp4", "--preset", "standard")


def test_an_estimate_falls_as_the_job_goes_on_and_ends_with_rendering() -> None:
    left = TimeLeft(WORDS)
    assert left.estimate("Finding the person in a.jpg", 0, 1, 3.0, None) is None
    stages = [
        ("Finding the person in b.mp4", 1, 100, 6.0),
        ("Finding the person in b.mp4", 100, 100, 9.6),
        ("Fitting the body", 0, 100, 9.6),
        ("Refining the fit to b.mp4", 0, 1, 16.5),
        ("Rendering", 0, 100, 25.1),
    ]
    found = [left.estimate(*one, None) for one in stages]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(40, rel=0.01), "a job as fast as the one measured"
    assert left.estimate("Rendering", 50, 100, 99.0, 12.5) == 12.5


def test_a_slow_machine_doubles_the_estimate() -> None:
    one, other = (
        TimeLeft(WORDS).estimate("Finding the person in b.mp4", 50, 100, seconds, None)
        for seconds in (8.0, 16.0)
    )
    assert other == pytest.approx(2 * one)


def test_what_was_not_measured_has_no_estimate() -> None:
    finding = ("Finding the person in b.mp4", 50, 100, 8.0, None)
    assert TimeLeft((*WORDS, "--size", "64")).estimate(*finding) is None
    assert TimeLeft(("inspect", "a.jpg")).estimate(*finding) is None
    motion = TimeLeft(("animate", "a.jpg", "--motion", "turn", "--preset", "fast"))
    assert motion.estimate("Rendering", 0, 100, 9.0, None) is None
    assert motion.estimate("Rendering", 10, 100, 9.0, 7.0) == 7.0
