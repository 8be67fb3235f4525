"""Prints how fast frames are judged, in how much memory, and that scikit-image agrees.

    python tools/measure_metrics.py [--frames 600] [--size 256] [--workers 2] [--clip clip.mp4]

Frames per second are wall time of SSIM, PSNR and L1 together, first of frames in memory, then of
PNG files read from two folders; beside them stands scikit-image's SSIM alone. Milliseconds are CPU
time per frame. The clip, or else noise, is judged against its own first frame.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import tyro
from skimage.metrics import structural_similarity

from bdmm.media.image import Picture, resize_image, write_image
from bdmm.media.video_reader import VideoReader
from bdmm.metrics.folders import PairedFrames
from bdmm.metrics.frame_metrics import WHOLE, FramePair, score_pair, score_pairs
from bdmm.metrics.protocols import PROTOCOLS
from bdmm.metrics.running import summarise
from bdmm.metrics.temporal import warping_errors

_KEPT = 32


@dataclass
class Options:
    """What to measure.

    Attributes:
        frames: how many to judge.
        size: their height and width.
        workers: threads.
        clip: a video to take them from.
    """

    frames: int = 600
    size: int = 256
    workers: int = 2
    clip: Path | None = None


def main(options: Options) -> None:
    pictures = take_pictures(options)
    print(f"{options.frames} frames of {options.size} x {options.size}, {options.workers} threads")
    print_speed("in memory", endless(pictures, options.frames), options)
    with tempfile.TemporaryDirectory() as folder:
        print_speed("PNG files", stored(pictures, Path(folder), options.frames), options)
    print_memory(pictures, options)
    print_scikit_image(pictures)
    print_warping(pictures)


def take_pictures(options: Options) -> list[Picture]:
    size = (options.size, options.size)
    if options.clip is not None:
        return [resize_image(frame, size) for frame in islice(VideoReader(options.clip), _KEPT)]
    random = np.random.default_rng(0)
    return list(random.integers(0, 256, (_KEPT, *size, 3), dtype=np.uint8))


def endless(pictures: list[Picture], count: int) -> Iterator[FramePair]:
    for i, picture in enumerate(islice(cycle(pictures), count)):
        yield FramePair(str(i), pictures[0], picture)


def stored(pictures: list[Picture], folder: Path, count: int) -> Iterator[FramePair]:
    for name in ("generated", "target"):
        (folder / name).mkdir()
        for i, picture in enumerate(pictures):
            shown = pictures[0] if name == "generated" else picture
            write_image(folder / name / f"{i + 1:06d}.png", shown)
    pairs = PairedFrames(folder / "generated", folder / "target")
    yield from islice((pair for _ in cycle([0]) for pair in pairs), count)


def print_speed(what: str, pairs: Iterable[FramePair], options: Options) -> None:
    pairs = iter(pairs)
    for _ in score_pairs(islice(pairs, 1), PROTOCOLS["paper"], options.workers):
        pass
    wall, cpu, before = time.perf_counter(), time.process_time(), options.frames - 1
    table = summarise(
        scores for _, scores in score_pairs(pairs, PROTOCOLS["paper"], options.workers)
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    count = table[WHOLE]["ssim"].count
    assert count == before
    print(f"{what}: {count / wall:.0f} frames/s, {cpu / count * 1e3:.1f} ms of CPU per frame")


def print_memory(pictures: list[Picture], options: Options) -> None:
    for count in (options.frames // 10, options.frames):
        for _ in score_pairs(endless(pictures, count), PROTOCOLS["modern"], options.workers):
            pass
        print(f"peak memory after {count} frames: {peak_mebibytes():.0f} MiB")


def peak_mebibytes() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def print_scikit_image(pictures: list[Picture]) -> None:
    shown = pictures[1:9]
    cpu, gap = time.process_time(), 0.0
    theirs = [reference_ssim(pictures[0], picture) for picture in shown]
    cpu = time.process_time() - cpu
    for picture, value in zip(shown, theirs, strict=True):
        pair = FramePair("", pictures[0], picture)
        gap = max(gap, abs(score_pair(pair, PROTOCOLS["modern"])[WHOLE].ssim - value))
    print(f"scikit-image's SSIM alone: {cpu / len(shown) * 1e3:.1f} ms of CPU per frame")
    print(f"largest difference of SSIM from it: {gap:.1e}")


def reference_ssim(generated: Picture, target: Picture) -> float:
    value = structural_similarity(
        target.astype(float),
        generated.astype(float),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
        data_range=255.0,
    )
    return float(np.asarray(value))


def print_warping(pictures: list[Picture]) -> None:
    cpu = time.process_time()
    pairs = (FramePair("", pictures[0], picture) for picture in pictures[:9])
    count = sum(1 for _ in warping_errors(pairs))
    cpu = (time.process_time() - cpu) / count
    print(f"warping error: {cpu * 1e3:.1f} ms of CPU per frame")


if __name__ == "__main__":
    main(tyro.cli(Options))
