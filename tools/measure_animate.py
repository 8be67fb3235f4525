"""Print what `bdmm animate` takes: time and memory as a whole, and of each stage.

    python tools/measure_animate.py PHOTO CLIP [--sizes 512 256] [--times 10] [--record]
    python tools/measure_animate.py PHOTO MOTION --presets fast standard fine

Each row is a process of its own. The first line of a size is the wait for a first frame. The stages
are run one after the other, each operation on one thread, since `bdmm animate` runs them side by
side. Machines and hours differ: a stage's cost is its processor time over that of a fixed
computation in the same run (the reference), for each frame of the clip. It is printed next to the
last one recorded in docs/measurements.md; ``--record`` adds a row there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av

MEBIBYTE = 2**20
STAGES = ("driver", "photo", "conditions", "rendering", "encoding")
RECORD = Path(__file__).resolve().parents[1] / "docs" / "measurements.md"
HEADING = "| version | size | " + " | ".join(STAGES) + " | all | MiB |"
MORE = 5
"""Percent more than the last recorded cost that are pointed out."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512])
    parser.add_argument("--presets", nargs="+", help="measure presets, without stages")
    parser.add_argument("--times", type=int, default=1, help="also measure the clip repeated")
    parser.add_argument("--record", action="store_true", help="add rows to docs/measurements.md")
    parser.add_argument("--stages-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stages_of is not None:
        print(json.dumps(stages(options.photo, options.clip, options.sizes[0], options.stages_of)))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'':12} {'frames':>7} {'wall s':>8} {'CPU s':>8} {'frames/s':>9} {'peak MiB':>9}")
        for preset in options.presets or ():
            wanted = ("--preset", preset)
            measure(options.photo, options.clip, wanted, Path(folder), preset)
        for size in () if options.presets else options.sizes:
            wanted = ("--size", str(size))
            first_frame(options.photo, size)
            memory = measure(options.photo, options.clip, wanted, Path(folder), f"{size}")
            if options.times > 1:
                longer = Path(folder) / f"long{options.clip.suffix}"
                repeat(options.clip, longer, options.times)
                name = f"{size}, {options.times}x"
                measure(options.photo, longer, wanted, Path(folder), name)
            report(options.photo, options.clip, size, memory, options.record)


def measure(photo: Path, clip: Path, wanted: Sequence[str], folder: Path, name: str) -> int:
    """Animate in a child process, print a row, and return the peak of memory in MiB."""
    output = folder / "output.mp4"
    command = [sys.executable, "-m", "bdmm", "animate", str(photo), str(clip)]
    command += ["-o", str(output), *wanted, "--quiet"]
    start = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"bdmm animate failed on {clip}")
    with av.open(str(output)) as video:
        frames = video.streams.video[0].frames
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) // MEBIBYTE
    print(
        f"{name:12} {frames:7} {seconds:8.1f} {usage.ru_utime + usage.ru_stime:8.1f} "
        f"{frames / seconds:9.2f} {peak:9}",
        flush=True,
    )
    return peak


def first_frame(photo: Path, size: int) -> None:
    """Print the seconds from the start of Python to the first frame of a shipped motion."""
    code = "import sys, bdmm; next(bdmm.animate(sys.argv[1], 'wave', size=int(sys.argv[2])))"
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", code, str(photo), str(size)], check=True)
    print(f"first frame of wave at {size} after {time.monotonic() - start:.1f} s", flush=True)


