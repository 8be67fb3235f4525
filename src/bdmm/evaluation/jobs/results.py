"""What an evaluation measured: per clip, and averaged over groups of clips."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bdmm.evaluation.config import ALL
from bdmm.metrics.running import RunningMean, Summary

Summaries = Mapping[str, Mapping[str, Summary]]
"""Region -> metric -> summary of the frames."""


@dataclass(frozen=True)
class ClipResult:
    """Numbers of one clip of one system.

    Attributes:
        system: its name.
        clip: its name.
        group: clips of one group are averaged together.
        frames: that were scored.
        fps: frames per second.
        scores: region -> metric -> summary of the frames.
        rows_file: name of the file with the row of each frame.
        notes: sentences for the user, such as frames that were left out.
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
        deviation: between clips: population standard deviation of the clips' means; NaN for a
            single clip.
        clips: that the mean is over.
        frames: that the mean is over.
        undefined: frames whose value is not a number; then the mean is not a number either.
        exact: frames that equal the true ones: their PSNR is infinite, and the mean leaves them
            out.
    """

    mean: float
    deviation: float
    clips: int
    frames: int
    undefined: int
    exact: int = 0


@dataclass(frozen=True)
class Failure:
    """A clip of a system that could not be scored.

    Attributes:
        system: its name.
        clip: its name.
        reason: one sentence.
    """

    system: str
    clip: str
    reason: str


@dataclass(frozen=True)
class DistributionDistance:
    """A Fréchet distance between a system's frames or clips and real ones.

    Attributes:
        system: its name.
        name: of the distance.
        mean: the distance.
        deviation: over repeats; 0 where nothing is drawn at random.
        count_generated: frames or videos of the system.
        count_real: real frames or videos.
        rank_deficient: a set is no larger than the features' dimension: the distance is biased
            and may be compared at equal counts only.
    """

    system: str
    name: str
    mean: float
    deviation: float
    count_generated: int
    count_real: int
    rank_deficient: bool


@dataclass(frozen=True)
class Results:
    """All clips of all systems.

    Attributes:
        clips: that were scored.
        failures: that were not.
        left_out: names of the clips that some system failed at: they count in no mean, so that
            systems are compared on the same frames.
        groups: system -> group -> region -> metric -> mean; the group `ALL` is there if there is
            more than one.
        sets: distribution distances of the systems.
        sets_missing: such distance -> why it is not computed.
    """

    clips: tuple[ClipResult, ...]
    failures: tuple[Failure, ...] = ()
    left_out: tuple[str, ...] = ()
    groups: Mapping[str, Mapping[str, Mapping[str, Mapping[str, GroupMean]]]] = field(
        default_factory=dict
    )
    sets: tuple[DistributionDistance, ...] = ()
    sets_missing: Mapping[str, str] = field(default_factory=dict)


def gather(clips: Sequence[ClipResult], failures: Sequence[Failure] = ()) -> Results:
    """Average over groups, over those clips alone that every system was scored on."""
    systems = list(dict.fromkeys(one.system for one in (*clips, *failures)))
    scored = {(one.system, one.clip) for one in clips}
    names = {one.clip for one in (*clips, *failures)}
    left_out = {name for name in names if any((one, name) not in scored for one in systems)}
    counted = [one for one in clips if one.clip not in left_out]
    groups = {
        system: _by_group([one for one in counted if one.system == system]) for system in systems
    }
    return Results(tuple(clips), tuple(failures), tuple(sorted(left_out)), groups)


def _by_group(
    clips: Sequence[ClipResult],
) -> dict[str, dict[str, dict[str, GroupMean]]]:
    names = list(dict.fromkeys(one.group for one in clips))
    found = {name: _means([one for one in clips if one.group == name]) for name in names}
    return found if len(names) == 1 else {ALL: _means(clips), **found}


def _means(clips: Sequence[ClipResult]) -> dict[str, dict[str, GroupMean]]:
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
