"""Every row of an ablation trained under one budget, then judged on the same clips.

STUDY/ablation.json    what all rows have in common, written at the start
STUDY/ROW/SEED/        a run's folder each, with finished.json once it is
STUDY/report/          numbers of every run on every clip
STUDY/table.md, .json  the tables
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bdmm.data.clip_store import find_clips
from bdmm.errors import InputError, Progress
from bdmm.evaluation.ablation.rows import Ablation, ablated
from bdmm.evaluation.evaluate import (
    ClipChoice,
    Reenacting,
    choose_clips,
    evaluate_reenactments,
)
from bdmm.evaluation.jobs.clip_job import Plan
from bdmm.evaluation.jobs.run import Workplace, missing_metrics
from bdmm.evaluation.reports.report_file import Report, save_report
from bdmm.files.output_file import appearing, check_folder, writing
from bdmm.files.outside import TEXT, read_json
from bdmm.network.weights import FILE_NAME as WEIGHTS
from bdmm.training.run_folder import read_settings
from bdmm.training.settings import TrainSettings, as_record
from bdmm.training.start import Machine, Material, open_clips, start
from bdmm.training.terms import load_eye

RECORD, FINISHED, REPORT = "ablation.json", "finished.json", "report"
_FORMAT = 1


@dataclass(frozen=True)
class Study:
    """An ablation.

    Attributes:
        base: settings of the full model; the seed does not count.
        rows: what is trained, the full model among them.
        seeds: every row is trained once with each.
        material: what they learn from.
        test: the clips that they are judged on.
        folder: of the study.
    """

    base: TrainSettings
    rows: Sequence[Ablation]
    seeds: Sequence[int]
    material: Material
    test: ClipChoice
    folder: Path

    @property
    def runs(self) -> list[tuple[Ablation, int]]:
        """Every row with every seed; a seed's rows follow each other, so they can be compared."""
        return [(row, seed) for seed in self.seeds for row in self.rows]

    def place(self, row: Ablation, seed: int) -> Path:
        """Return the folder of a run."""
        return self.folder / row.key / str(seed)

    def settings(self, row: Ablation, seed: int) -> TrainSettings:
        """Return the settings of a run."""
        return ablated(self.base, row, seed)


def check(study: Study, plan: Plan) -> None:
    """Check all that could go wrong, without writing anything.

    Args:
        study: the ablation.
        plan: how it will be judged.

    Raises:
        InputError: there are no clips or they do not fit the network, a clip would be learnt from
            and judged on, weights of VGG-19 or of a judge are missing or damaged, or the folder
            holds another study or other files.
    """
    seeds = list(study.seeds)
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise InputError(f"The seeds must be different numbers of 0 or more, not {seeds}.")
    learnt = {clip.folder.resolve() for clip in open_clips(study.base, study.material).clips}
    for judged in choose_clips(study.test):
        if judged.resolve() in learnt:
            raise InputError(f"The clip {judged} is both learnt from and judged on.")
    load_eye(study.material.vgg, study.base.losses)
    missing_metrics(plan)
    _check_folder(study)


def train_rows(study: Study, machine: Machine, progress: Progress) -> bool:
    """Train what is not finished; return False if that was stopped by a signal.

    Args:
        study: checked.
        machine: what it is computed on.
        progress: is told the run and its steps.

    Raises:
        InputError: see `training.start.start`.
    """
    with writing(study.folder):
        study.folder.mkdir(parents=True, exist_ok=True)
    check_folder(study.folder)
    _write_json(study.folder / RECORD, _record(study))
    for number, (row, seed) in enumerate(study.runs, start=1):
        run = study.place(row, seed)
        if is_finished(run):
            continue
        stage = f"{number} of {len(study.runs)}: {row.key}, seed {seed}"
        begun = time.monotonic()
        settings, material = study.settings(row, seed), study.material
        outcome = start(settings, material, run, machine, _named(stage, progress))
        if not outcome.finished:
            return False
        seconds = round(time.monotonic() - begun, 1)
        _write_json(run / FINISHED, {"step": outcome.step, "seconds_since_resumed": seconds})
    return True


def judge_rows(study: Study, plan: Plan, making: Reenacting, place: Workplace) -> Report:
    """Judge every run of a trained study, beside the baselines, and write the report.

    Args:
        study: trained.
        plan: how it is judged.
        making: who plays what and where; its weights are put in here.
        place: where; its folder is put in here.

    Raises:
        InputError: see `evaluate_reenactments`.
    """
    named = tuple(f"{system_name(*run)}={study.place(*run)}" for run in study.runs)
    folder = study.folder / REPORT
    report = evaluate_reenactments(
        study.test, replace(making, weights=named), plan, replace(place, folder=folder)
    )
    save_report(folder, report)
    return report


def system_name(row: Ablation, seed: int) -> str:
    """Return what a run is called in the report."""
    return f"{row.key}-{seed}"


def is_finished(run: Path) -> bool:
    """Tell whether a run has done all its steps and its weights are there."""
    return (run / FINISHED).is_file() and (run / WEIGHTS).is_file()


def _named(stage: str, progress: Progress) -> Progress:
    return lambda _, done, total: progress(stage, done, total)


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
        _check_run(study.place(*run), study.settings(*run))


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
    ]  # by name alone, so that the data may be moved
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
    with appearing(path) as part, writing(path):
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
