"""`bdmm ablate`: the paper's ablations, trained under one budget and judged on the same clips."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bdmm.cli.prepare import worker_count
from bdmm.cli.report import Report, say, warn
from bdmm.cli.resources import keep_network_blocks, use_one_thread

if TYPE_CHECKING:
    from bdmm.evaluation.ablation.study import Study
    from bdmm.evaluation.jobs.clip_job import Plan


@dataclass(frozen=True)
class Ablate:
    """Train the network without each of its parts, and without each loss, and compare.

    bdmm ablate --preset paper --data clips/ --test held_out/ -o ablations/

    Every row learns from the same samples for as many steps. Stopped in the middle, the same
    command goes on where it was; finished rows are not trained again, and more rows and seeds can
    be added later.
    """

    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")]
    """Folders that bdmm prepare or bdmm synth made; their training clips are learnt from."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of all runs and of the tables."""
    test: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")] = ()
    """Clips to judge on; the test clips of --data otherwise."""
    preset: Literal["paper", "released", "layered"] = "paper"
    """The full model."""
    rows: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ROW")] = ()
    """Such as no-dmm or no-cx; all of Tables 2 and S1 otherwise. The full model is always there."""
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N")] = (0,)
    """Every row is trained once with each."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Of every run; the preset's otherwise."""
    vgg: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Weights of VGG-19, to learn and to judge by; from PyTorch's own cache otherwise."""
    crop: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="HEIGHT WIDTH")] = None
    """Learn from parts of this size around the person."""
    window: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Frames of a window, where no temporal discriminator counts them; the preset's otherwise."""
    windows: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Consecutive windows of a step; the preset's otherwise."""
    batch: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Clips at once."""
    learning_rate: Annotated[float | None, tyro.conf.arg(metavar="RATE")] = None
    """The preset's otherwise."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Of the networks' arithmetic."""
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """What it is computed on."""
    readers: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Processes that read ahead while training."""
    no_augmentation: bool = False
    """Learn from samples as they are."""
    train_only: bool = False
    """Do not judge yet: for several such commands at work on different rows of one folder."""
    protocol: Literal["modern", "paper"] = "modern"
    """The paper's way of judging, or one with regions and fixed ranges."""
    limit: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Judge at most so many clips, spread over all."""
    first: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Judge only the first frames of each clip."""
    cached: bool = False
    """Judge with the warps stored with the clips, which have errors like those that were learnt."""
    features_every: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Show LPIPS and VGG-19 only every so-manieth frame."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes that judge; one per core otherwise. 0 judges in this process alone."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Train all rows, judge them, and write the tables.

        Raises:
            InputError: a mistake of the user's, a loss that is not finite, or a full disk.
        """
        from bdmm.training.extra import require

        require()
        keep_network_blocks()
        workers = worker_count(self.workers)
        from bdmm.evaluation.ablation.study import check, train_rows
        from bdmm.evaluation.jobs.clip_job import Plan
        from bdmm.evaluation.jobs.feature_metrics import Detectors
        from bdmm.training.start import Machine

        study = self._study()
        plan = Plan(self.protocol, Detectors(vgg19=self.vgg), self.features_every)
        machine = Machine(self.accelerator, workers=self.readers)
        check(study, plan)
        with Report(self.quiet) as report:

            def tell(stage: str, done: int, total: int | None) -> None:
                # Without a bar the report says how many frames there are; these are steps.
                report(stage, done, total if sys.stderr.isatty() else None)

            if not train_rows(study, machine, tell):
                say(f"{self.output}: stopped; the same command goes on.")
                return
            if self.train_only:
                say(f"{self.output}: {len(study.runs)} runs are trained and not yet judged.")
                return
            self._judge(study, plan, workers, report)

    def _study(self) -> "Study":
        """Put the options together.

        Raises:
            InputError: they do not fit.
        """
        from bdmm.data.augment import Augmentation
        from bdmm.errors import InputError
        from bdmm.evaluation.ablation.rows import choose_rows
        from bdmm.evaluation.ablation.study import Study
        from bdmm.evaluation.evaluate import ClipChoice
        from bdmm.training.eye_size import with_measured_divisors
        from bdmm.training.settings import TRAIN_PRESETS
        from bdmm.training.start import Material, open_clips

        for name, value in (("limit", self.limit), ("number of first frames", self.first)):
            if value is not None and value < 1:
                raise InputError(f"The {name} is {value}; it must be 1 or more.")
        given = {
            name: getattr(self, name)
            for name in ("steps", "window", "windows", "learning_rate", "crop")
            if getattr(self, name) is not None
        }
        base = replace(
            TRAIN_PRESETS[self.preset], batch=self.batch, precision=self.precision, **given
        )
        rows = choose_rows(base, self.rows)
        augmentation = None if self.no_augmentation else Augmentation()
        material = Material(clips=self.data, vgg=self.vgg, augmentation=augmentation)
        if base.network.head == "layers":
            dataset = open_clips(base, material)
            base = replace(base, losses=with_measured_divisors(base.losses, self.vgg, dataset))
        test = ClipChoice(self.test or self.data, None if self.test else "test", self.limit)
        return Study(base, rows, self.seeds, material, test, self.output)

    def _judge(self, study: "Study", plan: "Plan", workers: int, report: Report) -> None:
        import torch

        from bdmm.evaluation.ablation.study import judge_rows
        from bdmm.evaluation.ablation.table import save_study
        from bdmm.evaluation.evaluate import Reenacting
        from bdmm.evaluation.jobs.reenactment import Casting
        from bdmm.evaluation.jobs.run import Workplace

        use_one_thread()
        gpu = self.accelerator != "cpu" and torch.cuda.is_available()
        casting = Casting(cached=self.cached, frames=self.first)
        making = Reenacting(casting=casting, device="cuda" if gpu else "cpu")
        place = Workplace(self.output, 0 if gpu else workers, progress=report)
        judged = judge_rows(study, plan, making, place)
        table = save_study(study, judged)
        for failure in judged.results.failures:
            warn(f"{failure.system}, {failure.clip}: {failure.reason}")
        for metric, reason in judged.not_computed.items():
            warn(f"{metric} {reason}.")
        say(table.read_text(encoding="utf-8"))
        say(f"The tables are {table} and table.json beside it.")
