"""The paper's claims, put to the test in the small: data, training, evaluation and the page.

    python recipes/replicate.py -o replication/ --vgg VGG19

Renders 200 people to learn from and 40 others to evaluate on, 64x64 pixels; makes copies of their
clips whose warps and heatmaps come from noisy poses, and of true poses to evaluate on; trains the
preset ``paper-small`` whole, without each part of the paper's Table 2 and without each loss of its
Table S1, with two or three seeds; evaluates all on the held-out people, clean and under graded
noise; writes replication/replication.md with its pictures. One process of one thread for each run,
``--processes`` at a time.

Everything can be killed at any moment: rerun the same command to resume. ``--stages`` does a part:
the page can be written at any time, of what is there. About 2.5 hours on two cores of 2026.
"""

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from torch import nn

from bdmm.batch.worker_pool import run_jobs
from bdmm.cli.app import main as bdmm
from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.errors import InputError, no_progress
from bdmm.evaluation.ablation.study import ROWS, Study, check, is_finished, train_rows
from bdmm.evaluation.config import EvalConfig
from bdmm.network.generator import Generator
from bdmm.network.weights import save_weights
from bdmm.training.settings import TRAIN_PRESETS
from bdmm.training.start import Machine, Material, with_unit_features

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

PRESET, SIZE, FRAMES = "paper-small", 64, 24
PEOPLE, HELD = 200, 40
PEOPLE_SEED, HELD_SEED = 2100, 9700
REPEATED = ("full", "no-backward", "no-dmm", "no-forward")
"""Rows with three seeds, evaluated on true poses too; ``no-backward`` is forward propagation alone.
The others have two."""
SHOWN = 4
"""People on the sheet of frames."""
CURVE = "curve"
"""Folder of a full run's weights at each checkpoint."""
Stage = Literal["data", "train", "evaluate", "page"]


