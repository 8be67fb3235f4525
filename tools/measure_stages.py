"""What each stage of `bdmm animate` costs with each preset, for the estimates of the service.

    python tools/measure_stages.py PHOTO CLIP

Prints the processor seconds at which each stage started and ended, and those of a frame. The
figures of `src/bdmm/serve/time_left.py` are those of the sample person and the sample clip of 90
frames.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import tyro

TICKS = os.sysconf("SC_CLK_TCK")


def main(
    photo: Annotated[Path, tyro.conf.Positional],
    clip: Annotated[Path, tyro.conf.Positional],
    presets: tuple[str, ...] = ("fast", "standard", "fine"),
) -> None:
    """Animate once with each preset and print the table."""
    for preset in presets:
        print(preset)
        with tempfile.TemporaryDirectory() as folder:
            words = ["animate", str(photo), str(clip), "--preset", preset, "-o", f"{folder}/a.mp4"]
            for stage, (start, end, frames) in measure(words).items():
                each = f"{(end - start) / frames:8.3f} s per frame" if frames > 1 else ""
                print(f"  {start:7.1f} to {end:7.1f} s  {stage:<36}{each}")


def measure(words: list[str]) -> dict[str, tuple[float, float, int]]:
    """Return stage -> processor seconds at its start and end, and its steps."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bdmm", *words],
        env={**os.environ, "BDMM_PROGRESS": "json"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    stages: dict[str, tuple[float, float, int]] = {}
    for line in process.stderr:
        if line.startswith("{"):
            said, now = json.loads(line), seconds(process.pid)
            start = stages.get(said["stage"], (now,))[0]
            stages[said["stage"]] = start, now, said["total"] or 1
    assert process.wait() == 0
    return stages


def seconds(number: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    tyro.cli(main)
