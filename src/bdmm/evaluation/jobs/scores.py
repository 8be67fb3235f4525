"""Frames of a clip into scores: a row for each frame, a file of rows, means over clips.

A file of rows has one JSON line per row. The first line says what it is about, the last one that
it is whole. Numbers that JSON does not know are the texts ``nan``, ``inf`` and ``-inf``.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from bdmm.errors import InputError
from bdmm.evaluation.config import ALL, EvalConfig, EvalFrame
from bdmm.evaluation.jobs.feature_metrics import FeatureMetric, feature_distances
from bdmm.files.output_file import appearing, writing
from bdmm.files.outside import ROWS, parse_json, reading
from bdmm.inference.render import with_next
from bdmm.media.image import Picture, picture_size, resize_image
from bdmm.metrics.frame_metrics import WHOLE, FramePair, ordered_map, score_pair
from bdmm.metrics.frechet import FrechetDistance
from bdmm.metrics.protocols import Protocol
from bdmm.metrics.running import RunningMean, Summary
from bdmm.metrics.temporal import warping_error

Summaries = Mapping[str, Mapping[str, Summary]]
"""Region -> metric -> summary of the frames."""
Scores = dict[str, dict[str, float]]
"""Region -> metric -> number."""


@dataclass(frozen=True)
class FrameRow:
    """Scores of one frame.

    Attributes:
        scores: region -> metric -> number. The warping error of the step to the next frame is in
            the row of the first one: ``warping``, and ``warping_true`` of the true video.
    """

    frame: int
    scores: Scores


def score_frames(
    frames: Iterable[EvalFrame],
    config: EvalConfig,
    metrics: Sequence[FeatureMetric] = (),
    threads: int = 1,
) -> Iterator[FrameRow]:
    """Yield the row of each frame, in order; a few frames are held at a time.

    Args:
        frames: of one clip, in order, `fitted`.
        threads: that score; frames are made or read in the caller's.
    """
    rules = config.rules

    def work(item: tuple[int, tuple[EvalFrame, EvalFrame | None]]) -> FrameRow:
        index, (frame, after) = item
        scores = {name: asdict(one) for name, one in score_pair(frame.pair, rules).items()}
        if index % config.features_every == 0:
            for region, distances in feature_distances(frame.pair, metrics).items():
                scores[region] |= distances
        if rules.temporal and after is not None and after.number == frame.number + 1:
            error = warping_error(frame.pair, after.pair)
            scores[WHOLE] |= {"warping": error.generated, "warping_true": error.target}
        return FrameRow(frame.number, scores)

    yield from ordered_map(work, enumerate(with_next(frames)), threads)


def fitted(frames: Iterable[EvalFrame], rules: Protocol) -> Iterator[EvalFrame]:
    """Bring frames to the protocol's size, and drop regions that it does not score."""
    for frame in frames:
        keypoints = frame.keypoints
        if keypoints is not None and rules.frame_size is not None:
            height, width = picture_size(frame.pair.target_uint8)
            side = rules.frame_size
            keypoints = keypoints * keypoints.new_tensor([side / width, side / height, 1])
        yield EvalFrame(frame.number, fit_pair(frame.pair, rules), keypoints)


def fit_pair(pair: FramePair, rules: Protocol) -> FramePair:
    """Do what `fitted` does to one pair."""
    regions = pair.regions if rules.regions else {}
    side = rules.frame_size
    if side is None or picture_size(pair.target_uint8) == (side, side):
        return FramePair(pair.name, pair.generated_uint8, pair.target_uint8, regions)
    assert not regions, "no protocol resizes frames and scores regions"

    def resized(picture: Picture) -> Picture:
        return resize_image(picture, (side, side))

    return FramePair(pair.name, resized(pair.generated_uint8), resized(pair.target_uint8))


def write_rows(
    path: Path,
    head: Mapping[str, Any],
    rows: Iterable[FrameRow],
    foot: Callable[[int], Mapping[str, Any]] = lambda _: {},
) -> None:
    """Write rows as they come; the file appears when all are written.

    Args:
        foot: called at the end with the number of rows, for what is then known.

    Raises:
        InputError: the disk is full and the like.
    """
    with appearing(path) as part:
        with writing(path):
            file = part.open("w", encoding="utf-8")
        with file:
            _write(path, file, head)
            count = 0
            for row in rows:
                _write(path, file, {"frame": row.frame, "scores": row.scores})
                count += 1
            _write(path, file, {"rows": count, **foot(count)})


def read_ends(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the first and the last line of a file.

    Raises:
        InputError: it is damaged.
    """
    first: str = ""
    last: str = ""
    for line in _lines(path):
        first, last = first or line, line
    head, foot = _parse(path, first), _parse(path, last)
    if "rows" not in foot:
        raise InputError(f"{path} is cut off: remove it and evaluate again.")
    return head, foot


def read_rows(path: Path) -> Iterator[FrameRow]:
    """Yield the rows of a file.

    Raises:
        InputError: it is damaged.
    """
    for line in islice(_lines(path), 1, None):
        row = _parse(path, line)
        if "rows" in row:
            return
        try:
            scores = {
                region: {metric: float(value) for metric, value in metrics.items()}
                for region, metrics in row["scores"].items()
            }
            read = FrameRow(int(row["frame"]), scores)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise _damaged(path) from error
        yield read


def dump(content: object, indent: int | None = None) -> str:
    """Return strict JSON, numbers that it does not know as text."""
    return json.dumps(_strict(content), allow_nan=False, indent=indent, ensure_ascii=False)


def _write(path: Path, file: TextIO, content: object) -> None:
    with writing(path):
        file.write(dump(content) + "\n")


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _strict(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(one) for one in value]
    return value


def _lines(path: Path) -> Iterator[str]:
    most = ROWS.most("characters of a line")
    with reading(path, ROWS, str(_damaged(path))), path.open(encoding="utf-8") as file:
        while line := file.readline(most + 1):
            if len(line) > most:
                raise _damaged(path)
            yield line


def _parse(path: Path, line: str) -> dict[str, Any]:
    try:
        content = parse_json(line)
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(content, dict):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged: remove it and evaluate again.")


@dataclass(frozen=True)
class ClipResult:
    """Numbers of one clip of one system.

    Attributes:
        frames: that were scored.
        scores: region -> metric -> summary of the frames.
        rows_file: name of the file with the row of each frame.
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
    """A clip of a system that could not be scored."""

    system: str
    clip: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class DistributionDistance(FrechetDistance):
    """A Fréchet distance between a system's frames or clips and real ones."""

    system: str
    name: str


@dataclass(frozen=True)
class Results:
    """All clips of all systems.

    Attributes:
        left_out: names of the clips that some system failed at: they count in no mean, so that
            systems are compared on the same frames.
        groups: system -> group -> region -> metric -> mean; the group `ALL` is there if there is
            more than one.
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
