"""`bdmm evaluate`: frames on disk, reports side by side, wrong options."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bdmm.media.image import write_image


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Folders ``true`` and ``ours`` of three frames each; ours are a little brighter."""
    random = np.random.default_rng(0)
    for name, brighter in (("true", 0), ("ours", 5)):
        (tmp_path / name).mkdir()
        for number in range(3):
            picture = random.integers(0, 200, (20, 20, 3)).astype(np.uint8)
            write_image(tmp_path / name / f"{number}.png", picture + np.uint8(brighter))
    return tmp_path


def test_frames_on_disk_become_a_report_and_reports_a_table(bdmm: Callable, frames: Path) -> None:
    first = bdmm("evaluate", "--frames", "ours", "--target", "true", "-o", "one", "--workers", "0")
    assert first.code == 0
    assert "| ours | " in first.out
    assert "not computed: needs" in first.err
    assert {"one/report.json", "one/report.html"} <= first.new_files
    bdmm("evaluate", "--frames", "same=true", "--target", "true", "-o", "two", "--workers", "0")
    both = bdmm("evaluate", "--compare", "ours=one", "same=two", "-o", "table")
    assert both.code == 0
    assert "| same | **1.0000** | **∞** |" in both.out
    assert both.new_files == {"table", "table/table.md", "table/table.tex", "table/table.html"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give one of --data, --frames, --compare: nothing is judged."),
        (("--data", "a", "--frames", "b"), "--data and --frames exclude each other"),
        (("--frames", "true", "--weights", "w"), "--weights goes with --data"),
        (("--data", "true", "--target", "true"), "--target goes with --frames"),
        (("--data", "true", "--first", "0"), "The number of first frames is 0"),
        (("--data", "true"), "true holds no prepared clips"),
        (("--frames", "ours", "--target", "gone"), "gone does not exist"),
        (("--compare", "a=gone"), "gone does not exist"),
        (("--frames", "ours", "--target", "true", "--vgg", "gone"), "VGG-19 weights are not at"),
    ],
)
def test_wrong_options_are_told_before_the_work(
    bdmm: Callable, frames: Path, options: tuple[str, ...], said: str
) -> None:
    outcome = bdmm("evaluate", "-o", "report", "--workers", "0", *options)
    assert outcome.code == 2
    assert said in outcome.sentence
    assert not any(name.endswith(".html") for name in outcome.new_files)
