import dataclasses
from fractions import Fraction

import pytest
import torch

from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.errors import InputError
from bdmm.perception import smooth
from bdmm.perception.smooth import (
    bridge,
    fill_missing,
    gaps,
    require_short_gaps,
    smooth_landmarks,
    smooth_over_time,
)
from bdmm.records import Landmarks, Motion


def _landmarks(frames: int, found: list[bool] | None = None) -> Landmarks:
    keypoints = torch.rand(frames, 29, 3)
    there = torch.tensor(found) if found else torch.ones(frames, dtype=torch.bool)
    return Landmarks(keypoints, torch.rand(frames, 29, 3), there, (64, 64), Fraction(25))


def test_smoothing_keeps_what_is_steady_and_halves_noise():
    steady = torch.full((40, 3), 7.0)
    noise = torch.randn(4000, 1)
    assert torch.allclose(smooth_over_time(steady, torch.ones(40, 1), 1.0), steady)
    smooth = smooth_over_time(noise, torch.ones_like(noise), 1.0)
    # A Gaussian of one frame leaves 1 / sqrt(2 sqrt(pi)) = 0.53 of white noise.
    assert smooth.std() == pytest.approx(0.53, abs=0.03)


def test_smoothing_has_no_lag():
    values = torch.randn(30, 2)
    weights = torch.rand(30, 1)
    there = smooth_over_time(values, weights, 1.5)
    back = smooth_over_time(values.flip(0), weights.flip(0), 1.5).flip(0)
    assert torch.allclose(there, back, atol=1e-5)


def test_pieces_of_a_long_clip_join_as_if_smoothed_at_once(monkeypatch):
    values, weights = torch.randn(100, 3, 2), torch.rand(100, 3, 1) * (torch.rand(100, 1, 1) > 0.3)
    whole = smooth_over_time(values, weights, 2.0)
    monkeypatch.setattr(smooth, "_AT_ONCE", 16)
    torch.testing.assert_close(smooth_over_time(values, weights, 2.0), whole)


def test_a_hand_computed_case():
    values = torch.tensor([[0.0], [0.0], [1.0], [0.0], [0.0]])
    smooth = smooth_over_time(values, torch.ones(5, 1), 1.0)
    weights = torch.exp(-0.5 * torch.arange(-2, 3.0) ** 2)
    assert smooth[2] == pytest.approx(float(1 / weights.sum()), abs=1e-5)


def test_what_has_no_weight_follows_its_neighbours():
    values = torch.tensor([[1.0], [100.0], [1.0], [1.0]])
    weights = torch.tensor([[1.0], [0.0], [1.0], [1.0]])
    assert torch.allclose(smooth_over_time(values, weights, 1.0), torch.ones(4, 1))


def test_zero_switches_smoothing_off_and_negative_is_refused():
    landmarks = _landmarks(6)
    assert torch.equal(smooth_landmarks(landmarks, 0.0).keypoints, landmarks.keypoints)
    with pytest.raises(InputError, match="Smoothing"):
        smooth_landmarks(landmarks, -1.0)


def test_gaps_are_found_at_both_ends():
    good = torch.tensor([False, True, False, False, True, False])
    assert gaps(good) == [(0, 1), (2, 4), (5, 6)]
    assert gaps(torch.ones(3, dtype=torch.bool)) == []


def test_a_gap_of_a_second_is_bridged_and_a_longer_one_names_its_frames():
    found = torch.ones(100, dtype=torch.bool)
    found[10:35] = False
    require_short_gaps(found, Fraction(25))
    found[35] = False
    with pytest.raises(InputError, match="10 to 35"):
        require_short_gaps(found, Fraction(25))


def test_missing_frames_lie_between_their_neighbours():
    landmarks = _landmarks(5, [False, True, False, True, False])
    filled = fill_missing(landmarks)
    middle = (landmarks.keypoints[1, :, :2] + landmarks.keypoints[3, :, :2]) / 2
    assert torch.allclose(filled.keypoints[2, :, :2], middle)
    assert torch.equal(filled.keypoints[0, :, :2], landmarks.keypoints[1, :, :2])
    assert torch.equal(filled.keypoints[4, :, :2], landmarks.keypoints[3, :, :2])
    assert (filled.keypoints[[0, 2, 4], :, 2] == 0).all()


def test_a_bridge_turns_half_way_and_flags():
    angles = torch.zeros(5, 24, 3)
    angles[3, :, 2] = 1.0
    angles[2] = 9.0
    motion = Motion(
        axis_angle_to_matrix(angles),
        torch.tensor([1.0, 1.0, 50.0, 3.0, 1.0]),
        torch.zeros(5, 2),
        torch.zeros(4),
        torch.zeros(5, dtype=torch.bool),
        (8, 8),
        Fraction(25),
    )
    trusted = torch.tensor([True, True, False, True, False])
    bridged = bridge(motion, trusted)
    half = torch.zeros(24, 3)
    half[:, 2] = 0.5
    assert torch.allclose(bridged.rotations[2], axis_angle_to_matrix(half), atol=1e-5)
    assert bridged.scale.tolist() == [1.0, 1.0, 2.0, 3.0, 3.0]
    assert bridged.flagged.tolist() == [False, False, True, False, True]
    kept = dataclasses.replace(bridged, flagged=motion.flagged)
    assert torch.equal(kept.rotations[[0, 1, 3]], motion.rotations[[0, 1, 3]])