@dataclass(frozen=True)
class Options:
    """What to do."""

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of clips, runs, numbers and the page."""
    vgg: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """Weights of VGG-19, for losses and metrics."""
    steps: int = TRAIN_PRESETS[PRESET].steps
    """Of every run."""
    processes: int = 2
    """At once."""
    people: int = PEOPLE
    """To learn from."""
    held: int = HELD
    """To evaluate on."""
    save_every: int = 100
    """Steps between checkpoints."""
    stages: tuple[Stage, ...] = ("data", "train", "evaluate", "page")
    """Parts of the work."""
    real: Path | None = None
    """Prepared clips of real people, 64x64 too, to evaluate on for numbers only."""
    docs: Path | None = None
    """Also put the numbers into this document, behind its mark, and the pictures next to it."""
    most: int | None = None
    """Train at most so many runs, the most informative first."""


@dataclass(frozen=True)
class RunJob:
    """One run: a row with a seed."""

    key: str
    seed: int

    @property
    def name(self) -> str:
        """Return its name in the log and in reports."""
        return f"{self.key}-{self.seed}"


def main(options: Options) -> int:
    """Do the stages one after the other; return the exit code."""
    torch.set_num_threads(1)
    try:
        if "data" in options.stages and (code := make_data(options)):
            return code
        if "train" in options.stages and not train(options):
            return 1
        if "evaluate" in options.stages:
            evaluate(options)
        if "page" in options.stages:
            page(options)
    except InputError as error:
        print(f"replicate: {error}", file=sys.stderr)
        return 2
    return 0


def clips_of(options: Options, what: str) -> Path:
    """Return a folder of clips.

    ``people64`` and ``held64`` have noisy poses, ``people64-clean`` and ``held64-clean`` are as
    rendered, ``held64-true`` has true poses and warps stored as finely as the noisy ones.
    """
    return options.output / what


def make_data(options: Options) -> int:
    """Render the people and make copies of their clips; return the exit code."""
    import noisy_clips

    for what, count, seed, split in (
        ("people64", options.people, PEOPLE_SEED, "train"),
        ("held64", options.held, HELD_SEED, "test"),
    ):
        clean = clips_of(options, f"{what}-clean")
        if len(list(clean.glob("clips/[!.]*"))) < count:
            code = bdmm(
                [
                    *("synth", "-o", str(clean), "--clips", str(count), "--seed", str(seed)),
                    *("--size", str(SIZE), "--frames", str(FRAMES), "--sources", "3"),
                    *("--split", split, "--no-truth", "--quiet"),
                    *("--workers", str(options.processes)),
                ]
            )
            if code:
                return code
        copies = [noisy_clips.Options(clean, clips_of(options, what))]
        if what == "held64":
            true = clips_of(options, "held64-true")
            copies.append(
                noisy_clips.Options(clean, true, (0.0, 0.0), missing=0, freeze=0, drop=0, swap=0)
            )
        parts = [(i, options.processes) for i in range(options.processes)]
        work = [replace(one, part=part) for one in copies for part in parts]
        for outcome in run_jobs(noisy_clips.main, work, options.processes):
            if outcome.reason:
                raise InputError(outcome.reason)
    return 0


def run_order() -> list[RunJob]:
    """Return all runs, the most informative first."""
    others = [key for key in ROWS if key not in REPEATED]
    first = [RunJob(key, seed) for seed in (0, 1) for key in REPEATED]
    rest = [RunJob(key, 0) for key in others] + [RunJob(key, 2) for key in REPEATED]
    return [*first, *rest, *(RunJob(key, 1) for key in others)]


def study_of(options: Options, job: RunJob) -> Study:
    """Return the study of one run; all lie in one folder, as `bdmm ablate` keeps them.

    Raises:
        InputError: clips are missing or of another size than the preset's, or VGG-19 is missing.
    """
    people, held = (clips_of(options, what) for what in ("people64", "held64"))
    for folder in (people, held):
        for path in find_clips(folder):
            if (size := PreparedClip(path).info.size) != (SIZE, SIZE):
                raise InputError(
                    f"The clip {path} has frames of {size[1]}x{size[0]} pixels; the study is made "
                    f"for {SIZE}x{SIZE}: make the clips with --size {SIZE}."
                )
    base = replace(TRAIN_PRESETS[PRESET], steps=options.steps, save_every=options.save_every)
    material = Material(clips=(people,), vgg=options.vgg)
    base = with_unit_features(base, material)
    folder = options.output / "ablations"
    return Study(base, (ROWS[job.key],), (job.seed,), material, (held,), folder)


def train(options: Options) -> bool:
    """Train all runs, some at a time; return whether all are finished.

    Raises:
        InputError: see `study_of`; or the folder holds runs of another budget.
    """
    jobs = run_order()[: options.most]
    check(study_of(options, jobs[0]), EvalConfig(distribution_metrics=False))
    waiting = [job for job in jobs if not is_finished(run_folder(options, job))]
    print(f"{len(jobs) - len(waiting)} of {len(jobs)} runs are finished.", flush=True)
    whole = True
    for outcome in run_jobs(partial(train_one, options=options), waiting, options.processes):
        whole = whole and outcome.result is True
        print(f"{outcome.job.name}: {outcome.reason or 'trained'}", flush=True)
    return whole


def train_one(job: RunJob, options: Options) -> bool:
    """Train one run, in a process of its own; return whether it is finished.

    Raises:
        InputError: see `bdmm.evaluation.ablation.study.train_rows`.
    """

    def keep(run: Path) -> "KeepWeights | None":
        return KeepWeights(run / CURVE) if job.key == "full" else None

    return train_rows(study_of(options, job), Machine("cpu"), no_progress, keep)


@dataclass(frozen=True)
class KeepWeights:
    """Keeps the averaged weights of each checkpoint, for the curve over steps."""

    folder: Path

    def __call__(self, generator: nn.Module, step: int) -> None:
        """Write the weights of a step."""
        assert isinstance(generator, Generator)
        self.folder.mkdir(exist_ok=True)
        file = self.folder / f"{step:06d}.safetensors"
        save_weights(file, generator.state_dict(), generator.config)


def run_folder(options: Options, job: RunJob) -> Path:
    """Return the folder of a run."""
    return options.output / "ablations" / job.key / str(job.seed)


def finished(options: Options) -> list[RunJob]:
    """Return the runs that are finished."""
    return [job for job in run_order() if is_finished(run_folder(options, job))]


def evaluate(options: Options) -> None:
    """Evaluate the runs that are finished."""
    import replication_evaluation

    jobs = finished(options)
    runs = {job.name: run_folder(options, job) for job in jobs}
    curves = {
        f"{name} {int(file.stem)}": file
        for name, run in runs.items()
        for file in sorted((run / CURVE).glob("*.safetensors"))
    }
    settings = replication_evaluation.Settings(
        options.vgg, options.processes, REPEATED, options.real
    )
    replication_evaluation.evaluate(options.output, runs, curves, settings)


def page(options: Options) -> None:
    """Write the page of what was evaluated."""
    import replication_evaluation
    import replication_page

    results = replication_evaluation.read_results(options.output)
    done = [job.name for job in finished(options)]
    draw_pictures(options)
    written = replication_page.write_page(options.output, results, len(run_order()), done)
    if options.docs is not None:
        replication_page.put_into(options.docs, written)
        replication_page.put_numbers(options.docs.with_name(replication_page.NUMBERS), results)
    print(written)


def draw_pictures(options: Options) -> None:
    """Draw what the runs of seed 0 that are finished make of held-out people."""
    import replication_page
    import replication_pictures

    runs = {job.key: str(run_folder(options, job)) for job in finished(options) if not job.seed}
    frames, blocks = (options.output / name for name in replication_page.PICTURES)
    clips = find_clips(clips_of(options, "held64"))[:SHOWN]
    if "full" in runs:
        shown = {key: runs[key] for key in ("full", *REPEATED) if key in runs}
        replication_pictures.draw_frames(frames, clips, {"coarse": "coarse"} | shown)
        replication_pictures.draw_blocks(blocks, clips[0], runs["full"])


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
