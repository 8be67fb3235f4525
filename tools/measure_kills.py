"""Kills commands at random moments, reruns them, and prints what was left.

    python tools/measure_kills.py --kills 50

Each command runs twice undisturbed. Then, in new folders, it is killed at a random moment by
SIGKILL, SIGHUP (as a closed terminal sends it, to all its processes) or SIGTERM in turn, and rerun
at once. Processes are forked from this one, which has imported all that they need: most moments
are moments of work. `animate` finds the person of its photo once, in the first run. "half-written"
counts clips, reports, videos, checkpoints and weights that look finished and are not; "rerun
failed" and "rerun differs" compare the rerun with the undisturbed run, file by file (of `train`
without the log and its curves, which hold times); "left behind" counts temporary files and locks
after the rerun; "finished first" counts runs that ended before the kill.
Exits with 1 if anything but the last is found.
"""

import hashlib
import json
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import torch
import tyro
from rich.console import Console
from rich.table import Table

from bdmm.cli import app, preview  # noqa: F401
from bdmm.data import prepare, synth  # noqa: F401
from bdmm.data.clip_batch import CLIPS
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError
from bdmm.files.tensor_files import read_safetensors
from bdmm.inference import animate, source_view  # noqa: F401
from bdmm.media.image import read_image
from bdmm.media.motion_file import load_shipped, save_motion
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import create_video
from bdmm.training import start  # noqa: F401

SIGNALS = (signal.SIGKILL, signal.SIGHUP, signal.SIGTERM)
FAULTS = ("half-written", "rerun failed", "rerun differs", "left behind")
SAMPLES = Path("src") / "bdmm" / "assets" / "samples"
TIMED = ("log.jsonl", "tensorboard")
"""What `train` writes with times in it."""


@dataclass(frozen=True)
class Subject:
    """A command to kill.

    Attributes:
        arguments: of the command line, without the output.
        output: what is written in the folder of a run; empty for the folder itself.
        batch: it has worker processes and prepared clips.
        once: a finished output is refused, so that a killed run is rerun only if it wasn't.
    """

    arguments: Sequence[str]
    output: str = ""
    batch: bool = False
    once: bool = False


@dataclass
class Options:
    """What to kill and how often."""

    commands: tuple[str, ...] = ("animate", "frames", "prepare", "train", "synth")
    """Commands; "frames" is `animate` into a folder of PNG files."""
    kills: int = 50
    """Kills of each command."""
    workers: tuple[int, ...] = (0, 0, 0, 1)
    """Numbers of worker processes of `prepare` and `synth`, in turn."""
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
        reader = VideoReader(SAMPLES / "dance.mp4", max_side=160)
        pictures = list(islice(reader, 6))
        for video in ("a", "b"):
            with create_video(videos / f"{video}.mp4", reader.fps) as writer:
                for picture in pictures:
                    writer.write(picture)
    if "animate" in commands or "frames" in commands:
        save_motion(folder / "short.motion", load_shipped("wave")[:48])
        for name in ("detect_photo", "prepare_source"):
            setattr(source_view, name, done_once(getattr(source_view, name), folder / name))
    small = ["--size", "64", "--sources", "1"]
    rendered = ["synth", *small, "--frames", "4"]
    photo = [str(SAMPLES / "person.jpg"), str(folder / "short.motion")]
    moving = ["animate", *photo, "--size", "64", "--renderer", "coarse"]
    quick = ["--steps", "3", "--save-every", "1", "--windows", "1", "--preset", "layered"]
    clips = folder / "clips"
    subjects = {
        "animate": Subject(moving, "video.mp4"),
        "frames": Subject(moving, "pictures", once=True),
        "prepare": Subject(["prepare", str(videos), *small, "--unrefined"], batch=True),
        "train": Subject(
            [
                "train",
                "--data",
                str(clips),
                *quick,
                "--without",
                "perceptual",
                "style",
                "contextual",
            ]
        ),
        "synth": Subject([*rendered, "--clips", "3"], batch=True),
    }
    if "train" in commands:
        assert ended(launch(Subject([*rendered, "--clips", "2"]), clips, None)) == 0
    return {name: subjects[name] for name in commands}


