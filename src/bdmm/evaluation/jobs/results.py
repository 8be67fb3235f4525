"""What an evaluation came to: per clip, and averaged over groups of clips."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bdmm.evaluation.jobs.score import FrameRow
from bdmm.evaluation.jobs.set_results import SetDistance
from bdmm.metrics.running import RunningMean, Summary

ALL = "all"
"""Name of the group of all clips."""
Summaries = Mapping[str, Mapping[str, Summary]]
"""Region -> metric -> what the frames came to."""


@dataclass(frozen=True)
class ClipResult:
    """Numbers of one clip of one system.

    Attributes:
        system: its name.
        clip: its name.
        group: of clips that are averaged together.
        frames: that were judged.
        fps: frames per second.
        scores: region -> metric -> what the frames came to.
        rows_file: name of the file with the row of each frame.
        notes: what the user should know, such as frames that were left out.
    """

    system: str
    clip: str
    group: str
    frames: int
    fps: float
    scores: Summaries
    rows_file: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroupMean:
    """A metric of one system over a group of clips.

    Attributes:
        mean: over all frames for which the metric is defined by region, not over clips' means.
        deviation: how much clips differ: population standard deviation of the clips' means; NaN
            for a single clip.
        clips: that the mean is over.
        frames: that the mean is over.
        undefined: frames whose value is not a number; the mean is then none either.
        exact: frames that are left out, as their PSNR is infinite: they equal the true ones.
    """

    mean: float
    deviation: float
    clips: int
    frames: int
    undefined: int
    exact: int = 0


@dataclass(frozen=True)
class Failure:
    """A clip of a system that could not be judged.

    Attributes:
        system: its name.
        clip: its name.
        reason: one sentence.
    """

    system: str
    clip: str
    reason: str


@dataclass(frozen=True)
class Results:
    """All clips of all systems.

    Attributes:
        clips: that were judged.
        failures: that were not.
        left_out: names of the clips that some system failed at: they count in no mean, so that
            systems are compared on the same frames.
        groups: system -> group -> region -> metric -> mean; the group `ALL` is there if there is
            more than one.
        sets: Fréchet distances of systems' sets.
        sets_missing: such distance -> why it is not computed.
    """

    clips: tuple[ClipResult, ...]
    failures: tuple[Failure, ...] = ()
    left_out: tuple[str, ...] = ()
    groups: Mapping[str, Mapping[str, Mapping[str, Mapping[str, GroupMean]]]] = field(
        default_factory=dict
    )
    sets: tuple[SetDistance, ...] = ()
    sets_missing: Mapping[str, str] = field(default_factory=dict)


class RunningScores:
    """Sums up rows as they pass by."""

    def __init__(self) -> None:
        self._means: dict[str, dict[str, RunningMean]] = defaultdict(
            lambda: defaultdict(RunningMean)
        )
        self.frames = 0

    def watch(self, rows: Iterable[FrameRow]) -> Iterable[FrameRow]:
        """Pass rows on, taking in their numbers."""
        for row in rows:
            self.frames += 1
            for region, metrics in row.scores.items():
                for metric, value in metrics.items():
                    self._means[region][metric].add(value)
            yield row

    def summaries(self) -> dict[str, dict[str, Summary]]:
        """Return what the rows came to."""
        return {
            region: {metric: mean.summary() for metric, mean in metrics.items()}
            for region, metrics in self._means.items()
        }


def gather(clips: Sequence[ClipResult], failures: Sequence[Failure]) -> Results:
    """Average over groups, over those clips alone that every system was judged on."""
    systems = list(dict.fromkeys(one.system for one in (*clips, *failures)))
    judged = {(one.system, one.clip) for one in clips}
    names = {one.clip for one in (*clips, *failures)}
    left_out = {name for name in names if any((one, name) not in judged for one in systems)}
    counted = [one for one in clips if one.clip not in left_out]
    groups = {
        system: _by_group([one for one in counted if one.system == system]) for system in systems
    }
    return Results(tuple(clips), tuple(failures), tuple(sorted(left_out)), groups)


def _by_group(
    clips: Sequence[ClipResult],
) -> dict[str, dict[str, dict[str, GroupMean]]]:
    names = list(dict.fromkeys(one.group for one in clips))
    found = {name: mean_of([one for one in clips if one.group == name]) for name in names}
    return found if len(names) == 1 else {ALL: mean_of(clips), **found}


def mean_of(clips: Sequence[ClipResult]) -> dict[str, dict[str, GroupMean]]:
    """Return region -> metric -> mean over some clips of one system."""
    collected: dict[str, dict[str, list[Summary]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        for region, metrics in clip.scores.items():
            for metric, summary in metrics.items():
                collected[region][metric].append(summary)
    return {
        region: {metric: _mean(summaries) for metric, summaries in metrics.items()}
        for region, metrics in collected.items()
    }


def _mean(summaries: Sequence[Summary]) -> GroupMean:
    means = RunningMean()
    for one in summaries:
        means.add(one.mean)
    frames = sum(one.count for one in summaries)
    exact = sum(one.exact for one in summaries)
    total = sum(one.mean * one.count for one in summaries if one.count)
    nothing = math.inf if exact else math.nan
    return GroupMean(
        mean=total / frames if frames else nothing,
        deviation=means.summary().deviation if len(summaries) > 1 else math.nan,
        clips=len(summaries),
        frames=frames,
        undefined=sum(one.undefined for one in summaries),
        exact=exact,
    )
