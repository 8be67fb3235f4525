import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from bdmm.media.video_reader import VideoReader
from bdmm.metrics.frame_metrics import EDGE, WHOLE, FramePair, ordered_map, score_pair, ssim_map
from bdmm.metrics.protocols import PROTOCOLS

PAPER, MODERN = PROTOCOLS["paper"], PROTOCOLS["modern"]


def independent_ssim(pair: FramePair, data_range: float) -> float:
    return structural_similarity(
        pair.target_uint8.astype(float),
        pair.generated_uint8.astype(float),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
        data_range=data_range,
    )


def assert_equals_scikit_image(pair: FramePair) -> None:
    levels = pair.generated_uint8
    own_range = float(levels.max()) - float(levels.min())
    for protocol, data_range, full in ((PAPER, own_range, 127.5), (MODERN, 255.0, 255.0)):
        scores = score_pair(pair, protocol)[WHOLE]
        away = pair.target_uint8 / full - levels / full
        assert scores.ssim == pytest.approx(independent_ssim(pair, data_range), abs=1e-6)
        psnr = peak_signal_noise_ratio(pair.target_uint8, levels, data_range=255)
        assert scores.psnr == pytest.approx(psnr, abs=1e-6)
        assert scores.l1 == pytest.approx(np.abs(away).mean(), abs=1e-6)


def test_equals_scikit_image_on_synthetic_frames(pair) -> None:
    dark = (pair.generated_uint8 // 3).astype(np.uint8)
    random = np.random.default_rng(0).integers(0, 256, (2, 37, 41, 3), dtype=np.uint8)
    high = np.random.default_rng(1).integers(0, 256, (2, 131, 21, 3), dtype=np.uint8)
    flat = np.full((20, 30, 3), 90, np.uint8)
    dot = flat.copy()
    dot[9, 9] = 91
    for case in (
        pair,
        replace(pair, generated_uint8=dark),
        FramePair("noise", random[0], random[1]),
        FramePair("several bands of rows", high[0], high[1]),
        FramePair("nearly flat", dot, flat),
    ):
        assert_equals_scikit_image(case)


@pytest.mark.parametrize("clip", ["iper_s01_A", "ubc_91-3003CN5S"])
def test_equals_scikit_image_on_real_frames(shared, clip) -> None:
    frames = list(islice(VideoReader(shared(f"media/clips/{clip}.mp4"), max_side=256), 0, 40, 13))
    for frame in frames[1:]:
        assert_equals_scikit_image(FramePair("copied first frame", frames[0], frame))


def test_equals_torchmetrics(pair) -> None:
    ours, theirs = (
        torch.from_numpy(levels).movedim(-1, 0)[None].double()
        for levels in (pair.generated_uint8, pair.target_uint8)
    )
    # Its plain mean counts the reflected edge too; its map cut as ours is the same number.
    _, full = structural_similarity_index_measure(
        ours, theirs, sigma=1.5, data_range=255.0, return_full_image=True
    )
    inner = full[..., EDGE:-EDGE, EDGE:-EDGE].mean()
    assert score_pair(pair, MODERN)[WHOLE].ssim == pytest.approx(float(inner), abs=1e-6)


def test_hand_computed_numbers() -> None:
    target = np.full((16, 16, 3), 100, np.uint8)
    scores = score_pair(FramePair("", target + np.uint8(51), target), MODERN)[WHOLE]
    c1 = (0.01 * 255) ** 2
    assert scores.l1 == pytest.approx(0.2)
    assert scores.psnr == pytest.approx(20 * math.log10(5))
    assert scores.ssim == pytest.approx((2 * 100 * 151 + c1) / (100**2 + 151**2 + c1))


def test_levels_do_not_overflow() -> None:
    black, white = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)
    for generated, target in ((black, white), (white, black)):
        scores = score_pair(FramePair("", generated, target), MODERN)[WHOLE]
        assert scores.psnr == 0
        assert scores.l1 == 1
    off_by_200 = black + np.uint8(200)
    scores = score_pair(FramePair("", black, off_by_200), MODERN)[WHOLE]
    assert scores.psnr == pytest.approx(20 * math.log10(255 / 200))


