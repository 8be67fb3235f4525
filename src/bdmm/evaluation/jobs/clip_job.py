"""One clip of one system scored, start to end; runs in a process of its own."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig, EvalFrame, EvalItem
from bdmm.evaluation.jobs.distribution_features import (
    FeatureCollector,
    FeatureFiles,
    open_set_detectors,
)
from bdmm.evaluation.jobs.feature_metrics import open_feature_metrics
from bdmm.evaluation.jobs.keypoint_metrics import KeypointMetrics
from bdmm.evaluation.jobs.pictures import Pictures
from bdmm.evaluation.jobs.scores import (
    ClipResult,
    FrameRow,
    fitted,
    read_ends,
    score_frames,
    write_rows,
)
from bdmm.files.output_file import appearing
from bdmm.metrics.running import RunningScores, Summary

_NOTES = 20
"""Sentences that are kept of a clip; more are counted."""


@dataclass(frozen=True)
class ClipJob:
    """One clip of one system, and the files of its results.

    Attributes:
        rows: file for its numbers.
        pictures: new folder for its pictures; None for none.
        features: files for features of its frames; None for none.
    """

    item: EvalItem
    rows: Path
    pictures: Path | None = None
    features: FeatureFiles | None = None

    def finished(self) -> bool:
        """Return whether its numbers and pictures are there."""
        if not self.rows.is_file() or (self.pictures is not None and not self.pictures.is_dir()):
            return False
        if self.features is not None and not self.features.finished():
            return False
        try:
            read_result(self.rows)
        except InputError:
            return False
        return True


def score_clip(job: ClipJob, config: EvalConfig, threads: int = 1) -> None:
    """Score a clip and leave its rows, and what else is wanted of it, on disk.

    Raises:
        InputError: its frames cannot be made or read, or nothing can be written.
    """
    item, start = job.item, time.perf_counter()
    running, notes = RunningScores(), list[str]()
    metrics = open_feature_metrics(config)[0]
    fps, made = item.open(notes.append)
    count = 0

    def counted(rows: Iterator[FrameRow]) -> Iterator[FrameRow]:
        nonlocal count
        for row in rows:
            count += 1
            running.add(row.scores)
            yield row

    with _Observers(job, config, fps) as observers:
        frames = observers.watch(fitted(made, config.rules))
        rows = counted(observers.rate(score_frames(frames, config, metrics, threads)))

        def foot() -> Mapping[str, Any]:
            if count == 0:
                raise InputError(f"The clip {item.clip} has no frame that could be scored.")
            scores = running.summaries() | observers.finish()
            more = [f"And {len(notes) - _NOTES} more."] if len(notes) > _NOTES else []
            return {
                "scores": plain(scores),
                "seconds": round(time.perf_counter() - start, 2),
                "notes": notes[:_NOTES] + more,
            }

        head = {
            "system": item.system,
            "clip": item.clip,
            "group": item.group,
            "fps": fps,
            "protocol": config.protocol,
            "features_every": config.features_every,
            "of": item.identity,
        }
        write_rows(job.rows, head, rows, foot)


class _Observers(AbstractContextManager["_Observers"]):
    """What else sees a clip's frames: pictures, distribution features, keypoint metrics."""

    def __init__(self, job: ClipJob, config: EvalConfig, fps: float) -> None:
        self._stack = ExitStack()
        self._pictures: Pictures | None = None
        self._features: FeatureCollector | None = None
        self._keypoints: KeypointMetrics | None = None
        if job.pictures is not None:
            part = self._stack.enter_context(appearing(job.pictures, folder=True))
            self._pictures = self._stack.enter_context(Pictures(part, fps))
        if job.features is not None:
            collector = FeatureCollector(
                job.item.clip, job.features, open_set_detectors(config), config.features_every
            )
            self._features = self._stack.enter_context(collector)
        if config.keypoints:
            metrics = KeypointMetrics(job.rows.parent, fps)
            self._keypoints = self._stack.enter_context(metrics)

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def watch(self, frames: Iterator[EvalFrame]) -> Iterator[EvalFrame]:
        for one in (self._pictures, self._features, self._keypoints):
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
        return {} if self._keypoints is None else self._keypoints.scores()


def read_result(path: Path) -> ClipResult:
    """Read a clip's numbers back from the end of its file of rows.

    Raises:
        InputError: the file is damaged.
    """
    head, foot = read_ends(path)
    try:
        return clip_result({**head, **foot, "frames": foot["rows"], "rows_file": path.name})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged: remove it and evaluate again.") from error


def clip_result(values: Mapping[str, Any]) -> ClipResult:
    """Read a `ClipResult` back from JSON; damaged values raise what their conversion raises."""
    return ClipResult(
        system=str(values["system"]),
        clip=str(values["clip"]),
        group=str(values["group"]),
        frames=int(values["frames"]),
        fps=float(values["fps"]),
        scores={
            region: {metric: _summary(one) for metric, one in metrics.items()}
            for region, metrics in values["scores"].items()
        },
        rows_file=str(values["rows_file"]),
        notes=tuple(str(note) for note in values["notes"]),
    )


def _summary(values: Mapping[str, Any]) -> Summary:
    return Summary(
        float(values["mean"]),
        float(values["deviation"]),
        int(values["count"]),
        int(values["undefined"]),
        int(values.get("exact", 0)),
    )


def plain(value: Any) -> Any:
    """Return nested tables of dataclasses as tables alone, for JSON."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return asdict(value)
