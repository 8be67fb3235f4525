"""Prepared clips of rendered people, with ground truth: the work behind ``bdmm synth``.

The only module that knows `bdmm_synth`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from bdmm.batch.run import Run
from bdmm.body.model import AnnyBody, load_body
from bdmm.data.cached_sources import MAX_SOURCES, choose_sources, plan_errors
from bdmm.data.clip_batch import CLIPS, PREVIEWS, BatchReport, ClipJob, run_batch
from bdmm.data.clip_store import Origin
from bdmm.data.clip_writer import NewClip, Truth, write_clip
from bdmm.data.warp_codec import RUN, Quantisation, Warps, pack_run, to_grid
from bdmm.errors import InputError, require_size, require_within
from bdmm.records import PixelState
from bdmm_synth.bvh.recording import load_bvh
from bdmm_synth.bvh.retarget import excerpt
from bdmm_synth.clip import ClipRequest, RenderedClip, render_clip
from bdmm_synth.render.truth import TrueFlow

Background = Literal["studio", "natural", "random"]
PREVIEWED = 12
"""Number of clips, the first ones, that get a preview."""
TRUTH_QUANTISATION = Quantisation(step=0.125)
TRUTH_SOURCES = 1
"""Number of sources, the first ones, onto which the exact flow is stored."""
FIT_ERROR = (1.0, 5.0)
"""Pixels at 256 of the error given to a source's fit: of a good fit and of a poor one."""
MIN_PERSON = 0.02
"""Least share of the frame that the person of a source fills."""
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class SynthOptions:
    """What is rendered.

    Attributes:
        clips: number of clips.
        seed: of all clips; clip N of a seed does not depend on the number of clips.
        sources: number of frames of each clip whose warps are stored.
        bvh: files of recorded motions, used by half of the clips.
    """

    clips: int
    seed: int = 0
    size: int = 256
    frames: int = 48
    fps: Fraction = Fraction(30)
    sources: int = 4
    background: Background = "random"
    bvh: tuple[Path, ...] = ()
    truth: bool = True
    split: str = "train"

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        require_within("number of clips", self.clips, 1, 1_000_000)
        require_within("seed", self.seed, 0, MAX_SEED)
        require_size(self.size, 64, 1024)
        require_within("number of frames", self.frames, 2, 10_000)
        require_within("number of sources", self.sources, 0, min(MAX_SOURCES, self.frames))


@dataclass(frozen=True)
class SynthJob(ClipJob):
    """One clip to render."""

    number: int


def synthesise(options: SynthOptions, run: Run) -> BatchReport:
    """Render clips in several processes into a folder; finished clips are skipped.

    Raises:
        InputError: a BVH file is damaged, or see `clip_batch.run_batch`.
    """
    for path in options.bvh:
        load_bvh(path)
    recipe = asdict(options) | {
        "maker": "synth",
        "fps": str(options.fps),
        "bvh": [path.name for path in options.bvh],
        "program": version("bdmm"),
    }
    del recipe["clips"]
    jobs = [SynthJob(f"{options.seed:04d}-{i:06d}", i) for i in range(options.clips)]
    work = partial(make_clip, options=options, folder=run.folder)
    return run_batch(run, recipe, jobs, work)


def make_clip(job: SynthJob, options: SynthOptions, folder: Path) -> None:
    """Render one clip and store it; the same options and number give the same bytes."""
    random = np.random.default_rng([options.seed, job.number])
    request = ClipRequest(
        seed=int(random.integers(MAX_SEED)),
        size=options.size,
        frames=options.frames,
        fps=options.fps,
        background=options.background,
    )
    if options.bvh and random.random() < 0.5:
        path = options.bvh[int(random.integers(len(options.bvh)))]
        request = replace(request, motion=partial(excerpt, load_bvh(path)))
    body = load_body()
    preview = folder / PREVIEWS / f"{job.name}.jpg" if job.number < PREVIEWED else None
    rendered = render_clip(request, body)
    store_rendered(folder / CLIPS / job.name, rendered, body, options, random, preview)


def store_rendered(
    folder: Path,
    clip: RenderedClip,
    body: AnnyBody,
    options: SynthOptions,
    random: np.random.Generator,
    preview: Path | None = None,
) -> None:
    """Write a rendered clip as a prepared one.

    The stored motion, the network's pose, is the true one, so that the frames show exactly that
    pose. Only the fits of the sources err.
    """
    people = clip.foregrounds
    usable = (people > 127).mean(axis=(1, 2)) > MIN_PERSON
    chosen = choose_sources(clip.motion, usable, options.sources)
    least, most = (error * options.size / 256 for error in FIT_ERROR)
    sources = plan_errors(chosen, (least, most), random)
    size = clip.motion.size
    origin = Origin("rendered", "", size, (0, 0, options.size), (0, len(people)))
    truth = None
    if options.truth:
        exact = [_exact_blocks(clip, one.frame) for one in sources[:TRUTH_SOURCES]]
        truth = Truth(clip.keypoints, exact)
    stored = NewClip("synth", options.split, origin, clip.motion, sources, truth)
    write_clip(folder, stored, zip(clip.frames_uint8, people, strict=True), body, random, preview)


def _exact_blocks(clip: RenderedClip, source: int) -> list[bytes]:
    flow = clip.flow(source)
    starts = range(0, len(flow.flow), RUN)
    runs = [TrueFlow(flow.flow[i : i + RUN], flow.visible[i : i + RUN]) for i in starts]
    return [pack_run(true_warps(run, source), 0, TRUTH_QUANTISATION) for run in runs]


def true_warps(flow: TrueFlow, source: int) -> Warps:
    """Return exact flow as warps: what the source does not show is hidden, without a fallback."""
    person = ~flow.flow.isnan().any(dim=-1)
    state = torch.where(flow.visible, int(PixelState.VISIBLE), int(PixelState.HIDDEN))
    state = torch.where(person, state, int(PixelState.NONE))
    height, width = person.shape[1:]
    return Warps(source, to_grid(flow.flow, (height, width)), state, torch.zeros_like(person))


def find_bvh(folder: Path) -> Sequence[Path]:
    """Return the BVH files of a folder, sorted.

    Raises:
        InputError: there are none.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() == ".bvh")
    if not found:
        raise InputError(f"{folder} holds no .bvh files.")
    return found
