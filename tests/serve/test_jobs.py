from pathlib import Path

import pytest

from bdmm.serve.jobs import MAX_ATTEMPTS, JobStore, Kind, QueueFullError, State


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs.sqlite")


def add(store: JobStore, *names: str, most: int = 100) -> None:
    for name in names:
        store.add(name, Kind.ANIMATION, ["version"], most)


def test_jobs_are_taken_in_the_order_in_which_they_came(store):
    add(store, "a", "b", "c")
    assert store.position(store.get("c")) == 2
    assert [store.claim(Kind.ANIMATION).id for _ in range(3)] == ["a", "b", "c"]
    assert store.claim(Kind.ANIMATION) is None
    assert store.claim(Kind.INSPECTION) is None


def test_no_more_wait_than_may(store):
    add(store, "a", "b", most=2)
    with pytest.raises(QueueFullError):
        add(store, "c", most=2)
    store.claim(Kind.ANIMATION)
    add(store, "c", most=2)
    store.cancel("b")
    add(store, "d", most=2)
    assert store.counts() == {
        (Kind.ANIMATION, State.CANCELLED): 1,
        (Kind.ANIMATION, State.QUEUED): 2,
        (Kind.ANIMATION, State.RUNNING): 1,
    }


def test_a_job_that_was_cancelled_stays_so(store):
    add(store, "a")
    store.claim(Kind.ANIMATION)
    assert store.cancel("a")
    assert not store.cancel("a")
    store.finish("a", State.DONE)
    assert store.get("a").state == State.CANCELLED


def test_what_a_killed_server_was_doing_is_done_again_but_not_for_ever(store, tmp_path):
    add(store, "a")
    for attempt in range(MAX_ATTEMPTS):
        assert store.claim(Kind.ANIMATION).attempts == attempt + 1
        store = JobStore(tmp_path / "jobs.sqlite")  # the first is left as by a kill
        store.recover()
    assert store.get("a").state == State.FAILED
    assert store.get("a").message == "The server ended 3 times during this job."


def test_a_job_that_is_put_back_has_lost_no_attempt(store):
    add(store, "a")
    store.claim(Kind.ANIMATION)
    store.put_back("a")
    assert (store.get("a").state, store.get("a").attempts) == (State.QUEUED, 0)


def test_old_jobs_are_found_and_forgotten(store):
    add(store, "a", "b")
    store.claim(Kind.ANIMATION)
    store.finish("a", State.FAILED, "why", ["a notice"])
    job = store.get("a")
    assert (job.message, job.notices, job.words) == ("why", ("a notice",), ("version",))
    assert store.names(job.ended + 1) == ["a"]
    assert store.names(job.ended - 1) == []
    store.forget("a")
    assert store.names() == ["b"]
