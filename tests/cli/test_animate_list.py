"""`bdmm animate --batch`: lists of videos, checked whole, resumed, in parts."""

import json
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from bdmm.media.motion_file import load_shipped, save_motion

OPTIONS = ("-o", "out", "--workers", "0", "--size", "64", "--renderer", "coarse", "--quiet")


@pytest.fixture
def animate(bdmm, quick_photo, tmp_path: Path) -> Callable:
    """Return a function that writes a list and animates it."""
    save_motion(tmp_path / "short.motion", load_shipped("wave")[:2])

    def run(*lines: str, header: str = "photo,driver,output,background", more=()):
        (tmp_path / "jobs.csv").write_text("\n".join((header, *lines)) + "\n")
        return bdmm("animate", "--batch", "jobs.csv", *OPTIONS, *more)

    return run


def line(name: str, colour: str = "", photo: str = "photo.png") -> str:
    return f"{photo},short.motion,{name},{colour}"


def test_a_list_becomes_a_folder_of_videos(animate, bdmm, tmp_path: Path) -> None:
    outcome = animate(line("a.mp4", "red"), line("b", "blue"))
    assert outcome.code == 0
    assert outcome.out.startswith("out: 2 videos (2 new), in")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["done"] == 2
    single = ("--background", "red", "--size", "64", "--renderer", "coarse", "--quiet")
    assert bdmm("animate", "photo.png", "short.motion", "-o", "one.mp4", *single).code == 0
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "out" / "a.mp4").read_bytes()
    assert len(list((tmp_path / "out" / "b").iterdir())) == 2


def test_a_rerun_makes_what_is_missing_changed_or_failed(animate, tmp_path: Path) -> None:
    (tmp_path / "bad.motion").write_text("nothing")
    lines = [line("a.mp4"), line("b"), "photo.png,bad.motion,c.mp4,"]
    first = animate(*lines)
    assert first.code == 1
    assert "out: 2 videos (2 new), 1 failed" in first.out
    assert "bad.motion is" in first.err
    report = (tmp_path / "out" / "report.json").read_bytes()
    assert "(0 new), 1 failed" in animate(*lines).out
    assert (tmp_path / "out" / "report.json").read_bytes() == report
    (tmp_path / "out" / "a.mp4").unlink()
    (tmp_path / "out" / "b" / "notes.txt").touch()
    changed = animate(line("a.mp4"), line("b", "red"))
    assert (changed.code, "out/b exists already" in changed.sentence) == (2, True)
    (tmp_path / "out" / "b" / "notes.txt").unlink()
    changed = animate(line("a.mp4"), line("b", "red"))
    assert (changed.code, "2 videos (2 new)" in changed.out) == (0, True)


def test_a_full_disk_ends_the_list_and_keeps_what_is_done(animate, tmp_path: Path) -> None:
    assert animate(line("a.mp4")).code == 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    try:
        outcome = animate(line("a.mp4"), line("b.mp4"), line("c.mp4"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert outcome.code == 2
    assert "b.mp4 could not be written" in outcome.sentence
    assert "run the same command again" in outcome.sentence
    assert {path.name for path in (tmp_path / "out").glob("*.mp4")} == {"a.mp4"}


@pytest.mark.slow
def test_parts_of_a_list(animate, tmp_path: Path) -> None:
    lines = [line(f"{name}.mp4") for name in "abc"]
    part = animate(*lines, more=("--shard", "2/2"))
    assert part.code == 0
    assert "of shard 2/2, 1 are done and 0 failed; 2 of other shards" in part.out
    assert not (tmp_path / "out" / "report.json").exists()
    assert "3 videos (2 new)" in animate(*lines, more=("--shard", "1/2")).out


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([line("a.mp4"), line("a.mp4")], "line 3: another item writes a.mp4."),
        ([line("../a.mp4")], "line 2: output ../a.mp4 must be the name of a file"),
        ([line("/a.mp4")], "must be the name of a file"),
        ([line("records")], "another item writes records"),
        ([line("a.txt")], "line 2: The output out/a.txt has no known file type"),
        ([line("x" * 247 + ".mp4")], "name too long"),
        ([line("a.mp4", photo="none.png")], "line 2: none.png does not exist."),
        ([line("a.mp4"), "photo.png,,b.mp4,"], "line 3: Give either a driver or --motion"),
        ([line("")], "line 2: the output has no name."),
        ([line("a.mp4") + ",1"], "line 2 has 5 values for 4 columns."),
        (['"photo.png,short.motion,a.mp4,'], "line 2 is no CSV"),
        ([], "jobs.csv lists nothing."),
    ],
)
def test_a_broken_line_is_named_before_any_work(animate, tmp_path, lines, sentence) -> None:
    outcome = animate(*lines)
    assert outcome.code == 2
    assert sentence in outcome.sentence
    assert {path.name for path in (tmp_path / "out").glob("*")} == set()


@pytest.mark.parametrize(
    ("header", "values", "sentence"),
    [
        ("size", "big", "Error parsing --size"),
        ("size", "63", "The size is 63"),
        ("preset", "best", "invalid choice 'best'"),
        ("paste-back", "perhaps", "must be true or false"),
        ("orbit", "perhaps", "must be true or false"),
        ("workers", "2", "there is no option workers."),
        ("motion", "turn", "Give either a driver"),
        ("sheet", "s/a.png", "must be the name of a file"),
        ("crf", "1|2", "crf has 2 values and takes one."),
        ("photo", "a.png", "columns need names"),
    ],
)
def test_options_of_a_line(animate, header, values, sentence) -> None:
    columns = f"photo,driver,output,{header}"
    outcome = animate(f"photo.png,short.motion,a.mp4,{values}", header=columns)
    assert outcome.code == 2
    assert sentence in outcome.sentence


def test_a_list_of_objects_and_an_output_that_is_an_input(animate, bdmm, tmp_path: Path) -> None:
    assert animate(line("a.mp4")).code == 0
    job = {"photo": ["photo.png", "jobs.csv"], "driver": "out/a.mp4", "output": "a.mp4"}
    (tmp_path / "jobs.json").write_text(json.dumps([job]))
    outcome = bdmm("animate", "--batch", "jobs.json", *OPTIONS)
    assert outcome.code == 2
    assert "would replace an input" in outcome.sentence
    for wrong, words in (
        ("{}", "list of objects"),
        ("[1]", "item 1 is no object"),
        ("[", "JSON"),
    ):
        (tmp_path / "jobs.json").write_text(wrong)
        assert words in bdmm("animate", "--batch", "jobs.json", *OPTIONS).sentence
