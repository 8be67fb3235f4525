"""Jobs on a Ray that is started here."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs the extra ray")
import ray

from bdmm.batch.ray_cluster import LOCAL
from bdmm.errors import InputError
from bdmm.serve.ray_job import RayJob, connect
from bdmm.serve.settings import Limits

pytestmark = pytest.mark.slow
LIMITS = Limits()
LONG = ["synth", "-o", "clips", "--clips", "1000"]


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    connect(LOCAL)
    yield
    ray.shutdown()


def processes(folder: Path) -> list[int]:
    """Return the processes that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").resolve() == folder.resolve():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def wait_for(folder: Path, there: bool) -> list[int]:
    until = time.monotonic() + 120
    while time.monotonic() < until and bool(processes(folder)) != there:
        time.sleep(0.2)
    return processes(folder)


def test_a_job_succeeds_or_says_why_not(tmp_path):
    assert RayJob(tmp_path, ["version"], LIMITS).wait() == ""
    wrong = RayJob(tmp_path, ["animate", "no.jpg", "-o", "a.mp4"], LIMITS)
    assert wrong.wait() == "Give either a driver or --motion NAME."


def test_a_job_that_is_killed_leaves_no_process(tmp_path):
    job = RayJob(tmp_path, LONG, LIMITS)
    assert wait_for(tmp_path, there=True)
    job.kill()
    assert job.wait() == "The job was ended."
    assert wait_for(tmp_path, there=False) == []


def test_a_job_whose_worker_is_lost_is_started_again(tmp_path):
    job = RayJob(tmp_path, LONG, Limits(seconds=20.0))
    (process,) = wait_for(tmp_path, there=True)
    parent = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert job.wait().startswith("The job took more than 0.333 minutes")
    assert job.progress.stage


def test_nobody_answers():
    ray.shutdown()
    with pytest.raises(InputError, match=r"No Ray cluster can be reached at 127\.0\.0\.1:1"):
        connect("127.0.0.1:1")
