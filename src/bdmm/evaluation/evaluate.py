"""Clips of systems in, a report out: in processes, streamed to disk, resumed where it stopped."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bdmm.batch.run import Ended, Run, work_through
from bdmm.errors import InputError, Progress, no_progress
from bdmm.evaluation.config import EvalConfig, EvalItem
from bdmm.evaluation.jobs.clip_job import ClipJob, read_result, score_clip
from bdmm.evaluation.jobs.distribution_distances import compare_distributions, digest, feature_files
from bdmm.evaluation.jobs.distribution_features import open_set_detectors
from bdmm.evaluation.jobs.feature_metrics import open_feature_metrics
from bdmm.evaluation.jobs.reenactment import choose_clips, reenactment_items
from bdmm.evaluation.jobs.scores import Failure, Results, gather
from bdmm.evaluation.jobs.stored_frames import find_stored, stored_items
from bdmm.evaluation.reports.report_file import PICTURES, ROWS, Report, program_versions
from bdmm.evaluation.systems import list_systems, split_name, weights_hash
from bdmm.files.output_file import check_folder, locked, sweep, writing

FEATURES = "features"
"""Folder of a report with the features of detectors."""
_FORMAT = 2


def evaluate_clips(
    weights: Sequence[str],
    data: Sequence[Path],
    folder: Path,
    config: EvalConfig,
    *,
    split: str | None = None,
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Report:
    """Score networks and the baselines by self-reenactment of prepared clips.

    Everything is checked before the long work. Clips scored before under the same settings are
    read from the folder.

    Args:
        folder: of the report, made where it is missing.

    Raises:
        InputError: see `choose_clips`, `list_systems` and `run`.
    """
    systems = list_systems(weights)
    items = reenactment_items(systems, choose_clips(data, split, limit), config)
    return Report(
        kind="reenactment",
        results=run(items, config, folder, progress),
        systems=[
            {"name": name, "where": where, "sha256": weights_hash(where)}
            for name, where in systems.items()
        ],
        settings={
            "data": [str(path) for path in data],
            "split": split,
            "limit": limit,
            "reenactment": config.reenactment(),
            **_settings(config),
        },
        not_computed=missing_metrics(config),
        **_provenance(config),
    )


def score_stored(
    generated: str,
    target: Path | None,
    folder: Path,
    config: EvalConfig,
    progress: Progress = no_progress,
) -> Report:
    """Score the frames that any system left on disk.

    Args:
        generated: a video, folder of pictures or folder of clips, as ``NAME=PATH`` or bare.
        target: the true frames; None where the output holds them.

    Raises:
        InputError: see `find_stored` and `run`.
    """
    name, path = split_name(generated)
    clips = find_stored(path, target)
    results = run(stored_items(name, clips, config), config, folder, progress)
    missing = missing_metrics(config)
    missing["keypoint error"] = "not computed: needs prepared clips, which know the motion"
    if config.rules.regions:
        missing["person, face, hands"] = "not computed: needs prepared clips, which know the person"
    return Report(
        kind="frames",
        results=results,
        systems=[{"name": name, "where": str(path), "sha256": ""}],
        settings={
            "generated": str(path),
            "target": None if target is None else str(target),
            "layouts": sorted({one.kind for one in clips}),
            "skip_bad": config.skip_bad,
            **_settings(config),
        },
        not_computed=missing,
        **_provenance(config),
    )


def run(
    items: Sequence[EvalItem], config: EvalConfig, folder: Path, progress: Progress = no_progress
) -> Results:
    """Score clips and return the results; finished clips are not scored again.

    Raises:
        InputError: weights behind a metric are damaged, the disk is full, or not one clip could be
            scored.
        Unfinished: other shards have not ended.
    """
    hashes = _metric_hashes(config)
    for name in (ROWS, PICTURES, FEATURES):
        with writing(folder):
            (folder / name).mkdir(parents=True, exist_ok=True)
    check_folder(folder)
    shown = _shown(items, config.pictures)
    jobs = [_job(one, config, folder, hashes, one.clip in shown) for one in items]
    with locked(folder, config.shard.lock):
        for name in (ROWS, PICTURES, FEATURES):
            sweep(folder / name)
        ended = _work(jobs, config, folder, progress)
    failures = [
        Failure(job.item.system, job.item.clip, one.reason)
        for job, one in zip(jobs, ended.records, strict=True)
        if not one.done
    ]
    if len(failures) == len(jobs):
        raise InputError(f"No clip could be scored; the first failed with: {failures[0].reason}")
    failed = {(one.system, one.clip) for one in failures}
    scored = [one for one in jobs if (one.item.system, one.item.clip) not in failed]
    results = gather([read_result(job.rows) for job in scored], failures)
    kept = [(job.item, job.features) for job in scored if job.item.clip not in results.left_out]
    distances, missing = compare_distributions(kept, config, folder / FEATURES)
    return replace(results, sets=tuple(distances), sets_missing=missing)


def missing_metrics(config: EvalConfig) -> dict[str, str]:
    """Return metric of frames or clips -> why it is not computed."""
    missing = dict(open_feature_metrics(config)[1])
    if not config.keypoints:
        missing["keypoint error"] = "not computed: not asked for"
    return missing


def _settings(config: EvalConfig) -> dict[str, Any]:
    """Return what numbers depend on besides clips and systems, for a report."""
    side = config.rules.frame_size
    return {
        "features_every": config.features_every,
        "stride": 1,
        "resize": "none" if side is None else f"Lanczos, anti-aliased, to {side} x {side}",
        "training_set": [str(one) for one in config.training_set],
        "seed of clips for FVD": 0,
    }


def _provenance(config: EvalConfig) -> dict[str, Any]:
    """Return the protocol, the SHA-256 of every file of weights by its name, and versions."""
    sets = {name: one["sha256"] for name, one in open_set_detectors(config).settings.items()}
    return {
        "protocol": asdict(config.rules),
        "detectors": _metric_hashes(config) | sets,
        "versions": program_versions(),
    }


def _metric_hashes(config: EvalConfig) -> dict[str, str]:
    metrics = open_feature_metrics(config)[0]
    return {name: value for one in metrics for name, value in one.hashes.items()}


def _work(jobs: Sequence[ClipJob], config: EvalConfig, folder: Path, progress: Progress) -> Ended:
    workers = max(1, min(config.distributor.workers, len(jobs)))
    threads = config.distributor.cpus
    if config.distributor.ray is None:
        threads = max(threads, (os.cpu_count() or 1) // workers)
    return work_through(
        Run(folder, config.distributor, config.recompute, progress, config.shard),
        jobs,
        partial(score_clip, config=config, threads=threads),
        finished=lambda job, _: job.finished(),
        clear=ClipJob.clear,
        stage="Scoring clips",
    )


def _shown(items: Sequence[EvalItem], count: int) -> set[str]:
    """Return the names of the clips that get pictures, spread over all."""
    names = sorted({one.clip for one in items})
    step = max(1.0, len(names) / max(count, 1))
    return {names[int(i * step)] for i in range(min(count, len(names)))}


def _job(
    item: EvalItem, config: EvalConfig, folder: Path, hashes: Mapping[str, str], shown: bool
) -> ClipJob:
    """Return a job whose files have another name whenever the numbers would differ."""
    depends = {
        "format": _FORMAT,
        "program": version("bdmm"),
        "protocol": config.protocol,
        "features_every": config.features_every,
        "poses": config.keypoints,
        "detectors": dict(hashes),
        "of": item.identity,
    }
    readable = "--".join(re.sub(r"[^\w.\-]+", "_", part) for part in (item.system, item.clip))
    stem = f"{readable}-{digest(depends)}"
    pictures = folder / PICTURES / stem if shown else None
    features = feature_files(folder / FEATURES, stem, item, config)
    return ClipJob(item, folder / ROWS / f"{stem}.jsonl", pictures, features)
