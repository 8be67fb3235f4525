"""Frames of one clip into scores: a row for each frame, a summary for the clip, a file of both.

The file has one JSON line per row. The first line says what it is about, the last one that it is
whole. Numbers that JSON does not know are the texts ``nan``, ``inf`` and ``-inf``.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig, EvalFrame
from bdmm.evaluation.jobs.feature_metrics import FeatureMetric, feature_distances
from bdmm.files.output_file import appearing, writing
from bdmm.inference.render import WithNext, with_next
from bdmm.media.image import Picture, picture_size, resize_image
from bdmm.metrics.frame_metrics import WHOLE, FramePair, ordered_map, score_pair
from bdmm.metrics.protocols import Protocol
from bdmm.metrics.temporal import warping_errors

Scores = dict[str, dict[str, float]]
"""Region -> metric -> number."""


@dataclass(frozen=True)
class FrameRow:
    """Scores of one frame.

    Attributes:
        frame: its number in the clip.
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
        config: says the protocol, and on which frames features are compared.
        metrics: of features.
        threads: that score; frames are made or read in the caller's.
    """
    rules = config.rules

    def work(item: tuple[int, WithNext[EvalFrame]]) -> FrameRow:
        index, (frame, after) = item[0], (item[1].item, item[1].after)
        scores = {name: asdict(one) for name, one in score_pair(frame.pair, rules).items()}
        if index % config.features_every == 0:
            for region, distances in feature_distances(frame.pair, metrics).items():
                scores[region] |= distances
        if rules.temporal and after is not None and after.number == frame.number + 1:
            error = next(warping_errors([frame.pair, after.pair]))
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
    foot: Callable[[], Mapping[str, Any]] = dict,
) -> None:
    """Write rows as they come; the file appears when all are written.

    Args:
        path: the file.
        head: what it is about.
        rows: of one clip and system.
        foot: called at the end for what is then known.

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
            _write(path, file, {"rows": count, **foot()})


def read_ends(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the first and the last line of a file.

    Raises:
        InputError: it is damaged.
    """
    first: str = ""
    last: str = ""
    with path.open(encoding="utf-8") as file:
        for line in file:
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
    with path.open(encoding="utf-8") as file:
        next(file, "")
        for line in file:
            row = _parse(path, line)
            if "rows" in row:
                return
            try:
                scores = {
                    region: {metric: float(value) for metric, value in metrics.items()}
                    for region, metrics in row["scores"].items()
                }
                yield FrameRow(int(row["frame"]), scores)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise _damaged(path) from error


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


def _parse(path: Path, line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(content, dict):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged: remove it and evaluate again.")
