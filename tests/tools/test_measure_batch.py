"""Shards that are killed and a Ray that loses a worker leave the bytes of one run."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_shards_and_workers_leave_the_same_bytes() -> None:
    words = [sys.executable, "tools/measure_batch.py", "--clips", "6", "--shards", "2"]
    done = subprocess.run(
        [*words, "--singles", "1"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count("6 of 6") == (3 if find_spec("ray") else 2)
