"""Fréchet video distances with a detector that needs no weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdmm.errors import InputError
from bdmm.metrics.detectors import Detector
from bdmm.metrics.protocols import VIDEO_DISTANCES, VideoDistance, find_protocol
from bdmm.metrics.video_distance import VideoClips, VideoFeatures

SAMPLING = VideoDistance("FVD", frames=4, stride=2, real="test", repeats=5)
SETTINGS = {"detector": "none"}


def first_frames(seen: list[int] | None = None) -> Detector:
    """The number that stands in a clip's first frame, and in its last."""

    def extract(frames: torch.Tensor) -> torch.Tensor:
        if seen is not None:
            seen.append(len(frames))
        return frames[:, [0, -1], 0, 0, 0]

    return Detector("first", "none", "clip", 2, SETTINGS, extract)


def numbered(name: str, length: int) -> VideoClips:
    """A video whose frames hold their own index."""

    def read(indices) -> torch.Tensor:
        return torch.tensor(list(indices)).float()[:, None, None, None].expand(-1, 3, 2, 2)

    return VideoClips(name, length, read)


def test_a_clip_starts_where_it_was_drawn_and_takes_every_other_frame() -> None:
    video = numbered("a", 40)
    features = video.features(SAMPLING, first_frames())
    starts = video.starts(SAMPLING)
    assert features.shape == (5, 2)
    np.testing.assert_array_equal(features[:, 0], starts)
    np.testing.assert_array_equal(features[:, 1], starts + 6)
    assert starts.max() <= 40 - SAMPLING.reach == 33


def test_offsets_depend_on_name_and_repeat_alone() -> None:
    starts = numbered("a", 400).starts(SAMPLING)
    assert len(set(starts)) > 2
    np.testing.assert_array_equal(starts, numbered("a", 400).starts(SAMPLING))
    assert (starts != numbered("b", 400).starts(SAMPLING)).any()
    longer = numbered("a", 400).starts(replace(SAMPLING, repeats=9))
    np.testing.assert_array_equal(longer[:5], starts)


def test_every_place_is_drawn_alike() -> None:
    counts = np.bincount(numbered("a", 16).starts(replace(SAMPLING, repeats=9000)), minlength=10)
    assert len(counts) == 10
    assert counts.min() > 750
    assert counts.max() < 1050


def test_equal_clips_are_looked_at_once() -> None:
    seen: list[int] = []
    features = numbered("a", 7).features(SAMPLING, first_frames(seen))
    assert seen == [1]
    np.testing.assert_array_equal(features, [[0, 6]] * 5)


def test_a_short_video_is_named() -> None:
    with pytest.raises(InputError, match=r"video a has 6 frames, and clips of 4 .* need 7; leave"):
        numbered("a", 6).starts(SAMPLING)


def test_the_protocols_rows() -> None:
    samplings = {row.name: row for row in VIDEO_DISTANCES}
    assert [samplings[f"FVD-Train{x}"].reach for x in ("16f", "128f", "128f-stride8")] == [
        16,
        128,
        121,
    ]
    assert find_protocol("modern").video_distances == VIDEO_DISTANCES


def gathered(videos: int, away: float = 0.0, seed: int = 0) -> VideoFeatures:
    random = np.random.default_rng(seed)
    features = VideoFeatures(SAMPLING, SETTINGS)
    for i in range(videos):
        features.add(f"video {i}", random.normal(away, 1, (5, 3)))
    return features


def test_the_distance_is_the_mean_over_the_repeats() -> None:
    ours, theirs = gathered(60), gathered(60, away=2.0)
    score = ours.distance(theirs)
    assert score.mean == pytest.approx(12, rel=0.3)
    assert 0 < score.deviation < 3
    assert (score.count_generated, score.count_real) == (60, 60)
    assert not score.rank_deficient
    assert gathered(60).distance(ours).mean == 0
    assert gathered(3).distance(theirs).rank_deficient


def test_order_does_not_matter() -> None:
    whole, turned = gathered(10), VideoFeatures(SAMPLING, SETTINGS)
    random = np.random.default_rng(0)
    rows = [random.normal(0, 1, (5, 3)) for _ in range(10)]
    for i in reversed(range(10)):
        turned.add(f"video {i}", rows[i])
    other = gathered(10, seed=4)
    assert turned.distance(other) == whole.distance(other)


def test_what_cannot_be_compared_is_refused() -> None:
    ours = gathered(4)
    with pytest.raises(InputError, match="at least two videos in each set, not 1"):
        ours.distance(gathered(1))
    with pytest.raises(InputError, match="their stride is 2 and 7"):
        ours.distance(VideoFeatures(replace(SAMPLING, stride=7), SETTINGS))
    with pytest.raises(InputError, match=r"features of the video b are not finite"):
        ours.add("b", np.full((5, 3), np.nan))
