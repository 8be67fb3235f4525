"""Print what preparing real clips costs, and what their prepared clips take and lose.

    python tools/measure_prepare.py clips/*.mp4 --frames 120

Processor time is that of one thread, by stage, in milliseconds per frame. The coding error of
cached warps is the distance between positions before and after, on pixels of each kind, in pixels;
relabelled are those that became another kind, as a share of those that are known.
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

from bdmm.data import clip_writer, prepare
from bdmm.data.clip_batch import CLIPS, PREVIEWS
from bdmm.data.clip_store import PreparedClip
from bdmm.data.dataset_layouts import PrepareJob
from bdmm.data.prepare import PrepareOptions
from bdmm.data.warp_codec import WarpPacker, Warps, to_flow, unpack_run
from bdmm.errors import InputError
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import create_video
from bdmm.perception import person_crop
from bdmm.records import PixelState

STAGES = ((prepare, "detect_clip"), (prepare, "fit_motion"), (prepare, "refine_motion"),
          (clip_writer, "pack_warps"), (clip_writer, "body_keypoints"),
          (clip_writer, "median_background"), (person_crop, "cut_out"),
          (person_crop, "refine_foreground"), (clip_writer, "write_preview"))  # fmt: skip
KINDS = {"visible": PixelState.VISIBLE, "extended": PixelState.EXTENDED}


def main(
    videos: Annotated[tuple[Path, ...], tyro.conf.Positional],
    size: int = 256,
    sources: int = 4,
    frames: int = 0,
    output: Path | None = None,
) -> None:
    """Prepare each video and print a row for it.

    Args:
        videos: files.
        size: sides of the frames.
        sources: cached sources of each clip.
        frames: only so many frames from the beginning; 0 for all.
        output: folder that keeps the clips.
    """
    torch.set_num_threads(1)
    options = PrepareOptions(size, sources)
    rows = [row for path in videos if (row := measure(path, options, frames, output)) is not None]
    if rows:
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*row.values())
        Console(width=180).print(table)


def measure(
    path: Path, options: PrepareOptions, frames: int, output: Path | None
) -> dict[str, str] | None:
    """Prepare one video; None where it cannot be."""
    spent: dict[str, float] = defaultdict(float)
    errors: list[dict[str, torch.Tensor]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = output or folder
        for part in (CLIPS, PREVIEWS):
            (clips / part).mkdir(parents=True, exist_ok=True)
        video = shortened(path, folder, frames) if frames else path
        with watched(spent, errors):
            start = time.process_time()
            try:
                job = PrepareJob(path.stem, "videos", "train", video)
                prepare.prepare_clip(job, options, clips)
            except InputError as error:
                print(f"{path.name}: {error}")
                return None
            seconds = time.process_time() - start
        clip = PreparedClip(clips / CLIPS / path.stem)
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
    sizes = {name: size / len(clip) for name, (size, _) in clip.info.files.items()}
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
    for kind in (*KINDS, "fallback"):
        error = torch.cat([one[kind] for one in errors])
        row[f"{kind} px"] = f"{error.mean():.2f}" if len(error) else "-"
    row["relabelled"] = f"{torch.cat([one['relabelled'] for one in errors]).mean():.1%}"
    print(f"{path.stem}: ms per frame " + ", ".join(
        f"{name} {1000 * value / count:.1f}" for name, value in spent.items()))  # fmt: skip
    print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return row


_SHOWN = ("frames", "foreground", "warps")


@contextmanager
def watched(spent: dict[str, float], errors: list[dict[str, torch.Tensor]]) -> Iterator[None]:
    """Note the stages' times and the warps' coding errors."""
    plain = WarpPacker.pack

    def pack(self: WarpPacker, warps: Warps) -> bytes:
        block = plain(self, warps)
        start = time.process_time()
        errors.append(coding_errors(warps, block))
        spent["pack_warps"] -= time.process_time() - start
        return block

    before = [(place, name, getattr(place, name)) for place, name in STAGES]
    for place, name, function in before:
        setattr(place, name, timed(function, name, spent))
    WarpPacker.pack = pack
    try:
        yield
    finally:
        WarpPacker.pack = plain
        for place, name, function in before:
            setattr(place, name, function)


def timed(function: Callable, name: str, spent: dict[str, float]) -> Callable:
    def run(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        result = function(*arguments, **options)
        spent[name] += time.process_time() - start
        return result

    return run


def coding_errors(warps: Warps, block: bytes) -> dict[str, torch.Tensor]:
    """Return how far off positions are, of each kind, and which pixels became another kind."""
    size = warps.state.shape[1], warps.state.shape[2]
    grid, state, fallback = unpack_run(block, size, slice(None))
    error = (to_flow(grid, size) - to_flow(warps.source_grid, size)).norm(dim=-1)
    same = (state == warps.state) & (fallback == warps.fallback)
    found = {name: error[same & (state == kind)] for name, kind in KINDS.items()}
    known = (warps.state != PixelState.NONE) | (state != PixelState.NONE)
    return found | {"fallback": error[same & fallback], "relabelled": (~same[known]).float()}


def shortened(path: Path, folder: Path, frames: int) -> Path:
    """Return a copy of the first frames."""
    reader = VideoReader(path)
    target = folder / path.with_suffix(".mkv").name
    with create_video(target, reader.fps, crf=8) as video:
        for picture in itertools.islice(reader, frames):
            video.write(picture)
    return target


if __name__ == "__main__":
    tyro.cli(main)
