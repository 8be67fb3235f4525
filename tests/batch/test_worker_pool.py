"""Jobs in processes of their own: whatever becomes of one, the others are done."""

import sys
from pathlib import Path

import pytest
import torch

from bdmm.batch.threads import held_threads
from bdmm.batch.worker_pool import Outcome, run_jobs

sys.path.insert(0, str(Path(__file__).parent))
from batch_jobs import Task, do

KINDS = ("good", "wrong", "defect", "good")


def names(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.job.name: outcome.result or outcome.reason for outcome in outcomes}


def test_what_fails_is_said_and_the_rest_is_done() -> None:
    tasks = [Task(f"{place}-{kind}", kind) for place, kind in enumerate(KINDS)]
    found = names(list(run_jobs(do, tasks, 0)))
    assert found["0-good"] == "0-good done"
    assert found["1-wrong"] == "1-wrong is wrong."
    assert "ZeroDivisionError" in found["2-defect"]
    assert found["3-good"] == "3-good done"


def test_threads_are_held_while_jobs_are_done() -> None:
    def counts(job: int) -> tuple[int, int]:
        return torch.get_num_threads(), held_threads()

    before = torch.get_num_threads()
    (outcome,) = run_jobs(counts, [0], 0, threads=3)
    assert outcome.result == (3, 3)
    assert counts(0) == (before, 0)


def test_a_full_disk_is_told_apart() -> None:
    (outcome,) = run_jobs(do, [Task("x", "full")], 0)
    assert outcome.no_room
    (outcome,) = run_jobs(do, [Task("x", "wrong")], 0)
    assert not outcome.no_room


@pytest.mark.slow
def test_a_process_that_dies_takes_only_its_job_with_it() -> None:
    tasks = [Task("a"), Task("b", "crash"), Task("c"), Task("d", "wrong"), Task("e")]
    found = names(list(run_jobs(do, tasks, 2)))
    assert "ended with code -9" in found["b"]
    assert [found[name] for name in "ace"] == ["a done", "c done", "e done"]
    assert found["d"] == "d is wrong."
