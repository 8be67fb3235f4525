"""Where features of sets lie, whose they are, and the distances between the sets."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.errors import InputError
from bdmm.evaluation.jobs.clip_job import ClipJob, Plan, set_detectors_of
from bdmm.evaluation.jobs.reenactment import JudgedFrame
from bdmm.evaluation.jobs.score import fit_pair
from bdmm.evaluation.jobs.set_features import FeatureCollector, FeatureFiles
from bdmm.evaluation.jobs.set_results import TEST, TRAIN, SetDistance, distances_of_sets
from bdmm.evaluation.jobs.subjects import Subject
from bdmm.files.worker_pool import run_jobs
from bdmm.media.pixels import to_pictures
from bdmm.metrics.frame_metrics import FramePair
from bdmm.metrics.protocols import find_protocol

_OF_SYSTEM = ("system", "generated")
"""What a clip's truth does not depend on."""
_AT_ONCE = 24


def feature_files(folder: Path, stem: str, subject: Subject, plan: Plan) -> FeatureFiles | None:
    """Return where the features of a clip go; None where there is no detector.

    Args:
        folder: of features.
        stem: of the clip's other files.
        subject: the clip.
        plan: says which detectors.
    """
    detectors = set_detectors_of(plan)
    if not detectors.any:
        return None
    own = {key: value for key, value in subject.identity().items() if key not in _OF_SYSTEM}
    made = _digest([detectors.settings, plan.features_every, plan.protocol])
    true = _digest([own, made])
    return FeatureFiles(
        folder / f"{stem}-{made}.safetensors",
        folder / f"true--{subject.clip}-{true}.safetensors",
    )


def compare_sets(
    jobs: Sequence[ClipJob], plan: Plan, folder: Path, workers: int
) -> tuple[list[SetDistance], dict[str, str]]:
    """Return the distances of the systems' sets, and which are not computed and why.

    Args:
        jobs: finished ones, of clips that all systems finished.
        plan: says which detectors, and where the training set is.
        folder: of features.
        workers: processes that look at the training set.

    Raises:
        InputError: the training set or a file of features is damaged.
    """
    detectors = set_detectors_of(plan)
    missing = dict(detectors.not_computed)
    if not detectors.any:
        return [], missing
    generated: dict[str, dict[str, Path]] = {}
    true: dict[str, Path] = {}
    for job in jobs:
        assert job.features is not None, "there are detectors"
        generated.setdefault(job.subject.system, {})[job.subject.clip] = job.features.generated
        true[job.subject.clip] = job.features.true
    real = {TEST: true}
    if plan.real:
        real[TRAIN] = _training_set(plan, folder, workers)
    distances, lacking = distances_of_sets(generated, real, detectors)
    return distances, missing | lacking


@dataclass(frozen=True)
class _TrueClip:
    """A prepared clip of the training set, and where its features go."""

    folder: Path
    path: Path


def _training_set(plan: Plan, folder: Path, workers: int) -> dict[str, Path]:
    """Gather the features of the training set; those that are there are not gathered again."""
    settings = [set_detectors_of(plan).settings, plan.features_every, plan.protocol]
    clips = []
    for clip in (path for one in plan.real for path in find_clips(one)):
        described = hashlib.sha256((clip / "clip.json").read_bytes()).hexdigest()
        name = f"train--{clip.name}-{_digest([described, settings])}.safetensors"
        clips.append(_TrueClip(clip, folder / name))
    names = [one.folder.name for one in clips]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"The training set has two clips {name}: give each one name.")
    todo = [one for one in clips if not one.path.is_file()]
    for outcome in run_jobs(partial(_look_at, plan=plan), todo, workers):
        if outcome.reason:
            raise InputError(f"The training set cannot be used: {outcome.reason}")
    return {one.folder.name: one.path for one in clips}


def _look_at(clip: _TrueClip, plan: Plan) -> None:
    files = FeatureFiles(clip.path, clip.path)
    name = clip.folder.name
    with FeatureCollector(name, files, set_detectors_of(plan), plan.features_every) as collector:
        for _ in collector.watch(_true_frames(clip.folder, plan)):
            pass
        collector.finish()


def _true_frames(folder: Path, plan: Plan) -> Iterator[JudgedFrame]:
    clip, rules = PreparedClip(folder), find_protocol(plan.protocol)
    for start in range(0, len(clip), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(clip))
        for number, picture in enumerate(to_pictures(clip.frames(start, stop)), start):
            pair = FramePair(f"{clip.info.name} frame {number}", picture, picture)
            yield JudgedFrame(number, fit_pair(pair, rules))


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
