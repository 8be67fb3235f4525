"""Print how fast rendered people are made, what they cost and whether a pose estimator sees them.

    python tools/measure_synth.py [--clips 8] [--workers 2] [--people 200] [--sheet sheet.png]

Frames per second are wall time of all workers together, people, motions, places, frames, truth and
the stored files included (start of the processes left out); milliseconds are CPU time of one
process. MediaPipe is asked for one frame of each of ``--people`` people.
"""

import multiprocessing
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import tyro

from bdmm.body.model import AnnyBody, load_body
from bdmm.data.clip_batch import CLIPS, PREVIEWS
from bdmm.data.clip_store import PreparedClip
from bdmm.data.synth import SynthJob, SynthOptions, make_clip
from bdmm.errors import InputError
from bdmm.perception.mediapipe_pose import detect_photo
from bdmm_synth import clip as clips
from bdmm_synth.clip import ClipRequest, render_clip
from bdmm_synth.render import renderer, texture


@dataclass
class Options:
    """What to measure."""

    clips: int = 8
    """Clips to render and store with all workers; 0 leaves it out."""
    frames: int = 48
    """Length of a clip."""
    size: int = 256
    """Pixels along the sides of the frames."""
    workers: int = 2
    """Processes."""
    stages: int = 4
    """Clips to render in this process, timed stage by stage; 0 leaves it out."""
    people: int = 0
    """People to show to MediaPipe."""
    seed: int = 0
    """The first clip's seed."""
    sheet: Path | None = None
    """Also write 24 people in 8 poses each."""


def main(options: Options) -> None:
    torch.set_num_threads(1)
    if options.stages:
        measure_stages(options)
    if options.clips:
        measure_rate(options)
    if options.people:
        measure_detection(options)
    if options.sheet is not None:
        write_sheet(options.sheet, options.seed)


def measure_rate(options: Options) -> None:
    """Render and store clips in parallel."""
    settings = SynthOptions(
        clips=options.clips, seed=options.seed, size=options.size, frames=options.frames
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in (CLIPS, PREVIEWS):
            (folder / part).mkdir()
        work = partial(_make, settings, folder)
        with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
            pool.map(_warm_up, [options.size] * options.workers, chunksize=1)
            start = time.perf_counter()
            seconds = sum(pool.imap_unordered(work, range(options.clips)))
            wall = time.perf_counter() - start
        total = options.clips * options.frames
        stored = [PreparedClip(path) for path in sorted((folder / CLIPS).iterdir())]
        parts = Counter[str]()
        for one in stored:
            parts.update({name: size / len(one) for name, (size, _) in one.info.files.items()})
    print(f"{total / wall:.1f} frames/s with {options.workers} processes, stored")
    print(f"{1000 * seconds / total:.0f} ms CPU a frame, stored")
    for part, count in parts.items():
        print(f"  {part}: {count / len(stored):.0f} bytes a frame")


def _make(settings: SynthOptions, folder: Path, number: int) -> float:
    start = time.process_time()
    make_clip(SynthJob(f"{settings.seed:04d}-{number:06d}", number), settings, folder)
    return time.process_time() - start


def _warm_up(size: int) -> None:
    torch.set_num_threads(1)
    render_clip(ClipRequest(0, size=size, frames=1), load_body())


def measure_stages(options: Options) -> None:
    """Render clips in this process and print what each stage takes."""
    body = load_body()
    render_clip(ClipRequest(options.seed, size=options.size, frames=1), body)
    spent: dict[str, float] = defaultdict(float)
    for owner, name in (
        (clips, "random_person"), (clips, "random_motion"), (clips, "random_place"),
        (renderer, "merge"), (renderer.SkinnedMesh, "pose"), (renderer, "draw"),
        (texture.Texture, "paint"), (renderer.Renderer, "_look_up"),
        (renderer, "illuminate"), (renderer, "contact"),
        (renderer.Renderer, "_gather"), (renderer, "tone_map"), (clips, "trace"),
        (clips, "find_body"),
    ):  # fmt: skip
        setattr(owner, name, _timed(getattr(owner, name), name.lstrip("_"), spent))
    start = time.process_time()
    rendered = [
        render_clip(ClipRequest(seed, size=options.size, frames=options.frames), body)
        for seed in range(options.seed, options.seed + options.stages)
    ]
    total = time.process_time() - start
    count = options.stages * options.frames
    print(f"{1000 * total / count:.1f} ms CPU a frame, not stored")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {name:14s} {1000 * seconds / count:6.2f} ms a frame")
    start = time.process_time()
    rendered[-1].flow(0)
    seconds = (time.process_time() - start) / options.frames
    print(f"true flow onto one source: {1000 * seconds:.2f} ms a frame")


def _timed(function: Callable, name: str, spent: dict[str, float]) -> Callable:
    def timed(*args: Any, **settings: Any) -> Any:
        start = time.process_time()
        result = function(*args, **settings)
        spent[name] += time.process_time() - start
        return result

    return timed


def measure_detection(options: Options) -> None:
    """Show one frame of each of many people to MediaPipe."""
    body = load_body()
    found, missed, errors = 0, [], []
    for seed in range(options.seed, options.seed + options.people):
        clip = _poses(seed, 2, body, options.size)
        try:
            detection = detect_photo(clip.frames_uint8[1])
        except InputError:
            missed.append(seed)
            continue
        found += 1
        seen, true = detection.landmarks.keypoints[0], clip.keypoints[1]
        sure = (seen[:, 2] > 0.5) & (true[:, 2] > 0.5)
        errors += (seen[sure, :2] - true[sure, :2]).norm(dim=-1).tolist()
    print(f"MediaPipe sees {found} of {options.people} people; not those of seeds {missed}")
    print(f"its keypoints are {np.mean(errors):.1f} px off (median {np.median(errors):.1f})")


def _poses(seed: int, count: int, body: AnnyBody, size: int) -> clips.RenderedClip:
    return render_clip(ClipRequest(seed, size=size, frames=count, fps=Fraction(3)), body)


def write_sheet(path: Path, seed: int, people: int = 24, poses: int = 8) -> None:
    """Write a contact sheet, one person a row."""
    body = load_body()
    rows = [np.hstack(list(_poses(seed + k, poses, body, 256).frames_uint8)) for k in range(people)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])
    print(path)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(tyro.cli(Options, description=__doc__))
