"""Many clips into one folder: skipped when finished, reported when failed, never two at once."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from bdmm.batch.run import WHOLE, Run, Shard
from bdmm.data.clip_batch import Failure, run_batch
from bdmm.data.dataset_layouts import PrepareJob
from bdmm.errors import InputError, Unfinished
from bdmm.files.output_file import locked

RECIPE = {"size": 96}


def job(name: str) -> PrepareJob:
    return PrepareJob(name, "videos", "train", Path(f"{name}.mp4"))


def copy_clip(one: PrepareJob, folder: Path, clip: Path, log: list[str]) -> None:
    log.append(one.name)
    if one.name.startswith("bad"):
        raise InputError(f"{one.media} is bad.")
    if one.name.startswith("full"):
        raise InputError(f"{one.media} could not be written: full.") from OSError(28, "full")
    shutil.copytree(clip, folder / "clips" / one.name)


@pytest.fixture
def batch(tmp_path: Path, clip_folder: Path):
    """Return a function that runs a batch of copies and tells what was worked on."""

    def run(*names: str, overwrite=False, recipe=RECIPE, missing=(), shard=WHOLE):
        log: list[str] = []
        work = partial(copy_clip, folder=tmp_path / "out", clip=clip_folder, log=log)
        settings = Run(tmp_path / "out", overwrite=overwrite, shard=shard)
        report = run_batch(settings, recipe, [job(name) for name in names], work, missing)
        return report, log

    return run


def test_finished_clips_are_skipped(batch, tmp_path: Path) -> None:
    first, log = batch("a", "b")
    assert log == ["a", "b"]
    assert (len(first.clips), first.made) == (2, 2)
    second, log = batch("a", "b", "c")
    assert log == ["c"]
    assert (len(second.clips), second.made) == (3, 1)
    _, log = batch("a", "b", "c", overwrite=True)
    assert log == ["a", "b", "c"]
    assert not (tmp_path / "out" / ".lock").exists()


def test_a_clip_that_lost_a_file_is_made_again(batch, tmp_path: Path) -> None:
    batch("a", "b")
    (tmp_path / "out" / "clips" / "a" / "frames.mp4").unlink()
    report, log = batch("a", "b")
    assert log == ["a"]
    assert len(report.clips) == 2


def test_failures_are_reported_and_tried_again(batch, tmp_path: Path) -> None:
    report, _ = batch("a", "bad", "b", missing=[Failure("gone", "gone is not there.")])
    assert [one.name for one in report.failed] == ["bad", "gone"]
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert content["failed"][0] == {"name": "bad", "reason": "bad.mp4 is bad."}
    assert [one["name"] for one in content["clips"]] == ["a", "b"]
    before = (tmp_path / "out" / "report.json").read_bytes()
    _, log = batch("a", "bad", "b", missing=[Failure("gone", "gone is not there.")])
    assert log == ["bad"]
    assert (tmp_path / "out" / "report.json").read_bytes() == before


@pytest.mark.filterwarnings("ignore::bdmm.errors.Notice")
def test_shards_leave_the_report_of_a_whole_run(batch, tmp_path: Path) -> None:
    names, report = ("a", "bad", "b", "c"), tmp_path / "out" / "report.json"
    batch(*names)
    whole = report.read_bytes()
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(Unfinished, match=r"1 are done and 1 failed; 2 of other shards") as end:
        batch(*names, shard=Shard(2, 2))
    assert end.value.failed == 1
    assert not report.exists()
    _, log = batch(*names, shard=Shard(1, 2))
    assert log == ["a", "b"]
    assert report.read_bytes() == whole
    _, log = batch(*names, shard=Shard(2, 2))
    assert log == ["bad"], "what failed is tried again"
    (tmp_path / "out" / "records" / "bad.json").write_text("{")
    with pytest.raises(Unfinished):
        batch(*names, shard=Shard(1, 2))


def test_two_runs_of_one_shard(batch, tmp_path: Path) -> None:
    batch("a", "b")
    with locked(tmp_path / "out", Shard(1, 2).lock):
        batch("a", "b", "c", "d", shard=WHOLE)
        with pytest.raises(InputError, match=f"process {os.getpid()}"):
            batch("a", "b", shard=Shard(1, 2))


def test_a_full_disk_ends_the_batch(batch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run the same command again"):
        batch("a", "full", "z")
    assert sorted(path.name for path in (tmp_path / "out" / "clips").iterdir()) == ["a"]
    assert not (tmp_path / "out" / ".lock").exists()


def test_another_recipe_is_refused(batch) -> None:
    batch("a")
    with pytest.raises(InputError, match="size 96 instead of 128"):
        batch("a", recipe={"size": 128})
    _, log = batch("a", recipe={"size": 128}, overwrite=True)
    assert log == ["a"]
    _, log = batch("a", recipe={"size": 128})
    assert log == []


def test_a_folder_of_other_things_is_left_alone(batch, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(InputError, match="holds other things"):
        batch("a")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_an_output_that_is_a_file_or_has_no_parent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, words in ((tmp_path / "file", "is a file"), (tmp_path / "no" / "out", "not exist")):
        with pytest.raises(InputError, match=words):
            run_batch(Run(folder), RECIPE, [job("a")], lambda one: None)


def test_two_runs_into_one_folder(batch, tmp_path: Path) -> None:
    batch("a")
    with locked(tmp_path / "out"), pytest.raises(InputError, match=f"process {os.getpid()}"):
        batch("a", "b")
    _, log = batch("a", "b")
    assert log == ["b"]


def test_what_a_killed_run_left_is_taken_over_and_cleared(batch, tmp_path: Path) -> None:
    batch("a")
    (tmp_path / "out" / ".lock").write_text("999999\n")
    (tmp_path / "out" / "clips" / ".b.bdmm-abcdefgh").mkdir()
    (tmp_path / "out" / "previews" / ".b.bdmm-a1b2c3d_.jpg").touch()
    (tmp_path / "out" / ".report.bdmm-a1b2c3d_.json").touch()
    _, log = batch("a", "b")
    assert log == ["b"]
    assert list((tmp_path / "out").rglob(".*")) == []


def test_a_clip_that_is_a_link_loses_the_link_alone(batch, tmp_path: Path) -> None:
    batch("a")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "thesis.tex").touch()
    (tmp_path / "out" / "clips" / "b").symlink_to(tmp_path / "kept")
    (tmp_path / "out" / "clips" / "c").symlink_to(tmp_path / "nowhere")
    report, _ = batch("a", "b", "c")
    assert [clip["name"] for clip in report.clips] == ["a", "b", "c"]
    assert (tmp_path / "kept" / "thesis.tex").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "../../kept", "/kept"])
def test_a_name_that_leads_out_removes_nothing(batch, tmp_path: Path, name: str) -> None:
    batch("a")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(AssertionError):
        batch(name)
    assert sorted(tmp_path.rglob("*")) == before
