import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bdmm.serve.job_process import LOG, JobProcess
from bdmm.serve.settings import GIB, MIB, Limits

LIMITS = Limits()
LONG = ["synth", "-o", "clips", "--clips", "1000"]


def test_a_job_that_succeeds_has_no_reason(tmp_path):
    process = JobProcess(tmp_path, ["version"], LIMITS)
    assert process.wait() == ""
    assert process.notices == ()


def test_a_mistake_is_told_in_the_command_lines_sentence(tmp_path):
    process = JobProcess(tmp_path, ["animate", "no.jpg", "-o", "a.mp4"], LIMITS)
    assert process.wait() == "Give either a driver or --motion NAME."
    assert process.notices == ()


def test_a_job_that_takes_too_long_is_ended(tmp_path):
    process = JobProcess(tmp_path, LONG, Limits(seconds=0.2))
    assert process.wait().startswith("The job took more than 0.00333 minutes")


def test_a_job_that_is_killed_says_so(tmp_path):
    process = JobProcess(tmp_path, LONG, LIMITS)
    process.kill()
    process.kill()
    assert (
        process.wait()
        == f"The job's process ended with signal 9; its operator finds more in {LOG}."
    )


def test_a_job_that_takes_too_much_memory_is_ended(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"")
    limits = Limits(memory_bytes=60 * MIB)
    words = ["inspect", "photo.png", "-o", "seen.png"]
    assert JobProcess(tmp_path, words, limits).wait() == (
        "The job needed more than 0.0586 GiB of memory and was ended: send smaller files or a "
        "smaller size."
    )
    assert limits.memory_bytes < GIB


def test_modules_in_a_jobs_folder_are_not_imported(tmp_path):
    (tmp_path / "torch.py").write_text("raise SystemExit(7)")
    (tmp_path / "bdmm.py").write_text("raise SystemExit(7)")
    assert JobProcess(tmp_path, ["version"], LIMITS).wait() == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux ends children with parents")
def test_a_job_ends_with_a_server_that_is_killed(tmp_path):
    program = (
        "from pathlib import Path; from bdmm.serve.job_process import JobProcess;"
        "from bdmm.serve.settings import Limits;"
        f"p = JobProcess(Path({str(tmp_path)!r}), {LONG}, Limits());"
        "print(p._process.pid, flush=True); p.wait()"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    job = int(server.stdout.readline())
    time.sleep(0.5)
    server.send_signal(signal.SIGKILL)
    server.wait()
    until = time.monotonic() + 30
    while time.monotonic() < until and _lives(job):
        time.sleep(0.05)
    assert not _lives(job)


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    os.kill(process, 0)
    return state != "Z"
