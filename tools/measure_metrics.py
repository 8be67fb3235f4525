"""Print how fast frames are scored, in how much memory, and that others get the same numbers.

    python tools/measure_metrics.py [--frames 600] [--size 256] [--workers 2] [--clip clip.mp4]

Memory is the process's after a few and after many frames. Frames per second are wall time
of SSIM, PSNR and L1 together, first of frames in memory, then of PNG files read from two folders;
milliseconds are CPU time per frame, followed by the frames per second of idle cores.
Then the largest differences from scikit-image and torchmetrics, under both protocols. The clip, or
else noise, is compared with its own first frame.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice, pairwise
from pathlib import Path

import numpy as np
import torch
import tyro
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.functional.regression import mean_absolute_error

from bdmm.media.image import Picture, resize_image, write_image
from bdmm.media.video_reader import VideoReader
from bdmm.metrics.folders import paired_frames
from bdmm.metrics.frame_metrics import EDGE, WHOLE, FramePair, FrameScores, ordered_map, score_pair
from bdmm.metrics.protocols import PROTOCOLS, Protocol
from bdmm.metrics.running import RunningScores
from bdmm.metrics.temporal import warping_error

_KEPT = 32
_COMPARED = 8


@dataclass
class Options:
    """What to measure.

    Attributes:
        frames: number of frames.
        size: their height and width.
        workers: threads.
        clip: a video to take them from.
        memory_frames: (few, many) frames after which memory is measured.
        memory_size: their height and width.
    """

    frames: int = 600
    size: int = 256
    workers: int = 2
    clip: Path | None = None
    memory_frames: tuple[int, int] = (100, 10_000)
    memory_size: int = 128


def main(options: Options) -> None:
    print_memory(options)
    pictures = take_pictures(options, options.size)
    print(f"{options.frames} frames of {options.size} x {options.size}, {options.workers} threads")
    print_speed("in memory", endless(pictures, options.frames), options)
    with tempfile.TemporaryDirectory() as folder:
        print_speed("PNG files", stored(pictures, Path(folder), options.frames), options)
    print_warping(pictures)
    print_differences(pictures)


def take_pictures(options: Options, side: int) -> list[Picture]:
    size = (side, side)
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
    pairs = paired_frames(folder / "generated", folder / "target")
    yield from islice((pair for _ in cycle([0]) for pair in pairs), count)


def print_speed(what: str, pairs: Iterable[FramePair], options: Options) -> None:
    pairs = iter(pairs)
    paper = partial(score_pair, protocol=PROTOCOLS["paper"])
    paper(next(pairs))
    wall, cpu, before = time.perf_counter(), time.process_time(), options.frames - 1
    running = RunningScores()
    for scores in ordered_map(paper, pairs, options.workers):
        running.add({region: asdict(one) for region, one in scores.items()})
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    count = running.summaries()[WHOLE]["ssim"].count
    assert count == before
    each = cpu / count
    print(
        f"{what}: {count / wall:.0f} frames/s now; {each * 1e3:.1f} ms of CPU per frame, which is "
        f"{options.workers / each:.0f} frames/s on {options.workers} idle cores"
    )


def print_memory(options: Options) -> None:
    pictures = take_pictures(options, options.memory_size)
    modern = partial(score_pair, protocol=PROTOCOLS["modern"])
    for count in options.memory_frames:
        for _ in ordered_map(modern, endless(pictures, count), options.workers):
            pass
        print(
            f"memory after {count} frames of {options.memory_size} x {options.memory_size}: "
            f"{resident_mebibytes():.1f} MiB"
        )


def resident_mebibytes() -> float:
    """Return what the process holds now; where the system doesn't say it, the most it ever held."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * resource.getpagesize() / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def print_differences(pictures: list[Picture]) -> None:
    target, shown = pictures[0], pictures[1 : 1 + _COMPARED]
    torch.set_default_dtype(torch.float64)  # torchmetrics takes its logarithm's base in it
    for protocol in PROTOCOLS.values():
        ours = [score_pair(FramePair("", picture, target), protocol)[WHOLE] for picture in shown]
        for name, reference in (
            ("scikit-image", by_scikit_image),
            ("torchmetrics", by_torchmetrics),
        ):
            cpu = time.process_time()
            theirs = [reference(picture, target, protocol) for picture in shown]
            cpu = (time.process_time() - cpu) / len(shown)
            gaps = {
                metric: max(
                    abs(getattr(a, metric) - getattr(b, metric))
                    for a, b in zip(ours, theirs, strict=True)
                )
                for metric in ("ssim", "psnr", "l1")
            }
            gap_text = ", ".join(f"{metric} {gap:.1e}" for metric, gap in gaps.items())
            print(
                f"{protocol.name}, largest differences from {name}: {gap_text} ({cpu * 1e3:.0f} ms)"
            )


def ssim_range(generated: Picture, protocol: Protocol) -> float:
    if protocol.ssim_range == "full":
        return 255.0
    return float(generated.max()) - float(generated.min())


def by_scikit_image(generated: Picture, target: Picture, protocol: Protocol) -> FrameScores:
    ours, theirs = generated.astype(float), target.astype(float)
    similar = structural_similarity(
        theirs,
        ours,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
        data_range=ssim_range(generated, protocol),
    )
    return FrameScores(
        ssim=float(np.asarray(similar)),
        psnr=float(peak_signal_noise_ratio(theirs, ours, data_range=255.0)),
        l1=float(np.abs(ours - theirs).mean() / protocol.l1_levels),
    )


def by_torchmetrics(generated: Picture, target: Picture, protocol: Protocol) -> FrameScores:
    """Its SSIM also counts the edges, over mirrored pixels; those are cut off here."""
    ours, theirs = (
        torch.from_numpy(picture.astype(float)).movedim(-1, 0)[None].contiguous()
        for picture in (generated, target)
    )
    _, similar = structural_similarity_index_measure(
        ours,
        theirs,
        sigma=1.5,
        data_range=ssim_range(generated, protocol),
        return_full_image=True,
    )
    scale = protocol.l1_levels
    return FrameScores(
        ssim=float(similar[..., EDGE:-EDGE, EDGE:-EDGE].mean()),
        psnr=float(torchmetrics_psnr(ours, theirs, data_range=255.0)),
        l1=float(mean_absolute_error(ours / scale, theirs / scale)),
    )


def print_warping(pictures: list[Picture]) -> None:
    cpu = time.process_time()
    pairs = (FramePair("", pictures[0], picture) for picture in pictures[:9])
    count = sum(1 for pair in pairwise(pairs) if warping_error(*pair))
    cpu = (time.process_time() - cpu) / count
    print(f"warping error: {cpu * 1e3:.1f} ms of CPU per frame")


if __name__ == "__main__":
    main(tyro.cli(Options))