def report(photo: Path, clip: Path, size: int, memory: int, record: bool) -> None:
    """Print each stage's cost next to the last one recorded, and record it if asked to."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, str(photo), str(clip), "--sizes", str(size)]
        command += ["--stages-of", folder]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as `bdmm animate` has it
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    found = json.loads(done.stdout)
    costs = {name: found[name] / found["reference"] / found["frames"] for name in STAGES}
    costs["all"] = sum(costs.values())
    before = last_recorded(size)
    print(f"  {'stage':12} {'CPU ms/frame':>13} {'cost':>8} {'recorded':>9}")
    for name, cost in costs.items():
        seconds = sum(found[one] for one in STAGES) if name == "all" else found[name]
        old = before.get(name)
        slower = old is not None and cost > old * (1 + MORE / 100)
        print(
            f"  {name:12} {1000 * seconds / found['frames']:13.1f} {cost:8.3f} "
            f"{'' if old is None else f'{old:9.3f}'}{' slower' if slower else ''}"
        )
    if record:
        cells = [version("bdmm"), str(size), *(f"{one:.3f}" for one in costs.values()), str(memory)]
        text = RECORD.read_text()
        rows = text.index(HEADING)
        end = text.find("\n\n", rows)
        text = f"{text[:end].rstrip()}\n| {' | '.join(cells)} |{text[end:]}"
        RECORD.write_text(text)


def last_recorded(size: int) -> dict[str, float]:
    """Return the last recorded cost of each stage at a size; empty if there is none."""
    lines = RECORD.read_text().splitlines()
    found: dict[str, float] = {}
    if HEADING not in lines:
        return found
    for line in lines[lines.index(HEADING) + 2 :]:
        if not line.startswith("|"):
            break
        _, its_size, *costs, _ = (cell.strip() for cell in line.strip("|").split("|"))
        if its_size == str(size):
            found = dict(zip((*STAGES, "all"), map(float, costs), strict=True))
    return found


def stages(photo: Path, clip: Path, size: int, folder: str) -> dict[str, float]:
    """Run the stages one after the other; return processor seconds, and the number of frames."""
    import cv2
    import torch

    from bdmm.body.retarget import retarget
    from bdmm.inference.driving import DrivingOptions, open_driver
    from bdmm.inference.prepare import Inputs
    from bdmm.inference.render import render
    from bdmm.inference.renderers import load_network
    from bdmm.inference.source_view import open_source
    from bdmm.media.image import Picture, read_image
    from bdmm.media.pixels import to_pictures
    from bdmm.media.video_writer import create_video
    from bdmm.records import Conditions

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        seconds[name] = seconds.get(name, 0.0) + time.process_time() - start
        if name != "reference":  # after each stage: minutes differ
            timed("reference", reference)
        return result

    renderer = load_network("layered")
    reference()
    motion = timed("driver", lambda: open_driver(clip, DrivingOptions()).motion())
    view = timed("photo", lambda: open_source(read_image(photo), size))

    def note(conditions: Conditions, _: slice) -> Conditions:
        # Of the thread that makes conditions.
        seconds["conditions"] = time.thread_time()
        return conditions

    pictures: list[Picture] = []

    def make_frames() -> None:
        inputs = Inputs(view, retarget(motion, view.source.pose), motion)
        for window in render(inputs, renderer, note):
            pictures.extend(to_pictures(window.frames))

    timed("rendering", make_frames)
    seconds["rendering"] -= seconds["conditions"]

    def encode() -> None:
        with create_video(Path(folder) / "stages.mp4", motion.fps) as video:
            for picture in pictures:
                video.write(picture)

    timed("encoding", encode)
    seconds["reference"] /= len(STAGES) - 1  # conditions are part of rendering
    return {**seconds, "frames": len(pictures)}


def reference() -> None:
    """Do a fixed computation: convolutions, samplings and sums of fixed size."""
    import torch
    from torch.nn import functional

    with torch.inference_mode():
        image = torch.linspace(-1, 1, 48 * 128 * 128).view(1, 48, 128, 128)
        kernel = torch.linspace(-1, 1, 48 * 48 * 9).view(48, 48, 3, 3) / 48
        grid = image[0, :2].movedim(0, -1)[None]
        for _ in range(20):
            image = torch.tanh(functional.conv2d(image, kernel, padding=1))
            image = image + functional.grid_sample(image, grid, align_corners=False)


def repeat(clip: Path, longer: Path, times: int) -> None:
    """Write the pictures of a clip several times after each other, packet for packet."""
    with av.open(str(longer), "w") as output:
        with av.open(str(clip)) as source:
            stream = output.add_stream_from_template(source.streams.video[0])
        offset = 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                offset += _append(source, output, stream, offset)


def _append(source, output, stream, offset: int) -> int:
    """Copy the pictures of an opened file, later by an offset; return their length."""
    end = 0
    for packet in source.demux(source.streams.video[0]):
        if packet.size == 0:
            continue
        end = max(end, packet.pts + packet.duration)
        packet.pts += offset
        packet.dts += offset
        packet.stream = stream
        output.mux(packet)
    return end


if __name__ == "__main__":
    main()
