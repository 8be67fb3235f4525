"""A list of items worked through: parts, records, and what is done again."""

import json
import sys
from pathlib import Path

import pytest

from bdmm.batch.run import Run, Shard, work_through
from bdmm.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))
from batch_jobs import Task, do


def walk(folder: Path, tasks: list[Task], shard: str = "1/1", overwrite: bool = False):
    log: list[str] = []

    def work(task: Task) -> str:
        log.append(task.name)
        return do(task)

    ended = work_through(
        Run(folder, overwrite=overwrite, shard=Shard.named(shard)),
        tasks,
        work,
        finished=lambda task, record: record is not None and record.done,
        clear=lambda task: None,
        stage="Working",
    )
    return ended, log


def test_every_item_leaves_a_record(tmp_path: Path) -> None:
    tasks = [Task("a"), Task("b", "wrong"), Task("c", "noted")]
    ended, _ = walk(tmp_path, tasks)
    assert [(one.name, one.done) for one in ended.records] == [
        ("a", True),
        ("b", False),
        ("c", True),
    ]
    assert (ended.made, len(ended.failed)) == (2, 1)
    kept = [json.loads((tmp_path / "records" / f"{name}.json").read_text()) for name in "abc"]
    assert [one["state"] for one in kept] == ["done", "failed", "done"]
    assert (kept[0]["result"], kept[1]["reason"]) == ("a done", "b is wrong.")
    assert kept[2]["notes"] == ["c is odd."]


def test_a_rerun_does_what_is_missing_or_failed(tmp_path: Path) -> None:
    tasks = [Task("a"), Task("b", "wrong"), Task("c")]
    first, _ = walk(tmp_path, tasks)
    (tmp_path / "records" / "c.json").unlink()
    again, log = walk(tmp_path, tasks)
    assert log == ["b", "c"]
    assert again.records == first.records
    _, log = walk(tmp_path, tasks, overwrite=True)
    assert log == ["a", "b", "c"]


def test_an_item_that_ended_before_its_record_was_written_gets_one(tmp_path: Path) -> None:
    ended = work_through(
        Run(tmp_path), [Task("a")], do, lambda task, record: True, lambda task: None, "Working"
    )
    assert ended.made == 0
    kept = json.loads((tmp_path / "records" / "a.json").read_text())
    assert kept == {"state": "done", "name": "a", "reason": "", "notes": [], "result": None}


def test_the_parts_of_a_list_are_the_list() -> None:
    items = [Task(str(number)) for number in range(11)]
    parts = [Shard(number, 4).part(items) for number in (1, 2, 3, 4)]
    assert sorted(int(one.name) for part in parts for one in part) == list(range(11))
    assert [len(part) for part in parts] == [3, 3, 3, 2]
    assert Shard(12, 12).part(items) == []
    assert Shard.named("2/8") == Shard(2, 8)


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "-1/2", "1/0", "1/2/3"])
def test_parts_that_do_not_exist(text: str) -> None:
    with pytest.raises(InputError, match="shard"):
        Shard.named(text)
