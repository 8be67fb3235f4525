"""One clip of one system judged, start to end; sent to other processes."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from bdmm.errors import InputError
from bdmm.evaluation.jobs.feature_metrics import Detectors, FeatureJudge, open_judges
from bdmm.evaluation.jobs.keypoint_metrics import PoseJudge
from bdmm.evaluation.jobs.pictures import Pictures
from bdmm.evaluation.jobs.reenactment import JudgedFrame
from bdmm.evaluation.jobs.results import ClipResult, RunningScores
from bdmm.evaluation.jobs.row_files import read_ends, write_rows
from bdmm.evaluation.jobs.score import FrameRow, Judging, fitted, score_frames
from bdmm.evaluation.jobs.set_features import (
    FeatureCollector,
    FeatureFiles,
    SetDetectors,
    open_set_detectors,
)
from bdmm.evaluation.jobs.subjects import Subject
from bdmm.evaluation.reports.report_file import plain, scores_of
from bdmm.files.output_file import appearing
from bdmm.metrics.protocols import find_protocol
from bdmm.metrics.running import Summary

_NOTES = 20
"""Sentences that are kept of a clip; more are counted."""


@dataclass(frozen=True)
class Plan:
    """How everything is judged.

    Attributes:
        protocol: its name.
        detectors: where the weights of judges are.
        features_every: only every so-manieth frame is shown to the judges of features.
        poses: find the keypoints again in the generated frames.
        sets: gather features of frames and clips for distances of sets.
        real: prepared clips of the training set, for distances from that.
    """

    protocol: str = "modern"
    detectors: Detectors = field(default_factory=Detectors)
    features_every: int = 1
    poses: bool = False
    sets: bool = True
    real: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        find_protocol(self.protocol)
        if self.features_every < 1:
            raise InputError(
                f"Features are judged on every {self.features_every}th frame; it must be 1 or more."
            )


@dataclass(frozen=True)
class ClipJob:
    """One clip of one system.

    Attributes:
        subject: the clip.
        rows: file for its numbers.
        pictures: new folder for its pictures; None for none.
        features: files for features of its frames; None for none.
    """

    subject: Subject
    rows: Path
    pictures: Path | None = None
    features: FeatureFiles | None = None

    def finished(self) -> bool:
        """Tell whether its numbers and pictures are there."""
        if not self.rows.is_file() or (self.pictures is not None and not self.pictures.is_dir()):
            return False
        if self.features is not None and not self.features.finished():
            return False
        try:
            read_result(self.rows)
        except InputError:
            return False
        return True


def judge_clip(job: ClipJob, plan: Plan, threads: int = 1) -> None:
    """Judge a clip and leave its rows, and what else is wanted of it, on disk.

    Args:
        job: the clip.
        plan: how it is judged.
        threads: that judge.

    Raises:
        InputError: its frames cannot be made or read, or nothing can be written.
    """
    subject, begun = job.subject, time.perf_counter()
    running, notes = RunningScores(), list[str]()
    rules = find_protocol(plan.protocol)
    judging = Judging(rules, judges_of(plan)[0], plan.features_every)
    with _Watchers(job, plan) as watchers:
        frames = watchers.watch(fitted(subject.frames(notes.append), rules))
        rows = running.watch(watchers.rate(score_frames(frames, judging, threads)))

        def foot() -> Mapping[str, Any]:
            if running.frames == 0:
                raise InputError(f"The clip {subject.clip} has no frame that could be judged.")
            scores = running.summaries() | watchers.finish()
            more = [f"And {len(notes) - _NOTES} more."] if len(notes) > _NOTES else []
            return {
                "scores": plain(scores),
                "seconds": round(time.perf_counter() - begun, 2),
                "notes": notes[:_NOTES] + more,
            }

        write_rows(job.rows, _head(subject, plan), rows, foot)


class _Watchers(AbstractContextManager["_Watchers"]):
    """What looks at a clip's frames beside the scores: pictures, features, poses."""

    def __init__(self, job: ClipJob, plan: Plan) -> None:
        self._stack = ExitStack()
        self._pictures: Pictures | None = None
        self._features: FeatureCollector | None = None
        self._poses: PoseJudge | None = None
        subject = job.subject
        if job.pictures is not None:
            part = self._stack.enter_context(appearing(job.pictures, folder=True))
            self._pictures = self._stack.enter_context(Pictures(part, subject.fps))
        if job.features is not None:
            looking = FeatureCollector(
                subject.clip, job.features, set_detectors_of(plan), plan.features_every
            )
            self._features = self._stack.enter_context(looking)
        if plan.poses:
            judge = PoseJudge(job.rows.parent, subject.fps)
            self._poses = self._stack.enter_context(judge)

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def watch(self, frames: Iterator[JudgedFrame]) -> Iterator[JudgedFrame]:
        for one in (self._pictures, self._features, self._poses):
            frames = frames if one is None else one.watch(frames)
        return frames

    def rate(self, rows: Iterator[FrameRow]) -> Iterator[FrameRow]:
        return rows if self._pictures is None else self._pictures.rate(rows)

    def finish(self) -> dict[str, dict[str, Summary]]:
        """Write what was gathered and return scores of the clip as a whole."""
        if self._pictures is not None:
            self._pictures.finish()
        if self._features is not None:
            self._features.finish()
        return {} if self._poses is None else self._poses.scores()


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


@lru_cache(maxsize=1)
def judges_of(plan: Plan) -> tuple[list[FeatureJudge], dict[str, str]]:
    """Return the judges of features that a plan names, and which metrics lack their weights."""
    return open_judges(plan.detectors, find_protocol(plan.protocol))


def set_detectors_of(plan: Plan) -> SetDetectors:
    """Return the networks whose features are compared as sets."""
    if not plan.sets:
        reason = "not computed: not asked for"
        return SetDetectors(not_computed={"FID": reason, "FVD": reason})
    where = plan.detectors
    rules = find_protocol(plan.protocol)
    return open_set_detectors(where.folder, where.vgg19, rules, where.device)


def _head(subject: Subject, plan: Plan) -> dict[str, Any]:
    return {
        "system": subject.system,
        "clip": subject.clip,
        "group": subject.group,
        "fps": subject.fps,
        "protocol": plan.protocol,
        "features_every": plan.features_every,
        "of": subject.identity(),
    }