def test_identical_frames(pair) -> None:
    for protocol in (PAPER, MODERN):
        same = score_pair(replace(pair, generated_uint8=pair.target_uint8), protocol)[WHOLE]
        assert same.ssim == pytest.approx(1)
        assert same.l1 == 0
        assert same.psnr == math.inf


def test_paper_range_is_the_generated_frames_and_undefined_where_that_is_flat(pair) -> None:
    flat = replace(pair, generated_uint8=np.full_like(pair.target_uint8, 9))
    assert math.isnan(score_pair(flat, PAPER)[WHOLE].ssim)
    assert math.isfinite(score_pair(flat, MODERN)[WHOLE].ssim)
    swapped = FramePair("", pair.target_uint8, pair.generated_uint8 // 2)
    there = score_pair(swapped, PAPER)[WHOLE]
    back = score_pair(FramePair("", swapped.target_uint8, swapped.generated_uint8), PAPER)[WHOLE]
    assert there.ssim != pytest.approx(back.ssim, abs=1e-6)
    assert there.l1 == back.l1
    assert there.l1 == pytest.approx(2 * score_pair(swapped, MODERN)[WHOLE].l1)


def test_region_counts_its_own_pixels_only(pair) -> None:
    left = np.zeros((48, 64))
    left[:, :32] = 1
    spoiled = pair.generated_uint8.copy()
    spoiled[:, 40:] = 0
    regions = {"left": left, "all": np.ones((48, 64)), "none": np.zeros((48, 64))}
    before = score_pair(replace(pair, regions=regions), MODERN)
    after = score_pair(replace(pair, generated_uint8=spoiled, regions=regions), MODERN)
    assert set(before) == {WHOLE, "left", "all"}
    assert before["left"] == after["left"]
    assert after[WHOLE].psnr < before[WHOLE].psnr
    for metric in ("ssim", "psnr", "l1"):
        whole, everything = (getattr(before[name], metric) for name in (WHOLE, "all"))
        assert everything == pytest.approx(whole, abs=1e-12)


def test_region_is_a_weighted_mean(pair) -> None:
    weights = np.random.default_rng(3).uniform(0, 1, (48, 64))
    scores = score_pair(replace(pair, regions={"soft": weights}), MODERN)["soft"]
    ours, theirs = (x.astype(float) for x in (pair.generated_uint8, pair.target_uint8))
    away = np.abs(ours - theirs).mean(-1)
    assert scores.l1 == pytest.approx((away * weights).sum() / weights.sum() / 255)
    inner = weights[EDGE:-EDGE, EDGE:-EDGE]
    similar = ssim_map(ours, theirs, 255.0).mean(-1)
    assert scores.ssim == pytest.approx((similar * inner).sum() / inner.sum())


def test_region_in_the_edge_alone_has_no_ssim(pair) -> None:
    edge = np.zeros((48, 64))
    edge[:3] = 1
    scores = score_pair(replace(pair, regions={"edge": edge}), MODERN)["edge"]
    assert math.isnan(scores.ssim)
    assert math.isfinite(scores.psnr)


@pytest.mark.parametrize("workers", [1, 2])
def test_map_keeps_order_and_reads_no_further_than_it_must(workers) -> None:
    read = []

    def numbers():
        for i in range(1000):
            read.append(i)
            yield i

    stream = ordered_map(str, numbers(), workers)
    assert list(islice(stream, 12)) == [str(i) for i in range(12)]
    assert len(read) <= 12 + 3 * workers
    stream.close()


def test_map_passes_on_what_reading_raises() -> None:
    def numbers():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(ordered_map(str, numbers(), 2))
