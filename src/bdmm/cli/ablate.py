"""`bdmm ablate`: the paper's ablations, trained under one budget and scored on the same clips."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from bdmm.cli.report import Report, say, warn
from bdmm.cli.resources import keep_network_blocks, use_one_thread
from bdmm.cli.spread_options import worker_count
from bdmm.cli.train import TrainingOptions

if TYPE_CHECKING:
    from bdmm.evaluation.ablation.study import Study
    from bdmm.evaluation.config import EvalConfig


@dataclass(frozen=True)
class Ablate:
    """Train the network without each of its parts, and without each loss, and compare.

    $ bdmm ablate --preset paper --data clips/ --test held_out/ -o ablations/

    Every row is trained on the same samples for the same steps. Rerun to resume: finished rows are
    not trained again, and more rows and seeds can be added later.
    """

    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")]
    """Folders that bdmm prepare or bdmm synth made; their training clips are used."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """Folder of all runs and of the tables."""
    test: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER")] = ()
    """Clips to score on; default: the test clips of --data."""
    preset: Literal["paper", "paper-small", "released", "layered"] = "paper"
    """The full model."""
    rows: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ROW")] = ()
    """Such as no-dmm or no-cx; default: all of Tables 2 and S1. The full model is always there."""
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N")] = (0,)
    """Train every row once with each seed."""
    window: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Frames of a window, where no temporal discriminator sets them; default: the preset's."""
    training: TrainingOptions = field(default_factory=TrainingOptions)
    readers: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Processes that load training data."""
    train_only: bool = False
    """Do not score yet: for several such commands that train different rows of one folder."""
    protocol: Literal["modern", "paper"] = "modern"
    """Rules of scoring: the paper's own, or one with regions and fixed ranges."""
    limit: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Score at most N clips, spread over all."""
    first: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Score only the first N frames of each clip."""
    cached: bool = False
    """Score with the warps stored with the clips; their errors are like those of the training."""
    features_every: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Compute LPIPS and VGG-19 on every N-th frame only."""
    workers: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes that score; default: one per core. 0 uses this process alone."""
    quiet: bool = False
    """Show no progress."""

    def run(self) -> None:
        """Train all rows, score them, and write the tables.

        Raises:
            InputError: a mistake of the user's, a loss that is not finite, or a full disk.
        """
        from bdmm.training.settings import check_packages

        check_packages()
        import torch

        keep_network_blocks()
        workers = worker_count(self.workers)
        from bdmm.batch.distributor import Distributor
        from bdmm.evaluation.ablation.study import check, train_rows
        from bdmm.evaluation.config import EvalConfig
        from bdmm.training.start import Machine

        study = self._study()
        gpu = self.training.accelerator != "cpu" and torch.cuda.is_available()
        config = EvalConfig(
            protocol=self.protocol,
            vgg19=self.training.vgg,
            device="cuda" if gpu else "cpu",
            features_every=self.features_every,
            cached=self.cached,
            first=self.first,
            distributor=Distributor(0 if gpu else workers),
        )
        machine = Machine(self.training.accelerator, workers=self.readers)
        check(study, config)
        with Report(self.quiet, counts=False) as report:
            if not train_rows(study, machine, report):
                say(f"{self.output}: stopped; rerun to resume.")
                return
            if self.train_only:
                say(f"{self.output}: {len(study.runs)} runs are trained and not yet scored.")
                return
            self._score(study, config, report)

    def _study(self) -> "Study":
        """Put the options together.

        Raises:
            InputError: they do not fit.
        """
        from bdmm.errors import InputError
        from bdmm.evaluation.ablation.study import Study, choose_rows
        from bdmm.training.start import with_unit_features

        if self.limit is not None and self.limit < 1:
            raise InputError(f"The limit is {self.limit}; it must be 1 or more.")
        base = self.training.settings(self.preset)
        if self.window is not None:
            base = replace(base, window=self.window)
        rows = choose_rows(base, self.rows)
        material = self.training.material(self.data)
        return Study(
            with_unit_features(base, material),
            rows,
            self.seeds,
            material,
            self.test or self.data,
            self.output,
            split=None if self.test else "test",
            limit=self.limit,
        )

    def _score(self, study: "Study", config: "EvalConfig", report: Report) -> None:
        from bdmm.evaluation.ablation.study import score_rows
        from bdmm.evaluation.ablation.table import save_study

        use_one_thread()
        scored = score_rows(study, config, report)
        table = save_study(study, scored)
        for failure in scored.results.failures:
            warn(f"{failure.system}, {failure.clip}: {failure.reason}")
        for metric, reason in scored.not_computed.items():
            warn(f"{metric} {reason}.")
        say(table.read_text(encoding="utf-8"))
        say(f"The tables are {table} and table.json in the same folder.")
