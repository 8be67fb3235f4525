"""Print the peak memory of `bdmm animate` for videos of several lengths, stage by stage.

    python tools/measure_long_video.py --minutes 1 6
    python tools/measure_long_video.py --clip dance.mp4 --photo person.jpg --minutes 1 10

A short clip is scaled to ``--rows`` once, if it has other ones, and then repeated packet for
packet, which costs next to nothing. Each length is animated in a process of its own (coarse, 64
pixels), whose memory is read from ``/proc`` (Linux only) while it works. RSS is the kernel's own
peak; PSS, which counts pages shared with other processes in part, is looked at every few seconds.
The last table holds each stage's growth from the shortest to the longest video, for 1000 frames,
and what an hour would take by it.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Thread

import tyro
from measure_animate import repeat
from rich.console import Console
from rich.table import Table

from bdmm.media.image import resize_image
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import create_video

SAMPLES = Path(__file__).resolve().parents[1] / "src" / "bdmm" / "assets" / "samples"
PROGRAM = "from bdmm.cli.app import main; raise SystemExit(main())"
SHOWN = 240
"""Frames of a clip that is scaled."""
HOUR = 108_000
"""Frames of an hour at 30 frames per second."""


@dataclass
class Options:
    """What to animate and how to look."""

    clip: Path = SAMPLES / "dance.mp4"
    """Short clip that is repeated."""
    photo: Path = SAMPLES / "person.jpg"
    """Photo."""
    minutes: tuple[float, ...] = (1.0, 6.0)
    """Lengths, the shortest first."""
    rows: int = 1080
    """Rows of the video."""
    size: int = 64
    """Rows of the frames that are made."""
    interval: float = 5.0
    """Seconds between two looks at PSS."""
    folder: Path | None = None
    """Keeps the videos."""


@dataclass
class Peaks:
    """The largest memory in each stage, in bytes.

    Attributes:
        frames: of the video.
        rss, pss: bytes by stage.
        seconds: of wall time.
    """

    frames: int
    rss: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    pss: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: float = 0.0


def main(options: Options) -> None:
    """Make the videos, animate them and print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        short = scaled(options.clip, folder / "short.mp4", options.rows)
        clip = VideoReader(short)
        found = []
        for minutes in options.minutes:
            times = max(round(60 * minutes * float(clip.fps) / len(clip)), 1)
            video = folder / "long.mp4"
            repeat(short, video, times)
            found.append(measured(video, options, folder / f"{minutes:g}_minutes.mp4"))
            print_stages(found[-1])
        if len(found) > 1:
            print_growth(found[0], found[-1])


def scaled(clip: Path, output: Path, rows: int) -> Path:
    """Return a clip of a number of rows: the given one, or a new one of its first frames."""
    reader = VideoReader(clip)
    height, width = reader.size
    if height == rows:
        return clip
    size = rows, 2 * round(rows * width / height / 2)
    with create_video(output, reader.fps, crf=23) as video:
        for frame in islice(reader, SHOWN):
            video.write(resize_image(frame, size))
    return output


def measured(video: Path, options: Options, output: Path) -> Peaks:
    """Animate in a child process and watch its memory.

    Raises:
        SystemExit: the child failed.
    """
    words = ["animate", str(options.photo), str(video), "-o", str(output)]
    words += ["--size", str(options.size), "--renderer", "coarse"]
    peaks = Peaks(len(VideoReader(video)))
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    stages = ["Starting"]
    listener = Thread(target=_listen, args=(process, stages), daemon=True)
    listener.start()
    looked = 0.0
    while process.poll() is None:
        stage, now = stages[-1], time.monotonic()
        if stage not in peaks.rss:
            reset_peak(process.pid)
        peaks.rss[stage] = max(peaks.rss[stage], memory(process.pid, "status", "VmHWM"))
        if now - looked > options.interval or stage not in peaks.pss:
            looked = now
            peaks.pss[stage] = max(peaks.pss[stage], memory(process.pid, "smaps_rollup", "Pss"))
        time.sleep(0.2)
    listener.join()
    peaks.seconds = time.monotonic() - started
    if process.returncode != 0:
        raise SystemExit(f"bdmm animate failed on {video}")
    made = len(VideoReader(output))
    if made != peaks.frames:
        raise SystemExit(f"{output} has {made} frames, the driver {peaks.frames}")
    return peaks


def _listen(process: subprocess.Popen, stages: list[str]) -> None:
    """Note what the child says on standard error: a line for each stage that starts."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("bdmm: "):
            sys.stderr.write(line)
        else:
            stages.append(line.rpartition(" (")[0] or line.strip())


def memory(process: int, file: str, name: str) -> int:
    """Return a number of bytes from a file of ``/proc``; 0 for a process that has ended."""
    with suppress(OSError):
        found = re.search(
            rf"^{name}:\s+(\d+) kB", Path(f"/proc/{process}/{file}").read_text(), re.M
        )
        return 1024 * int(found[1]) if found else 0
    return 0


def reset_peak(process: int) -> None:
    """Let the kernel measure the peak of a process from now on."""
    with suppress(OSError):
        Path(f"/proc/{process}/clear_refs").write_text("5")


def print_stages(peaks: Peaks) -> None:
    """Print the peaks of one video."""
    table = Table("stage", "peak RSS, MiB", "peak PSS, MiB")
    table.title = f"{peaks.frames} frames, {peaks.seconds:.0f} s"
    for stage in peaks.rss:
        table.add_row(stage, _mebibytes(peaks.rss[stage]), _mebibytes(peaks.pss[stage]))
    most = max(peaks.rss.values()), max(peaks.pss.values())
    table.add_row("all", *(_mebibytes(one) for one in most))
    Console(width=110).print(table)


def print_growth(short: Peaks, long: Peaks) -> None:
    """Print how the peak of each stage grows with the number of frames."""
    table = Table("stage", "grows by, MiB per 1000 frames", "an hour, MiB")
    rows = [(name, short.rss[name], long.rss[name]) for name in long.rss if name in short.rss]
    rows.append(("all", max(short.rss.values()), max(long.rss.values())))
    for name, less, more in rows:
        slope = (more - less) / (long.frames - short.frames)
        hour = more + slope * (HOUR - long.frames)
        table.add_row(name, f"{1000 * slope / 2**20:.2f}", _mebibytes(round(hour)))
    Console(width=110).print(table)


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f}"


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
