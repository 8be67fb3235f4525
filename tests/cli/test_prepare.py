"""`bdmm prepare` and `bdmm synth`: each kind of bad input, one sentence, exit code 2."""

import resource
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bdmm.media.video_writer import create_video


def refused(outcome, *words: str) -> None:
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err


@pytest.fixture
def nobody(tmp_path: Path) -> Path:
    """A folder with a video without anybody."""
    (tmp_path / "videos").mkdir()
    with create_video(tmp_path / "videos" / "grey.mp4", Fraction(10)) as video:
        for _ in range(6):
            video.write(np.full((48, 48, 3), 90, np.uint8))
    return tmp_path / "videos"


def test_inputs_that_hold_nothing(bdmm, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(bdmm("prepare", "nowhere", "-o", "out"), "nowhere does not exist")
    refused(bdmm("prepare", "empty", "-o", "out"), "empty holds no videos")
    (tmp_path / "empty" / "a.jpg").touch()
    refused(bdmm("prepare", "empty", "-o", "out"), "holds pictures, but no videos")
    assert not (tmp_path / "out").exists()


def test_not_one_clip_could_be_prepared(bdmm, nobody: Path) -> None:
    outcome = bdmm("prepare", nobody, "-o", "out", "--workers", "0", "--quiet")
    refused(outcome, "  grey  Nobody is seen", "No clip could be made")
    assert {"out/report.json", "out/recipe.json"} <= outcome.new_files


def test_options_out_of_range(bdmm, nobody: Path, tmp_path: Path) -> None:
    for name, value, words in (
        ("--size", "33", "even number"),
        ("--sources", "-1", "number of sources"),
        ("--workers", "-1", "number of workers"),
        ("--limit", "0", "limit"),
        ("--fps", "nan", "rate"),
        ("--split", "test", "no clips of the split test"),
    ):
        refused(bdmm("prepare", nobody, "-o", "out", name, value), words)
    assert not (tmp_path / "out").exists()


def test_synth_options_out_of_range(bdmm, tmp_path: Path) -> None:
    refused(bdmm("synth", "-o", "out", "--clips", "0"), "number of clips")
    refused(bdmm("synth", "-o", "out", "--bvh", "nowhere"), "nowhere does not exist")
    (tmp_path / "moves").mkdir()
    refused(bdmm("synth", "-o", "out", "--bvh", "moves"), "holds no .bvh files")
    (tmp_path / "file").touch()
    refused(bdmm("synth", "-o", "file", "--clips", "1", "--workers", "0"), "is a file")
    refused(bdmm("synth", "-o", "no/out", "--clips", "1", "--workers", "0"), "does not exist")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_full_disk_keeps_finished_clips_and_nothing_else(bdmm, tmp_path: Path) -> None:
    options = ("synth", "-o", "out", "--size", "64", "--frames", "4", "--sources", "1",
               "--workers", "0", "--quiet")  # fmt: skip
    assert bdmm(*options, "--clips", "1").code == 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    try:
        outcome = bdmm(*options, "--clips", "3")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    refused(outcome, "could not be written", "run the same command again")
    assert [path.name for path in (tmp_path / "out" / "clips").iterdir()] == ["0000-000000"]
    outcome = bdmm(*options, "--clips", "3")
    assert outcome.code == 0
    assert "3 clips (2 new)" in outcome.out
