"""The paper's ablations: rows trained under one budget, then scored on the same clips.

STUDY/ablation.json    what all rows have in common, written at the start
STUDY/ROW/SEED/        a run's folder each, with finished.json once it is
STUDY/report/          numbers of every run on every clip
STUDY/table.md, .json  the tables
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bdmm.config import ABLATIONS
from bdmm.data.clip_store import find_clips
from bdmm.errors import InputError, Progress, no_progress
from bdmm.evaluation.config import EvalConfig
from bdmm.evaluation.evaluate import evaluate_clips, missing_metrics
from bdmm.evaluation.jobs.reenactment import choose_clips
from bdmm.evaluation.reports.report_file import Report, save_report
from bdmm.files.output_file import check_folder, write_whole, writing
from bdmm.files.outside import TEXT, read_json
from bdmm.metrics.published import OURS, TABLE_2, TABLE_S1, PublishedTable, Value
from bdmm.network.weights import FILE_NAME as WEIGHTS
from bdmm.training.feature_extractor import load_features
from bdmm.training.loop import Preview
from bdmm.training.run_folder import read_settings
from bdmm.training.settings import TrainSettings, as_record
from bdmm.training.start import Machine, Material, open_clips, start

RECORD, FINISHED, REPORT = "ablation.json", "finished.json", "report"
_FORMAT = 1


@dataclass(frozen=True)
class Ablation:
    """A row of Table 2 or of Table S1.

    Attributes:
        key: short name, for options and folders.
        table: that table; None for the full model, which is in both.
        network: settings of the network that are turned off.
        losses: losses whose weight becomes 0.
    """

    key: str
    name: str
    table: PublishedTable | None = None
    network: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()

    def published(self) -> Mapping[str, Value]:
        """Return metric -> number that the paper prints for this row."""
        return (self.table or TABLE_2).rows[self.name if self.table else OURS]


FULL = Ablation("full", OURS)
"""The full model: everything is compared with it."""

_NETWORK_KEYS = {
    "no-dmm": "DMM",
    "no-dcn": "DCN",
    "no-style-weight": "style weight",
    "no-feature-concat": "feature concat",
    "no-motion-mask": "motion mask",
    "no-forward": "forward propagation",
    "no-backward": "backward propagation",
    "no-structural-recurrence": "recurrent structural flow",
}
# A compositing head has more L1 distances of colours than the paper's one.
_LOSSES = {
    "no-l1": ("L1 loss", ("reconstruction", "person", "synthesis")),
    "no-perceptual": ("perceptual loss", ("perceptual",)),
    "no-style-loss": ("style loss", ("style",)),
    "no-cx": ("CX loss", ("contextual",)),
    "no-spatial-adversary": ("spatial adv loss", ("spatial_adversarial",)),
    "no-temporal-adversary": ("temporal adv loss", ("temporal_adversarial",)),
}

ROWS: Mapping[str, Ablation] = MappingProxyType(
    {FULL.key: FULL}
    | {
        key: Ablation(key, f"w/o {part}", TABLE_2, network=(ABLATIONS[part],))
        for key, part in _NETWORK_KEYS.items()
    }
    | {
        key: Ablation(key, f"w/o {part}", TABLE_S1, losses=losses)
        for key, (part, losses) in _LOSSES.items()
    }
)
"""The full model, the 8 rows of Table 2 and the 6 of Table S1, by their short names."""


def ablated(base: TrainSettings, row: Ablation, seed: int) -> TrainSettings:
    """Return the settings of a row: the full model's without what the row leaves out.

    Args:
        seed: decides the initial weights and the samples, alike for all rows.
    """
    return replace(
        base,
        network=replace(base.network, **dict.fromkeys(row.network, False)),
        losses=replace(base.losses, **dict.fromkeys(row.losses, 0.0)),
        seed=seed,
    )


def changes(base: TrainSettings, row: Ablation) -> bool:
    """Return whether a row differs from the full model: not where that lacks the part as well."""
    return row.table is None or ablated(base, row, base.seed) != base


def choose_rows(base: TrainSettings, keys: Sequence[str] = ()) -> list[Ablation]:
    """Return rows in the paper's order, always with the full model.

    Args:
        keys: short names; all rows that change something if empty.

    Raises:
        InputError: a name is unknown, or its row would be the full model again.
    """
    for key in keys:
        if key not in ROWS:
            raise InputError(f"There is no row {key!r:.40}; choose from {', '.join(ROWS)}.")
        if not changes(base, ROWS[key]):
            raise InputError(
                f"The preset {base.preset} does without what the row {key} leaves out: the row "
                "would be the full model again; leave it out."
            )
    wanted = {*keys, FULL.key} if keys else {key for key in ROWS if changes(base, ROWS[key])}
    return [row for key, row in ROWS.items() if key in wanted]


@dataclass(frozen=True)
class Study:
    """An ablation.

    Attributes:
        base: settings of the full model; the seed does not count.
        rows: that are trained, the full model among them.
        seeds: every row is trained once with each.
        test: prepared clips, or folders of them, that all rows are scored on.
        split: only test clips of this split; all if None.
        limit: at most so many test clips, spread over all.
    """

    base: TrainSettings
    rows: Sequence[Ablation]
    seeds: Sequence[int]
    material: Material
    test: tuple[Path, ...]
    folder: Path
    split: str | None = None
    limit: int | None = None

    @property
    def runs(self) -> list[tuple[Ablation, int]]:
        """Every row with every seed; a seed's rows follow each other, so they can be compared."""
        return [(row, seed) for seed in self.seeds for row in self.rows]

    def run_folder(self, row: Ablation, seed: int) -> Path:
        """Return the folder of a run."""
        return self.folder / row.key / str(seed)


