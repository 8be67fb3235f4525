"""Frames of one clip into rows of numbers, one row for each frame."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from bdmm.evaluation.jobs.feature_metrics import FeatureJudge, judge_features
from bdmm.evaluation.jobs.reenactment import JudgedFrame
from bdmm.inference.windows import WithNext, with_next
from bdmm.media.image import Picture, picture_size, resize_image
from bdmm.metrics.frame_metrics import WHOLE, FramePair, ordered_map, score_pair
from bdmm.metrics.protocols import Protocol
from bdmm.metrics.temporal import warping_errors

Scores = dict[str, dict[str, float]]
"""Region -> metric -> number."""


@dataclass(frozen=True)
class FrameRow:
    """Numbers of one frame.

    Attributes:
        frame: its number in the clip.
        scores: region -> metric -> number. The step from the frame to the next has its warping
            error in the row of the frame: ``warping``, and ``warping_true`` of the true video.
    """

    frame: int
    scores: Scores


@dataclass(frozen=True)
class Judging:
    """How frames are judged.

    Attributes:
        protocol: one of `metrics.protocols.PROTOCOLS`.
        judges: distances of features.
        features_every: only every so-manieth frame is shown to them, since they are slow.
    """

    protocol: Protocol
    judges: Sequence[FeatureJudge] = ()
    features_every: int = 1


def score_frames(
    frames: Iterable[JudgedFrame], judging: Judging, threads: int = 1
) -> Iterator[FrameRow]:
    """Yield the row of each frame, in order; a few frames are held at a time.

    Args:
        frames: of one clip, in order, `fitted`.
        judging: how.
        threads: that judge; frames are made or read in the caller's.
    """

    def work(item: tuple[int, WithNext[JudgedFrame]]) -> FrameRow:
        place, both = item
        scores = _score(both.item.pair, judging, place % judging.features_every == 0)
        if both.after is not None and judging.protocol.temporal:
            scores[WHOLE] |= _step(both.item, both.after)
        return FrameRow(both.item.number, scores)

    yield from ordered_map(work, enumerate(with_next(frames)), threads)


def fitted(frames: Iterable[JudgedFrame], protocol: Protocol) -> Iterator[JudgedFrame]:
    """Bring frames to the size that a protocol judges, and leave out regions that it does not."""
    for frame in frames:
        keypoints = frame.keypoints
        if keypoints is not None and protocol.frame_size is not None:
            height, width = picture_size(frame.pair.target_uint8)
            side = protocol.frame_size
            keypoints = keypoints * keypoints.new_tensor([side / width, side / height, 1])
        yield JudgedFrame(frame.number, fit_pair(frame.pair, protocol), keypoints)


def fit_pair(pair: FramePair, protocol: Protocol) -> FramePair:
    """Do what `fitted` does to one pair."""
    regions = pair.regions if protocol.regions else {}
    side = protocol.frame_size
    if side is None or picture_size(pair.target_uint8) == (side, side):
        return FramePair(pair.name, pair.generated_uint8, pair.target_uint8, regions)
    assert not regions, "no protocol resizes frames and judges regions"

    def resized(picture: Picture) -> Picture:
        return resize_image(picture, (side, side))

    return FramePair(pair.name, resized(pair.generated_uint8), resized(pair.target_uint8))


def _score(pair: FramePair, judging: Judging, features: bool) -> Scores:
    scores = {name: asdict(one) for name, one in score_pair(pair, judging.protocol).items()}
    if features:
        for region, distances in judge_features(pair, judging.judges).items():
            scores[region] |= distances
    return scores


def _step(frame: JudgedFrame, after: JudgedFrame) -> dict[str, float]:
    """Return the warping error of the step to the next frame, where that is the neighbour."""
    if after.number != frame.number + 1:
        return {}
    error = next(warping_errors([frame.pair, after.pair]))
    return {"warping": error.generated, "warping_true": error.target}
