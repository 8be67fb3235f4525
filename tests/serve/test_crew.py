import time
from pathlib import Path

from bdmm.serve.crew import Crew
from bdmm.serve.job_process import JobProcess
from bdmm.serve.jobs import Job, Kind, State
from bdmm.serve.settings import Settings


def ended(crew: Crew, job: Job) -> Job:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        now = crew.store.get(job.id)
        assert now is not None
        if now.ended is not None:
            return now
        time.sleep(0.05)
    raise TimeoutError(job.id)


def test_a_defect_ends_its_job_alone(tmp_path: Path) -> None:
    def begin(folder, words, limits):
        if words == ("bad",):
            raise RuntimeError("a defect")
        return JobProcess(folder, words, limits)

    crew = Crew(Settings(tmp_path), begin)
    crew.start()
    try:
        bad = crew.accept(Kind.ANIMATION, lambda _: ["bad"])
        good = crew.accept(Kind.ANIMATION, lambda _: ["version"])
        assert ended(crew, bad).message.startswith("A defect of the server ended this job")
        assert ended(crew, good).state == State.DONE
    finally:
        crew.stop()


def test_an_orderly_end_leaves_the_job_for_the_next_start(tmp_path: Path) -> None:
    crew = Crew(Settings(tmp_path))
    crew.start()
    job = crew.accept(Kind.ANIMATION, lambda _: ["synth", "-o", "clips", "--clips", "1000"])
    while crew.progress(job.id) is None:
        time.sleep(0.02)
    crew.stop()
    again = Crew(Settings(tmp_path))
    waiting = again.store.get(job.id)
    assert waiting is not None
    assert (waiting.state, waiting.attempts) == (State.QUEUED, 0)
    again.cancel(job.id)
    assert list((tmp_path / "jobs").iterdir()) == []