def check(study: Study, config: EvalConfig) -> None:
    """Check all that could go wrong, without writing anything.

    Raises:
        InputError: there are no clips or they do not fit the network, a clip is in the training and
            in the test data, weights of VGG-19 or of a metric are missing or damaged, or the
            folder holds another study or other files.
    """
    seeds = list(study.seeds)
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise InputError(f"The seeds must be different numbers of 0 or more, not {seeds}.")
    trained = {clip.folder.resolve() for clip in open_clips(study.base, study.material).clips}
    for tested in choose_clips(study.test, study.split, study.limit):
        if tested.resolve() in trained:
            raise InputError(f"The clip {tested} is both in the training and in the test data.")
    load_features(study.material.vgg, study.base.losses)
    missing_metrics(config)
    _check_folder(study)


def train_rows(
    study: Study,
    machine: Machine,
    progress: Progress,
    previews: Callable[[Path], Preview | None] = lambda run: None,
) -> bool:
    """Train what is not finished; return False if that was stopped by a signal.

    Args:
        study: what is trained.
        machine: on what.
        progress: is called after every step.
        previews: folder of a run -> what is called with each of its checkpoints.

    Raises:
        InputError: see `training.start.start`.
    """
    with writing(study.folder):
        study.folder.mkdir(parents=True, exist_ok=True)
    check_folder(study.folder)
    _write_json(study.folder / RECORD, _record(study))
    for number, (row, seed) in enumerate(study.runs, start=1):
        run = study.run_folder(row, seed)
        if is_finished(run):
            continue
        stage = f"{number} of {len(study.runs)}: {row.key}, seed {seed}"
        started = time.monotonic()
        settings, material = ablated(study.base, row, seed), study.material

        def show(_: str, done: int, total: int | None, stage: str = stage) -> None:
            progress(stage, done, total)

        outcome = start(settings, material, run, machine, show, preview=previews(run))
        if not outcome.finished:
            return False
        seconds = round(time.monotonic() - started, 1)
        _write_json(run / FINISHED, {"step": outcome.step, "seconds_since_resumed": seconds})
    return True


def score_rows(study: Study, config: EvalConfig, progress: Progress = no_progress) -> Report:
    """Score every run of a trained study, and the baselines, and write the report.

    Raises:
        InputError: see `evaluate_clips`.
    """
    weights = tuple(f"{system_name(*run)}={study.run_folder(*run)}" for run in study.runs)
    folder = study.folder / REPORT
    report = evaluate_clips(
        weights,
        study.test,
        folder,
        config,
        split=study.split,
        limit=study.limit,
        progress=progress,
    )
    save_report(folder, report)
    return report


def system_name(row: Ablation, seed: int) -> str:
    """Return the name of a run in the report."""
    return f"{row.key}-{seed}"


def is_finished(run: Path) -> bool:
    """Return whether a run has done all its steps and its weights are there."""
    return (run / FINISHED).is_file() and (run / WEIGHTS).is_file()


def _check_folder(study: Study) -> None:
    """Check that a folder is empty or holds this study."""
    path = study.folder / RECORD
    if not study.folder.exists():
        return
    if not study.folder.is_dir():
        raise InputError(f"{study.folder} is a file: give the name of a folder.")
    if not path.is_file():
        if any(study.folder.iterdir()):
            raise InputError(f"{study.folder} holds other files: choose a new folder.")
        return
    theirs = read_json(path, TEXT, f"{path} is damaged: choose another folder.")
    name = _difference(_record(study), theirs)
    if name is not None:
        raise InputError(
            f"{study.folder} holds an ablation with another {name}: its rows could not be "
            "compared with these; choose another folder."
        )
    for run in study.runs:
        _check_run(study.run_folder(*run), ablated(study.base, *run))


def _check_run(run: Path, settings: TrainSettings) -> None:
    theirs = read_settings(run) if run.is_dir() else None
    name = None if theirs is None else _difference(as_record(settings), theirs)
    if name is not None:
        raise InputError(f"{run} holds a run with another {name}: remove it or choose another.")


def _record(study: Study) -> dict[str, Any]:
    """Return what decides the numbers of all rows alike, as JSON holds it."""
    material = study.material
    clips = [
        path.name for folder in material.clips for path in find_clips(folder)
    ]  # names alone, so that the data may be moved
    augmentation = None if material.augmentation is None else asdict(material.augmentation)
    return {
        "format": _FORMAT,
        "augmentation": augmentation,
        "training clips": clips,
        "split": material.split,
        **as_record(replace(study.base, seed=0)),
    }


def _difference(ours: dict[str, Any], theirs: Any) -> str | None:
    """Return the name of the first setting that two records do not share."""
    if not isinstance(theirs, dict):
        return "format"
    names = dict.fromkeys([*ours, *theirs])
    free = ("save_every", "log_every")
    return next((n for n in names if n not in free and ours.get(n) != theirs.get(n)), None)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=1) + "\n")
