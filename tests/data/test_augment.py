"""Augmentation: mirrored, recoloured and corrupted samples stay consistent."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdmm.data.augment import (
    Augmentation,
    augment,
    corrupt_flow,
    corrupt_keypoints,
    flip,
    shake_flow,
    shift_colours,
)
from bdmm.data.batch import Batch
from bdmm.data.clip_dataset import read_batch
from bdmm.data.warp_codec import to_flow
from bdmm.kernels.warp import warp
from bdmm.records import KEYPOINT_NAMES, NOWHERE, PixelState

NOTHING = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def sample(clip) -> Batch:
    return read_batch(clip, 0, 4, 10)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_nothing_asked_nothing_changed(sample: Batch) -> None:
    same = augment(sample, NOTHING, random())
    assert torch.equal(same.conditions.source_grid, sample.conditions.source_grid)
    assert torch.equal(same.conditions.keypoints, sample.conditions.keypoints)
    assert torch.equal(same.target_frames, sample.target_frames)


def test_twice_mirrored_is_itself(sample: Batch) -> None:
    twice = flip(flip(sample))
    assert torch.equal(twice.target_frames, sample.target_frames)
    assert torch.equal(twice.conditions.keypoints, sample.conditions.keypoints)
    assert torch.equal(twice.conditions.source_grid, sample.conditions.source_grid)


def test_the_mirrored_warp_is_the_warp_mirrored(sample: Batch) -> None:
    mirrored = flip(sample)
    plain, other = (
        warp(one.source_image.expand(6, -1, -1, -1), one.conditions.source_grid[0])
        for one in (sample, mirrored)
    )
    assert (other.flip(3) - plain).abs().max() < 1e-4
    unknown = mirrored.conditions.state == PixelState.NONE
    assert (mirrored.conditions.source_grid[unknown] == NOWHERE).all()


def test_a_mirrored_right_wrist_is_a_left_one(sample: Batch) -> None:
    left, right = (KEYPOINT_NAMES.index(f"{side}_wrist") for side in ("left", "right"))
    there = flip(sample).conditions.keypoints[0, :, left]
    wrist = sample.conditions.keypoints[0, :, right]
    assert torch.allclose(there[:, 0], 96 - wrist[:, 0])
    assert torch.equal(there[:, 1], wrist[:, 1])


def test_colours_change_alike_in_all_pictures(sample: Batch) -> None:
    changed = shift_colours(sample, 0.4, random())
    frames = torch.cat([sample.source_image, sample.target_frames[0]])
    others = torch.cat([changed.source_image, changed.target_frames[0]])
    assert not torch.equal(frames, others)
    assert others.abs().max() <= 1
    before, after = frames.reshape(-1), others.reshape(-1)
    assert torch.corrcoef(torch.stack([before, after]))[0, 1] > 0.9
    assert torch.equal(changed.conditions.source_grid, sample.conditions.source_grid)


def test_jitter_has_the_size_that_was_asked_for(sample: Batch) -> None:
    many = sample.conditions.keypoints[0, :1].expand(400, -1, -1)
    how = Augmentation(drop_outs=0.0, swaps=0.0, jitter=2.0)
    apart = (corrupt_keypoints(many, how, 0.5, random()) - many)[..., :2]
    assert apart.std() == pytest.approx(1.0, rel=0.1)


def test_joints_drop_out_for_a_while_and_sides_are_mistaken(sample: Batch) -> None:
    how = Augmentation(drop_outs=0.5, swaps=0.0, jitter=0.0)
    lost = corrupt_keypoints(sample.conditions.keypoints[0], how, 1.0, random())
    gone = (lost[..., 2] == 0) & (sample.conditions.keypoints[0, ..., 2] > 0)
    assert 0.05 < gone.float().mean() < 0.7
    assert torch.equal(lost[..., :2], sample.conditions.keypoints[0, ..., :2])
    how = Augmentation(drop_outs=0.0, swaps=1.0, jitter=0.0)
    swapped = corrupt_keypoints(sample.conditions.keypoints[0], how, 1.0, random())
    left, right = (KEYPOINT_NAMES.index(f"{side}_knee") for side in ("left", "right"))
    mistaken = swapped[:, left, 0] == sample.conditions.keypoints[0, :, right, 0]
    assert mistaken.any()
    nose = KEYPOINT_NAMES.index("nose")
    assert torch.equal(swapped[:, nose], sample.conditions.keypoints[0, :, nose])


def test_the_flows_error_is_smooth_lasting_and_as_large_as_asked(sample: Batch) -> None:
    grid = corrupt_flow(sample.conditions.source_grid[0], sample.conditions.state[0], 3.0, random())
    step = to_flow(grid, (96, 96)) - to_flow(sample.conditions.source_grid[0], (96, 96))
    known = sample.conditions.state[0] != PixelState.NONE
    assert (grid[~known] == sample.conditions.source_grid[0][~known]).all()
    assert 1 < step.norm(dim=-1)[known].mean() < 6
    beside = known[:, :, 1:] & known[:, :, :-1]
    rough = (step[:, :, 1:] - step[:, :, :-1]).norm(dim=-1)[beside]
    assert rough.median() < 0.5
    same = corrupt_flow(sample.conditions.source_grid[0], sample.conditions.state[0], 3.0, random())
    assert torch.equal(same, grid)


def test_a_shaken_flow_moves_about_anew_in_each_frame(sample: Batch) -> None:
    given = sample.conditions
    still = replace(
        given,
        source_grid=given.source_grid[:, :1].expand_as(given.source_grid),
        state=given.state[:, :1].expand_as(given.state),
        fallback=given.fallback[:, :1].expand_as(given.fallback),
    )
    shaken = shake_flow(still, 3.0, random())
    assert torch.equal(shaken.keypoints, given.keypoints)
    for one in (0, 1, 2):
        moved = (shaken.state[0, one] != still.state[0, one]).float().mean()
        assert 0 < moved < 0.2
        assert not torch.equal(shaken.state[0, one], shaken.state[0, one + 1])
    # What a pixel says of itself stays together.
    unknown = shaken.state == PixelState.NONE
    assert (shaken.source_grid[unknown] == NOWHERE).all()
    assert (shaken.source_grid[~unknown] != NOWHERE).all()
    none = shake_flow(still, 0.0, random())
    assert torch.equal(none.source_grid, still.source_grid)
