"""One clip of one system scored, start to end; runs in a process of its own."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig, EvalItem
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

    @property
    def name(self) -> str:
        """Name of its files, another one whenever the numbers would differ."""
        return self.rows.stem

    def clear(self) -> None:
        """Remove what a run that was stopped left of it."""
        if self.pictures is not None:
            shutil.rmtree(self.pictures, ignore_errors=True)
        if self.features is not None:
            self.features.generated.unlink(missing_ok=True)

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
    frames = fitted(made, config.rules)

    def counted(rows: Iterator[FrameRow]) -> Iterator[FrameRow]:
        for row in rows:
            running.add(row.scores)
            yield row

    with ExitStack() as stack:
        pictures = features = keypoints = None
        if job.pictures is not None:
            part = stack.enter_context(appearing(job.pictures, folder=True))
            pictures = stack.enter_context(Pictures(part, fps))
            frames = pictures.watch(frames)
        if job.features is not None:
            detectors = open_set_detectors(config)
            collector = FeatureCollector(item.clip, job.features, detectors, config.features_every)
            features = stack.enter_context(collector)
            frames = features.watch(frames)
        if config.keypoints:
            keypoints = stack.enter_context(KeypointMetrics(job.rows.parent, fps))
            frames = keypoints.watch(frames)
        rows = score_frames(frames, config, metrics, threads)
        if pictures is not None:
            rows = pictures.rate(rows)

        def foot(count: int) -> Mapping[str, Any]:
            if count == 0:
                raise InputError(f"The clip {item.clip} has no frame that could be scored.")
            scores = running.summaries() | _finished(pictures, features, keypoints)
            return {
                "scores": plain(scores),
                "seconds": round(time.perf_counter() - start, 2),
                "notes": _shortened(notes),
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
        write_rows(job.rows, head, counted(rows), foot)


def _finished(
    pictures: Pictures | None, features: FeatureCollector | None, keypoints: KeypointMetrics | None
) -> dict[str, dict[str, Summary]]:
    """Write what was gathered and return scores of the clip as a whole."""
    for one in (pictures, features):
        if one is not None:
            one.finish()
    return {} if keypoints is None else keypoints.scores()


def _shortened(notes: list[str]) -> list[str]:
    more = [f"And {len(notes) - _NOTES} more."] if len(notes) > _NOTES else []
    return notes[:_NOTES] + more


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
