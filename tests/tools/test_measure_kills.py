"""Killed at random moments and rerun: nothing half-written, the same bytes, nothing left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["frames", "prepare", "synth", "train"])
def test_a_rerun_after_a_kill_is_the_undisturbed_run(command: str) -> None:
    program = [sys.executable, "tools/measure_kills.py", "--kills", "3", "--commands", command]
    path = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [*program, "--workers", "0"],
        cwd=ROOT,
        env=path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
