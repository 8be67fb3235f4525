"""`bdmm evaluate`, `bdmm score` and `bdmm table`: reports, tables, wrong options."""

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
    first = bdmm("score", "ours", "true", "-o", "one", "--workers", "0")
    assert first.code == 0
    assert "| ours | " in first.out
    assert "not computed: needs" in first.err
    assert {"one/report.json", "one/report.html"} <= first.new_files
    bdmm("score", "same=true", "true", "-o", "two", "--workers", "0")
    both = bdmm("table", "ours=one", "same=two", "-o", "table")
    assert both.code == 0
    assert "| same | **1.0000** | **∞** |" in both.out
    assert both.new_files == {"table", "table/table.md", "table/table.tex", "table/table.html"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("evaluate", "--data", "true", "--first", "0"), "The number of first frames is 0"),
        (("evaluate", "--data", "true", "--limit", "0"), "The limit is 0"),
        (("evaluate", "--data", "true"), "true holds no prepared clips"),
        (("evaluate", "--data", "true", "--weights", "gone"), "no weights at gone"),
        (("score", "ours", "gone"), "gone does not exist"),
        (("score", "gone"), "gone does not exist"),
        (("score", "ours", "true", "--vgg", "gone"), "VGG-19 weights are not at"),
        (("score", "ours", "true", "--features-every", "0"), "it must be 1 or more"),
        (("score", "ours", "true", "--workers", "-1"), "number of workers is -1"),
        (("table", "a=gone"), "gone does not exist"),
        (("table", "gone"), "not of the form NAME=REPORT"),
    ],
)
def test_wrong_options_are_named_before_the_work(
    bdmm: Callable, frames: Path, arguments: tuple[str, ...], said: str
) -> None:
    outcome = bdmm(*arguments, "-o", "report")
    assert outcome.code == 2
    assert said in outcome.sentence
    assert not any(name.endswith(".html") for name in outcome.new_files)
