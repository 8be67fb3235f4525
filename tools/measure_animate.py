"""Print how long `bdmm animate` takes and how much memory, in a process of its own.

    python tools/measure_animate.py PHOTO CLIP [--times 10] [OPTIONS OF BDMM ANIMATE]

With ``--times 10`` the clip is measured once as it is and once repeated ten times, to show that
memory doesn't grow with the length. Caches of compiled kernels are warm if any ``bdmm animate`` has
run before; ``--cold-kernels`` measures with an empty cache.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

from bdmm.media.video_reader import VideoReader

MEBIBYTE = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_KeepLines)
    parser.add_argument("photo", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--times", type=int, default=1, help="also measure the clip repeated")
    parser.add_argument("--cold-kernels", action="store_true", help="with an empty kernel cache")
    parser.add_argument("--keep", type=Path, help="folder that keeps the videos")
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        place = arguments.keep or Path(folder)
        clips = {"once": arguments.clip}
        if arguments.times > 1:
            clips[f"{arguments.times} times"] = Path(folder) / f"long{arguments.clip.suffix}"
            repeat(arguments.clip, clips[f"{arguments.times} times"], arguments.times)
        print(
            f"{'clip':10} {'frames':>7} {'wall s':>8} {'CPU s':>8} {'ms/frame':>9} {'peak MiB':>9}"
        )
        for name, clip in clips.items():
            cache = Path(folder) / f"kernels-{name}" if arguments.cold_kernels else None
            measure(name, arguments.photo, clip, place / f"{name.replace(' ', '_')}.mp4",
                    options, cache)  # fmt: skip


def measure(
    name: str, photo: Path, clip: Path, output: Path, options: list[str], cache: Path | None
) -> None:
    """Animate in a child process and print a row of the table."""
    command = "from bdmm.cli.app import main; raise SystemExit(main())"
    arguments = ["animate", str(photo), str(clip), "-o", str(output), "--quiet", *options]
    environment = dict(os.environ)
    if cache is not None:
        environment["WARP_CACHE_PATH"] = str(cache)
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", command, *arguments], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"bdmm animate failed on {clip}")
    frames = VideoReader(output).frame_count
    expected = VideoReader(clip).frame_count
    if frames != expected:
        raise SystemExit(f"{output} has {frames} frames, the driver {expected}")
    print(
        f"{name:10} {frames:7} {seconds:8.1f} {usage.ru_utime + usage.ru_stime:8.1f} "
        f"{1000 * seconds / frames:9.1f} {_peak_bytes(usage) / MEBIBYTE:9.0f}",
        flush=True,
    )


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


def _peak_bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class _KeepLines(argparse.RawDescriptionHelpFormatter):
    """Shows the docstring as it stands."""


if __name__ == "__main__":
    main()
