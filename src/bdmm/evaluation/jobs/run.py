"""Many clips of many systems: in processes, streamed to disk, taken up again where it stopped."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bdmm.errors import InputError
from bdmm.evaluation.jobs.clip_job import (
    ClipJob,
    Plan,
    judge_clip,
    judges_of,
    read_result,
    set_detectors_of,
)
from bdmm.evaluation.jobs.results import Failure, Results, gather
from bdmm.evaluation.jobs.set_jobs import compare_sets, feature_files
from bdmm.evaluation.jobs.subjects import Subject
from bdmm.files.output_file import check_folder, locked, writing
from bdmm.files.worker_pool import run_jobs
from bdmm.metrics.protocols import find_protocol

ROWS, PICTURES, FEATURES = "rows", "pictures", "features"
"""Folders of a report: numbers frame by frame, what frames look like, features of detectors."""
_FORMAT = 1


@dataclass(frozen=True)
class Workplace:
    """Where the work is done.

    Attributes:
        folder: of the report, made where it is missing.
        workers: processes; 0 for none but this one.
        again: judge finished clips again: files are told apart by weights, clips and settings, but
            not by the program's code.
        pictures: clips of which pictures and a video are made, spread over all.
        progress: is told what is done, how many clips and of how many.
    """

    folder: Path
    workers: int = 0
    again: bool = False
    pictures: int = 0
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
    hashes = detector_hashes(plan)
    for name in (ROWS, PICTURES, FEATURES):
        with writing(place.folder):
            (place.folder / name).mkdir(parents=True, exist_ok=True)
    check_folder(place.folder)
    shown = _shown(subjects, place.pictures)
    jobs = [_job(one, plan, place, hashes, one.clip in shown) for one in subjects]
    with locked(place.folder):
        _clear(place.folder)
        todo = [job for job in jobs if place.again or not job.finished()]
        failures = _work(todo, plan, place, len(jobs) - len(todo))
    if len(failures) == len(jobs):
        raise InputError(f"No clip could be judged; the first failed with: {failures[0].reason}")
    failed = {(one.system, one.clip) for one in failures}
    judged = [one for one in jobs if (one.subject.system, one.subject.clip) not in failed]
    results = gather([read_result(job.rows) for job in judged], failures)
    kept = [job for job in judged if job.subject.clip not in results.left_out]
    distances, missing = compare_sets(kept, plan, place.folder / FEATURES, place.workers)
    return replace(results, sets=tuple(distances), sets_missing=missing)


def settings_of(plan: Plan) -> dict[str, Any]:
    """Return what numbers depend on beside clips and systems, for a report."""
    side = find_protocol(plan.protocol).frame_size
    return {
        "features_every": plan.features_every,
        "stride": 1,
        "resize": "none" if side is None else f"Lanczos, anti-aliased, to {side} x {side}",
        "training_set": [str(one) for one in plan.real],
        "seed of clips for FVD": 0,
    }


def missing_metrics(plan: Plan) -> dict[str, str]:
    """Return metric of frames or clips -> why it is not computed."""
    missing = dict(judges_of(plan)[1])
    if not plan.poses:
        missing["keypoint error"] = "not computed: not asked for"
    return missing


def all_hashes(plan: Plan) -> dict[str, str]:
    """Return the SHA-256 of every file of weights that was read, by its name."""
    own = {name: one["sha256"] for name, one in set_detectors_of(plan).settings.items()}
    return detector_hashes(plan) | own


def detector_hashes(plan: Plan) -> dict[str, str]:
    """Return the SHA-256 of every file of weights that judges of frames read, by its name."""
    return {name: value for one in judges_of(plan)[0] for name, value in one.hashes.items()}


def _work(jobs: Sequence[ClipJob], plan: Plan, place: Workplace, done: int) -> list[Failure]:
    total, stage = done + len(jobs), "Judging clips"
    place.progress(stage, done, total)
    failures = []
    for job in jobs:
        if job.pictures is not None:
            shutil.rmtree(job.pictures, ignore_errors=True)
        if job.features is not None:
            job.features.generated.unlink(missing_ok=True)
    threads = max(1, (os.cpu_count() or 1) // max(1, min(place.workers, len(jobs))))
    work = partial(judge_clip, plan=plan, threads=threads)
    for outcome in run_jobs(work, jobs, place.workers):
        done += 1
        place.progress(stage, done, total)
        if outcome.no_room:
            raise InputError(f"{outcome.reason} Finished clips were kept; run it again to go on.")
        if outcome.reason:
            subject = outcome.job.subject
            failures.append(Failure(subject.system, subject.clip, outcome.reason))
    return failures


def _clear(folder: Path) -> None:
    """Remove what a killed run left half-made."""
    for name in (ROWS, PICTURES, FEATURES):
        for litter in (folder / name).glob(".*"):
            if litter.is_dir():
                shutil.rmtree(litter, ignore_errors=True)
            else:
                litter.unlink(missing_ok=True)


def _shown(subjects: Sequence[Subject], count: int) -> set[str]:
    """Return the names of the clips of which there are pictures, spread over all."""
    names = sorted({one.clip for one in subjects})
    step = max(1.0, len(names) / max(count, 1))
    return {names[int(i * step)] for i in range(min(count, len(names)))}


def _job(
    subject: Subject, plan: Plan, place: Workplace, hashes: Mapping[str, str], shown: bool
) -> ClipJob:
    stem = _stem(subject, plan, hashes)
    pictures = place.folder / PICTURES / stem if shown else None
    features = feature_files(place.folder / FEATURES, stem, subject, plan)
    return ClipJob(subject, place.folder / ROWS / f"{stem}.jsonl", pictures, features)


def _stem(subject: Subject, plan: Plan, hashes: Mapping[str, str]) -> str:
    """Return a name that is another one whenever the numbers would be."""
    depends = {
        "format": _FORMAT,
        "program": version("bdmm"),
        "protocol": plan.protocol,
        "features_every": plan.features_every,
        "poses": plan.poses,
        "detectors": dict(hashes),
        "of": subject.identity(),
    }
    digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
    readable = "--".join(re.sub(r"[^\w.\-]+", "_", part) for part in (subject.system, subject.clip))
    return f"{readable}-{digest[:12]}"
