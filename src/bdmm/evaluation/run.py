"""Many clips of many systems: in processes, streamed to disk, taken up again where it stopped."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bdmm.data.folder_lock import locked
from bdmm.data.worker_pool import run_jobs
from bdmm.errors import InputError
from bdmm.evaluation.feature_judges import Detectors, FeatureJudge, open_judges
from bdmm.evaluation.report_file import scores_of
from bdmm.evaluation.results import ClipResult, Failure, Results, RunningScores, gather
from bdmm.evaluation.row_files import read_ends, write_rows
from bdmm.evaluation.score import Judging, score_frames
from bdmm.evaluation.subjects import Subject
from bdmm.media.output_file import check_folder, writing
from bdmm.metrics.protocols import find_protocol

ROWS = "rows"
"""Folder with the rows of each clip."""
_FORMAT = 1
_NOTES = 20
"""Sentences that are kept of a clip; more are counted."""


@dataclass(frozen=True)
class Plan:
    """How everything is judged.

    Attributes:
        protocol: its name.
        detectors: where the weights of judges are.
        features_every: only every so-manieth frame is shown to the judges of features.
    """

    protocol: str = "modern"
    detectors: Detectors = field(default_factory=Detectors)
    features_every: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        find_protocol(self.protocol)
        if self.features_every < 1:
            raise InputError(
                f"Features are judged on every {self.features_every}th frame; it must be 1 or more."
            )


@dataclass(frozen=True)
class Workplace:
    """Where the work is done.

    Attributes:
        folder: of the report, made where it is missing.
        workers: processes; 0 for none but this one.
        again: judge finished clips again: files are told apart by weights, clips and settings, but
            not by the program's code.
        progress: is told what is done, how many clips and of how many.
    """

    folder: Path
    workers: int = 0
    again: bool = False
    progress: Callable[[str, int, int | None], None] = lambda stage, done, total: None


def run(subjects: Sequence[Subject], plan: Plan, place: Workplace) -> Results:
    """Judge clips and return what they came to; finished clips are not judged again.

    Args:
        subjects: all clips of all systems.
        plan: how they are judged.
        place: where.

    Raises:
        InputError: a judge's weights are damaged, the disk is full, or not one clip could be
            judged.
    """
    hashes = {name: value for one in _judges(plan) for name, value in one.hashes.items()}
    with writing(place.folder):
        (place.folder / ROWS).mkdir(parents=True, exist_ok=True)
    check_folder(place.folder)
    files = {id(one): place.folder / ROWS / _file_name(one, plan, hashes) for one in subjects}
    with locked(place.folder):
        todo = [one for one in subjects if place.again or not _finished(files[id(one)])]
        jobs = [_Job(one, files[id(one)]) for one in todo]
        failures = _work(jobs, plan, place, len(subjects) - len(todo))
    if len(failures) == len(subjects):
        raise InputError(f"No clip could be judged; the first failed with: {failures[0].reason}")
    failed = {(one.system, one.clip) for one in failures}
    judged = [files[id(one)] for one in subjects if (one.system, one.clip) not in failed]
    return gather([read_result(path) for path in judged], failures)


def missing_metrics(plan: Plan) -> dict[str, str]:
    """Return metric -> why it is not computed."""
    return open_judges(plan.detectors, find_protocol(plan.protocol))[1]


def detector_hashes(plan: Plan) -> dict[str, str]:
    """Return the SHA-256 of every file of weights that judges read, by a name for it."""
    return {name: value for one in _judges(plan) for name, value in one.hashes.items()}


def read_result(path: Path) -> ClipResult:
    """Read a clip's numbers back from the end of its file of rows.

    Raises:
        InputError: the file is damaged.
    """
    head, foot = read_ends(path)
    try:
        return ClipResult(
            system=str(head["system"]),
            clip=str(head["clip"]),
            group=str(head["group"]),
            frames=int(foot["rows"]),
            fps=float(head["fps"]),
            scores=scores_of(foot["scores"]),
            rows_file=path.name,
            notes=tuple(str(note) for note in foot["notes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged: remove it and evaluate again.") from error


@dataclass(frozen=True)
class _Job:
    subject: Subject
    path: Path


def _work(jobs: Sequence[_Job], plan: Plan, place: Workplace, done: int) -> list[Failure]:
    total, stage = done + len(jobs), "Judging clips"
    place.progress(stage, done, total)
    failures = []
    for outcome in run_jobs(partial(_judge, plan=plan), jobs, place.workers):
        done += 1
        place.progress(stage, done, total)
        if outcome.no_room:
            raise InputError(f"{outcome.reason} Finished clips were kept; run it again to go on.")
        if outcome.reason:
            subject = outcome.job.subject
            failures.append(Failure(subject.system, subject.clip, outcome.reason))
    return failures


def _judge(job: _Job, plan: Plan) -> None:
    """Judge one clip and leave its rows on disk."""
    subject, begun = job.subject, time.perf_counter()
    judging = Judging(find_protocol(plan.protocol), _judges(plan), plan.features_every)
    running, notes = RunningScores(), list[str]()
    rows = running.watch(score_frames(subject.frames(notes.append), judging))
    head = {
        "system": subject.system,
        "clip": subject.clip,
        "group": subject.group,
        "fps": subject.fps,
        "protocol": plan.protocol,
        "features_every": plan.features_every,
        "of": subject.identity(),
    }

    def foot() -> Mapping[str, Any]:
        if running.frames == 0:
            raise InputError(f"The clip {subject.clip} has no frame that could be judged.")
        scores = {
            region: {metric: asdict(one) for metric, one in metrics.items()}
            for region, metrics in running.summaries().items()
        }
        seconds = round(time.perf_counter() - begun, 2)
        more = [f"And {len(notes) - _NOTES} more."] if len(notes) > _NOTES else []
        return {"scores": scores, "seconds": seconds, "notes": notes[:_NOTES] + more}

    write_rows(job.path, head, rows, foot)


def _file_name(subject: Subject, plan: Plan, hashes: Mapping[str, str]) -> str:
    """Return a name that is another one whenever the numbers would be."""
    depends = {
        "format": _FORMAT,
        "program": version("bdmm"),
        "protocol": plan.protocol,
        "features_every": plan.features_every,
        "detectors": dict(hashes),
        "of": subject.identity(),
    }
    digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
    readable = "--".join(re.sub(r"[^\w.\-]+", "_", part) for part in (subject.system, subject.clip))
    return f"{readable}-{digest[:12]}.jsonl"


def _finished(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        read_result(path)
    except InputError:
        return False
    return True


@lru_cache(maxsize=1)
def _judges(plan: Plan) -> list[FeatureJudge]:
    return open_judges(plan.detectors, find_protocol(plan.protocol))[0]
