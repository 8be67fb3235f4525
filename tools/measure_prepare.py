"""Prints what preparing real clips costs, and what their prepared clips take and lose.

    python tools/measure_prepare.py clips/*.mp4 --frames 120

Processor time is that of one thread, by stage, in milliseconds per frame. The coding error of
cached warps is the distance between positions before and after, on pixels of each kind, in pixels.
"""

import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rich.console import Console
from rich.table import Table

from bdmm.data import cached_sources, prepare_clip
from bdmm.data.clip_store import PreparedClip
from bdmm.data.layouts import ClipJob
from bdmm.data.prepare_clip import PrepareOptions
from bdmm.data.warp_codec import Warps, pack_warps, to_flow, unpack_run
from bdmm.errors import InputError
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import create_video
from bdmm.perception.mediapipe_pose import MediaPipePose
from bdmm.records import PixelState

STAGES = ((MediaPipePose, "detect"), (prepare_clip, "fit_motion"), (prepare_clip, "cache_warps"),
          (prepare_clip, "body_keypoints"), (prepare_clip, "empty_place"),
          (prepare_clip, "cut_square"), (prepare_clip, "refine_foreground"),
          (prepare_clip, "write_preview"))  # fmt: skip
KINDS = {"visible": PixelState.VISIBLE, "extended": PixelState.EXTENDED}


def main(
    videos: Annotated[tuple[Path, ...], tyro.conf.Positional],
    size: int = 256,
    sources: int = 4,
    frames: int = 0,
) -> None:
    """Prepare each video and print a row for it.

    Args:
        videos: files.
        size: sides of the frames.
        sources: cached sources of each clip.
        frames: only so many frames from the beginning; 0 for all.
    """
    torch.set_num_threads(1)
    rows = [row for path in videos if (row := measure(path, size, sources, frames)) is not None]
    if rows:
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*row.values())
        Console(width=180).print(table)


def measure(path: Path, size: int, sources: int, frames: int) -> dict[str, str] | None:
    """Prepare one video; None where it cannot be."""
    spent: dict[str, float] = defaultdict(float)
    errors: list[dict[str, torch.Tensor]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = shortened(path, folder, frames) if frames else path
        with watched(spent, errors):
            start = time.process_time()
            try:
                job = ClipJob(path.stem, "videos", "train", video)
                prepare_clip.prepare_clip(job, PrepareOptions(size, sources), folder, folder)
            except InputError as error:
                print(f"{path.name}: {error}")
                return None
            seconds = time.process_time() - start
        clip = PreparedClip(folder / path.stem)
        return summary(path, clip, seconds, spent, errors)


def summary(
    path: Path,
    clip: PreparedClip,
    seconds: float,
    spent: dict[str, float],
    errors: list[dict[str, torch.Tensor]],
) -> dict[str, str]:
    """Return the row of a clip."""
    count = len(clip)
    sizes = clip.bytes_per_frame()
    parts = {name.partition(".")[0]: value for name, value in sizes.items()}
    row = {
        "clip": path.stem,
        "length": str(count),
        "frames/s": f"{count / seconds:.1f}",
        "flagged": f"{len(clip.info.flagged) / count:.1%}",
        "bytes": f"{sum(sizes.values()):.0f}",
    }
    row |= {part: f"{parts[part]:.0f}" for part in _SHOWN}
    row["rest"] = f"{sum(size for part, size in parts.items() if part not in _SHOWN):.0f}"
    for kind in (*KINDS, "filled"):
        error = torch.cat([one[kind] for one in errors])
        row[f"{kind} px"] = f"{error.mean():.2f}" if len(error) else "-"
    print(f"{path.stem}: ms per frame " + ", ".join(
        f"{name} {1000 * value / count:.1f}" for name, value in spent.items()))  # fmt: skip
    return row


_SHOWN = ("frames", "foreground", "warps")


@contextmanager
def watched(spent: dict[str, float], errors: list[dict[str, torch.Tensor]]) -> Iterator[None]:
    """Note the stages' times and the warps' coding errors."""

    def pack(warps: Warps, quantum: float) -> list[bytes]:
        blocks = pack_warps(warps, quantum)
        start = time.process_time()
        errors.append(coding_errors(warps, blocks, quantum))
        spent["cache_warps"] -= time.process_time() - start
        return blocks

    before = [(place, name, getattr(place, name)) for place, name in STAGES]
    for place, name, function in before:
        setattr(place, name, timed(function, name, spent))
    cached_sources.pack_warps = pack
    try:
        yield
    finally:
        cached_sources.pack_warps = pack_warps
        for place, name, function in before:
            setattr(place, name, function)


def timed(function: Callable, name: str, spent: dict[str, float]) -> Callable:
    def run(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        result = function(*arguments, **options)
        spent[name] += time.process_time() - start
        return result

    return run


def coding_errors(warps: Warps, blocks: list[bytes], quantum: float) -> dict[str, torch.Tensor]:
    size = warps.state.shape[1], warps.state.shape[2]
    grid = torch.cat([unpack_run(block, size, slice(None), quantum)[0] for block in blocks])
    error = (to_flow(grid, size) - to_flow(warps.source_grid, size)).norm(dim=-1)
    found = {name: error[warps.state == kind] for name, kind in KINDS.items()}
    return found | {"filled": error[warps.filled]}


def shortened(path: Path, folder: Path, frames: int) -> Path:
    """Return a copy of the first frames."""
    reader = VideoReader(path)
    target = folder / path.with_suffix(".mkv").name
    with create_video(target, reader.fps, quality=8) as video:
        for picture in itertools.islice(reader, frames):
            video.write(picture)
    return target


if __name__ == "__main__":
    tyro.cli(main)
