"""Kills commands at random moments, reruns them, and prints what was left.

    python tools/measure_kills.py --kills 50

Each command runs once undisturbed. Then, in new folders, it is killed at a random moment by
SIGKILL, SIGHUP (as a closed terminal sends it, to all its processes) or SIGTERM in turn, and rerun
at once. Processes are forked from this one, which has imported all that they need: most moments
are moments of work. "half-written" counts clips and reports that look finished and are not;
"rerun failed" and "rerun differs" compare the rerun with the undisturbed run, file by file; "left
behind" counts temporary files and locks after the rerun; "finished first" counts runs that ended
before the kill.
Exits with 1 if anything but the last is found.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import torch
import tyro
from rich.console import Console
from rich.table import Table

from bdmm.cli import app
from bdmm.data import prepare, synth  # noqa: F401
from bdmm.data.clip_batch import CLIPS
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import create_video

SIGNALS = (signal.SIGKILL, signal.SIGHUP, signal.SIGTERM)
FAULTS = ("half-written", "rerun failed", "rerun differs", "left behind")
SAMPLE = Path("src") / "bdmm" / "assets" / "samples" / "dance.mp4"


@dataclass(frozen=True)
class Subject:
    """A command to kill.

    Attributes:
        arguments: of the command line, without the output.
        half_written: counts what looks finished in an output and is not.
    """

    arguments: Sequence[str]
    half_written: Callable[[Path], int]


@dataclass
class Options:
    """What to kill and how often."""

    commands: tuple[str, ...] = ("prepare", "synth")
    """Commands."""
    kills: int = 50
    """Kills of each command."""
    workers: tuple[int, ...] = (0, 0, 0, 1)
    """Numbers of worker processes, in turn."""
    seed: int = 0
    """Decides the moments."""


def main(options: Options) -> int:
    """Kill, rerun, compare, print the table; return the number of faults."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subjects = prepared(folder, options.commands)
        for command, subject in subjects.items():
            rows[command] = measured(subject, folder / command, options)
    columns = ("kills", *(signal.Signals(one).name for one in SIGNALS), "finished first", *FAULTS)
    table = Table("command", *columns)
    for command, row in rows.items():
        table.add_row(command, *(str(row[column]) for column in columns))
    Console(width=150).print(table)
    return sum(row[fault] for row in rows.values() for fault in FAULTS)


def prepared(folder: Path, commands: Sequence[str]) -> dict[str, Subject]:
    """Return the commands by name, their inputs made."""
    videos = folder / "videos"
    videos.mkdir()
    if "prepare" in commands:
        reader = VideoReader(SAMPLE, max_side=160)
        pictures = list(islice(reader, 6))
        for video in ("a", "b"):
            with create_video(videos / f"{video}.mp4", reader.fps) as writer:
                for picture in pictures:
                    writer.write(picture)
    words = {
        "prepare": ["prepare", str(videos), "--size", "64", "--sources", "1", "--unrefined"],
        "synth": ["synth", "--clips", "3", "--size", "64", "--frames", "4", "--sources", "1"],
    }
    return {name: Subject(words[name], half_written_clips) for name in commands}


def half_written_clips(output: Path) -> int:
    """Count clips that look finished and are damaged, and JSON files that cannot be read."""
    count = 0
    for clip in (output / CLIPS).glob("[!.]*"):
        try:
            PreparedClip(clip).verify()
        except InputError:
            count += 1
    for path in output.glob("[!.]*.json"):
        try:
            json.loads(path.read_text())
        except ValueError:
            count += 1
    return count


def measured(subject: Subject, folder: Path, options: Options) -> Counter[str]:
    """Kill and rerun a command again and again."""
    folder.mkdir()
    moments = random.Random(options.seed)
    found = Counter[str]()
    spans, straight = {}, {}
    for workers in sorted(set(options.workers)):
        output = folder / f"straight-{workers}"
        start = time.monotonic()
        assert ended(begin(subject, output, workers)) == 0, "the undisturbed run failed"
        spans[workers] = time.monotonic() - start
        straight[workers] = contents(output)
    for number in range(options.kills):
        workers = options.workers[number % len(options.workers)]
        kind = SIGNALS[number % len(SIGNALS)]
        output = folder / str(number)
        process = begin(subject, output, workers)
        time.sleep(moments.uniform(0, spans[workers]))
        ending = os.waitpid(process, os.WNOHANG)[0]
        found["finished first"] += ending != 0
        if not ending:
            (os.killpg if kind == signal.SIGHUP else os.kill)(process, kind)
            ended(process)
        found["kills"] += 1
        found[signal.Signals(kind).name] += 1
        found["half-written"] += subject.half_written(output)
        found["rerun failed"] += ended(begin(subject, output, workers)) != 0
        after = contents(output)
        if after != straight[workers]:
            found["rerun differs"] += 1
            print(number, sorted(name for name in {*after, *straight[workers]}
                                 if after.get(name) != straight[workers].get(name)))  # fmt: skip
        found["left behind"] += sum(1 for _ in output.rglob(".*"))
    return found


def begin(subject: Subject, output: Path, workers: int) -> int:
    """Start the command in a group of processes of its own; return its number."""
    words = [*subject.arguments, "-o", str(output), "--workers", str(workers), "--quiet"]
    process = os.fork()
    if process == 0:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os._exit(app.main(words))
    return process


def ended(process: int) -> int:
    """Wait for a process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder that are no temporary ones."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)) > 0)
