"""Lists of videos in shards that are killed, and on a Ray that loses a worker: the same bytes?

    python tools/measure_batch.py --clips 40 --shards 4

One list of small clips (the sample person, three frames of shipped motions, the coarse renderer at
64 pixels) is animated four times: in one run; in shards side by side, each of which is killed once
by SIGKILL at a random moment and started again; by a local Ray of two workers, one of which is
killed; and a few of its clips by commands of their own. All must be the same files, and the
reports of the lists too. Without Ray that part is left out. Exits with 1 if anything differs.
"""

import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from bdmm.media.motion_file import load_shipped, save_motion

SAMPLE = Path(__file__).resolve().parents[1] / "src" / "bdmm" / "assets" / "samples" / "person.jpg"
MOTIONS = ("walk", "dance", "squat", "wave")
FRAMES = 3
LOOK = ("--renderer", "coarse", "--size", "64", "--quiet")
TASK = b"ray::_do"
"""Name of a Ray worker's process while it does an item."""
_STEP_SECONDS = 0.05
_LONGEST_SECONDS = 900


@dataclass
class Options:
    """How much to try."""

    clips: int = 40
    """Lines of the list."""
    shards: int = 4
    """Parts that work side by side."""
    workers: int = 2
    """Workers of the local Ray."""
    singles: int = 2
    """Clips that are also made by a command of their own."""
    seed: int = 0
    """Decides the moments of the kills."""


def main(options: Options) -> int:
    """Try it and print what came of it."""
    moments = random.Random(options.seed)
    table = Table("what", "killed after", "seconds", "files the same", "report the same")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = write_list(folder, options.clips)
        seconds = time_of([animate(folder, "plain")])
        true = contents(folder / "plain")
        assert len(true) == options.clips + 1, "the plain run failed"
        rows = [("one run", "", seconds, true)]
        began = time.monotonic()
        killed = run_shards(folder, options.shards, options.clips, moments)
        rows.append((f"{options.shards} shards", killed, time.monotonic() - began,
                     contents(folder / "shards")))  # fmt: skip
        if find_spec("ray") is not None:
            began = time.monotonic()
            killed = run_on_ray(folder, options.workers, options.clips, moments)
            rows.append((f"Ray, {options.workers} workers", killed, time.monotonic() - began,
                         contents(folder / "ray")))  # fmt: skip
        (folder / "single").mkdir()
        chosen = moments.sample(commands, options.singles)
        seconds = time_of([launch(folder, *words) for words in chosen])
        rows.append((f"{len(chosen)} commands", "", seconds, contents(folder / "single")))
        good = True
        for what, killed, seconds, found in rows:
            names = [one for one in true if one != "report.json"]
            wanted = names if "report.json" in found else list(found)
            same = sum(found.get(one) == true[one] for one in wanted)
            report = {True: "yes", False: "no"}[found.get("report.json") == true["report.json"]]
            report = report if "report.json" in found else "none"
            table.add_row(what, killed, f"{seconds:.0f}", f"{same} of {len(wanted)}", report)
            good &= same == len(wanted) and report != "no"
    Console(width=100).print(table)
    return 0 if good else 1


def write_list(folder: Path, clips: int) -> list[list[str]]:
    """Write the list and its inputs; return the words of a command for each line."""
    assert time_of([launch(folder, "person", str(SAMPLE), "-o", "sample.person")])
    commands = []
    with (folder / "jobs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("photo", "driver", "output"))
        for number in range(clips):
            motion = load_shipped(MOTIONS[number % len(MOTIONS)])
            start = number * 7 % (len(motion) - FRAMES)
            save_motion(folder / f"{number}.motion", motion[start : start + FRAMES])
            inputs = ("sample.person", f"{number}.motion")
            rows.writerow((*inputs, f"{number}.mp4"))
            commands.append(["animate", *inputs, "-o", f"single/{number}.mp4", *LOOK])
    return commands


def run_shards(folder: Path, count: int, clips: int, moments: random.Random) -> str:
    """Run all shards side by side, kill each once, run it again; return how far each had come."""
    numbers = range(1, count + 1)
    running = {one: animate(folder, "shards", "--shard", f"{one}/{count}") for one in numbers}
    lines = {one: range(one - 1, clips, count) for one in numbers}
    due = {one: moments.randrange(len(lines[one]) - 1) for one in numbers}
    killed = dict.fromkeys(numbers, "-")
    for _ in waiting():
        for one in [one for one in numbers if killed[one] == "-"]:
            done = sum(recorded(folder / "shards", f"{line}.mp4") for line in lines[one])
            if running[one].poll() is not None:
                killed[one] = "ended"
            elif done >= due[one]:
                time.sleep(moments.uniform(0, 0.3))
                running[one].kill()
                running[one].wait()
                killed[one] = str(done)
                running[one] = animate(folder, "shards", "--shard", f"{one}/{count}")
        if "-" not in killed.values():
            break
    time_of(running.values())
    return ", ".join(killed.values())


def run_on_ray(folder: Path, workers: int, clips: int, moments: random.Random) -> str:
    """Run the list on a local Ray, kill a worker at work; return how far it had come."""
    process = animate(folder, "ray", "--distributor", "ray", workers=workers)
    due, killed = moments.randrange(clips // 4, clips // 2), ""
    for _ in waiting():
        done = sum(recorded(folder / "ray", f"{line}.mp4") for line in range(clips))
        found = sorted(tasks(process.pid)) if done >= due else []
        if found:
            os.kill(moments.choice(found), signal.SIGKILL)
            killed = str(done)
        if killed or process.poll() is not None:
            break
    time_of([process])
    return killed or "not killed"


def animate(folder: Path, output: str, *more: str, workers: int = 1) -> subprocess.Popen:
    """Start the command for the list."""
    words = ("animate", "--batch", "jobs.csv", "-o", output, "--workers", str(workers))
    return launch(folder, *words, *LOOK, *more)


def launch(folder: Path, *words: str) -> subprocess.Popen:
    """Start a command in a folder; PyTorch works on one thread, as in a list."""
    command = [sys.executable, "-m", "bdmm", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)


def time_of(processes: Iterable[subprocess.Popen]) -> float:
    """Wait for processes that must succeed; return the seconds."""
    began = time.monotonic()
    for process in processes:
        assert process.wait(_LONGEST_SECONDS) == 0, process.args
    return time.monotonic() - began


def waiting() -> Iterator[None]:
    """Yield now and then, for as long as one may wait."""
    until = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < until:
        yield
        time.sleep(_STEP_SECONDS)


def recorded(folder: Path, name: str) -> bool:
    """Return whether an item has ended."""
    return (folder / "records" / f"{name}.json").exists()


def tasks(ancestor: int) -> Iterator[int]:
    """Yield the Ray workers at work below a process."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith(TASK) and ancestor in parents(path):
                yield int(path.name)
        except OSError:
            continue


def parents(path: Path) -> Iterator[int]:
    """Yield the numbers of a process's parents."""
    while path.name not in ("0", "1"):
        number = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        yield number
        path = path.parent / str(number)


def contents(folder: Path) -> dict[str, str]:
    """Return name -> SHA-256 of the files of a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
