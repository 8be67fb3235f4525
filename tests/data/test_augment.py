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
from bdmm.data.clip_dataset import read_sample
from bdmm.data.sample import Sample
from bdmm.data.warp_codec import to_flow
from bdmm.kernels.warp import warp
from bdmm.records import KEYPOINT_NAMES, PixelState

NOTHING = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def sample(clip) -> Sample:
    return read_sample(clip, 0, 4, 10)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_nothing_asked_nothing_changed(sample: Sample) -> None:
    same = augment(sample, NOTHING, random())
    assert torch.equal(same.source_grid, sample.source_grid)
    assert torch.equal(same.keypoints, sample.keypoints)
    assert torch.equal(same.target_frames, sample.target_frames)


def test_twice_mirrored_is_itself(sample: Sample) -> None:
    twice = flip(flip(sample))
    assert torch.equal(twice.target_frames, sample.target_frames)
    assert torch.equal(twice.keypoints, sample.keypoints)
    assert torch.equal(twice.source_grid, sample.source_grid)


def test_the_mirrored_warp_is_the_warp_mirrored(sample: Sample) -> None:
    mirrored = flip(sample)
    count = len(sample.keypoints)
    plain = warp(sample.source_image.expand(count, -1, -1, -1), sample.source_grid)
    other = warp(mirrored.source_image.expand(count, -1, -1, -1), mirrored.source_grid)
    assert (other.flip(3) - plain).abs().max() < 1e-4
    assert (mirrored.source_grid[mirrored.state == PixelState.NONE] == NOWHERE).all()


def test_a_mirrored_right_wrist_is_a_left_one(sample: Sample) -> None:
    left, right = (KEYPOINT_NAMES.index(f"{side}_wrist") for side in ("left", "right"))
    mirrored = flip(sample)
    assert torch.allclose(mirrored.keypoints[:, left, 0], 96 - sample.keypoints[:, right, 0])
    assert torch.equal(mirrored.keypoints[:, left, 1], sample.keypoints[:, right, 1])


def test_colours_change_alike_in_all_pictures(sample: Sample) -> None:
    changed = shift_colours(sample, 0.4, random())
    frames = torch.cat([sample.source_image[None], sample.target_frames])
    others = torch.cat([changed.source_image[None], changed.target_frames])
    assert not torch.equal(frames, others)
    assert others.abs().max() <= 1
    before, after = frames.reshape(-1), others.reshape(-1)
    assert torch.corrcoef(torch.stack([before, after]))[0, 1] > 0.9
    assert torch.equal(changed.source_grid, sample.source_grid)


def test_jitter_has_the_size_that_was_asked_for(sample: Sample) -> None:
    many = sample.keypoints[:1].expand(400, -1, -1)
    how = Augmentation(drop_outs=0.0, swaps=0.0, jitter=2.0)
    apart = (corrupt_keypoints(many, how, 0.5, random()) - many)[..., :2]
    assert apart.std() == pytest.approx(1.0, rel=0.1)


def test_joints_drop_out_for_a_while_and_sides_are_mistaken(sample: Sample) -> None:
    how = Augmentation(drop_outs=0.5, swaps=0.0, jitter=0.0)
    lost = corrupt_keypoints(sample.keypoints, how, 1.0, random())
    gone = (lost[..., 2] == 0) & (sample.keypoints[..., 2] > 0)
    assert 0.05 < gone.float().mean() < 0.7
    assert torch.equal(lost[..., :2], sample.keypoints[..., :2])
    how = Augmentation(drop_outs=0.0, swaps=1.0, jitter=0.0)
    swapped = corrupt_keypoints(sample.keypoints, how, 1.0, random())
    left, right = (KEYPOINT_NAMES.index(f"{side}_knee") for side in ("left", "right"))
    mistaken = swapped[:, left, 0] == sample.keypoints[:, right, 0]
    assert mistaken.any()
    nose = KEYPOINT_NAMES.index("nose")
    assert torch.equal(swapped[:, nose], sample.keypoints[:, nose])


def test_the_flows_error_is_smooth_lasting_and_as_large_as_asked(sample: Sample) -> None:
    grid = corrupt_flow(sample.source_grid, sample.state, 3.0, random())
    step = to_flow(grid, (96, 96)) - to_flow(sample.source_grid, (96, 96))
    known = sample.state != PixelState.NONE
    assert (grid[~known] == sample.source_grid[~known]).all()
    assert 1 < step.norm(dim=-1)[known].mean() < 6
    beside = known[:, :, 1:] & known[:, :, :-1]
    rough = (step[:, :, 1:] - step[:, :, :-1]).norm(dim=-1)[beside]
    assert rough.median() < 0.5
    same = corrupt_flow(sample.source_grid, sample.state, 3.0, random())
    assert torch.equal(same, grid)


def test_a_shaken_flow_moves_about_anew_in_each_frame_and_the_truth_stays(sample: Sample) -> None:
    still = replace(
        sample,
        source_grid=sample.source_grid[:1].expand_as(sample.source_grid),
        state=sample.state[:1].expand_as(sample.state),
        filled=sample.filled[:1].expand_as(sample.filled),
    )
    shaken = shake_flow(still, 3.0, random())
    assert torch.equal(shaken.target_frames, sample.target_frames)
    assert torch.equal(shaken.keypoints, sample.keypoints)
    for one in (0, 1, 2):
        moved = (shaken.state[one] != still.state[one]).float().mean()
        assert 0 < moved < 0.2
        assert not torch.equal(shaken.state[one], shaken.state[one + 1])
    # What a pixel says of itself stays together.
    unknown = shaken.state == PixelState.NONE
    assert (shaken.source_grid[unknown] == NOWHERE).all()
    assert (shaken.source_grid[~unknown] != NOWHERE).all()
    none = shake_flow(still, 0.0, random())
    assert torch.equal(none.source_grid, still.source_grid)