def done_once(function: Callable[..., Any], path: Path) -> Callable[..., Any]:
    """Return a function that keeps its first result in a file, for all processes."""

    def kept(*arguments: Any) -> Any:
        if not path.exists():
            path.write_bytes(pickle.dumps(function(*arguments)))
        return pickle.loads(path.read_bytes())

    return kept


def half_written(output: Path) -> int:
    """Count files that look finished and are damaged."""
    count = 0
    for path in visible(output):
        try:
            if path.name == "clip.json":
                PreparedClip(path.parent).verify()
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".safetensors":
                read_safetensors(path)
            elif path.suffix == ".mp4" and CLIPS not in path.parts:
                assert sum(1 for _ in VideoReader(path)) > 0
            elif path.suffix == ".png":
                read_image(path)
        except (AssertionError, InputError, ValueError):
            count += 1
    return count


def measured(subject: Subject, folder: Path, options: Options) -> Counter[str]:
    """Kill and rerun a command again and again."""
    folder.mkdir()
    moments = random.Random(options.seed)
    found = Counter[str]()
    spans, straight = {}, {}
    turns = options.workers if subject.batch else (None,)
    for workers in dict.fromkeys(turns):
        undisturbed = []
        for time_of_it in range(2):
            output = folder / f"straight-{workers}-{time_of_it}"
            began = time.monotonic()
            assert ended(launch(subject, output, workers)) == 0, "the undisturbed run failed"
            spans[workers] = time.monotonic() - began
            undisturbed.append(contents(output))
        assert undisturbed[0] == undisturbed[1], "two undisturbed runs differ"
        straight[workers] = undisturbed[0]
    print(f"{subject.arguments[0]}: {max(spans.values()):.1f} s undisturbed", flush=True)
    for number in range(options.kills):
        workers = turns[number % len(turns)]
        kind = SIGNALS[number % len(SIGNALS)]
        output = folder / str(number)
        process = launch(subject, output, workers)
        time.sleep(moments.uniform(0, spans[workers]))
        ending = os.waitpid(process, os.WNOHANG)[0]
        found["finished first"] += ending != 0
        if not ending:
            (os.killpg if kind == signal.SIGHUP else os.kill)(process, kind)
            ended(process)
        found["kills"] += 1
        found[signal.Signals(kind).name] += 1
        found["half-written"] += half_written(output)
        if not (subject.once and (output / subject.output).exists()):
            found["rerun failed"] += ended(launch(subject, output, workers)) != 0
        after = contents(output)
        if after != straight[workers]:
            found["rerun differs"] += 1
            print(number, sorted(name for name in {*after, *straight[workers]}
                                 if after.get(name) != straight[workers].get(name)))  # fmt: skip
        hidden = [str(path.relative_to(output)) for path in output.rglob(".*")]
        found["left behind"] += len(hidden)
        if hidden:
            print(number, "left behind:", hidden)
        shutil.rmtree(output)
        print(f"{subject.arguments[0]}: {dict(found)}", file=sys.stderr, flush=True)
    return found


def launch(subject: Subject, folder: Path, workers: int | None) -> int:
    """Start the command in a group of processes of its own; return its number."""
    folder.mkdir(exist_ok=True)
    words = [*subject.arguments, "-o", str(folder / subject.output), "--quiet"]
    if workers is not None:
        words += ["--workers", str(workers)]
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


def visible(folder: Path) -> list[Path]:
    """Return the files of a folder that are no temporary ones."""
    inside = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return [folder / path for path in inside if not any(one[0] == "." for one in path.parts)]


def contents(folder: Path) -> dict[str, str]:
    """Return the checksums of the files of a folder that hold no times."""
    names = [path.relative_to(folder) for path in visible(folder)]
    return {
        str(name): hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in names
        if name.parts[0] not in TIMED
    }


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)) > 0)
