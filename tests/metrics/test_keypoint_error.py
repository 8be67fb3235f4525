"""Keypoints of generated people beside those asked for, by hand."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from bdmm.errors import InputError
from bdmm.metrics import keypoint_error as keypoint_error_module
from bdmm.metrics.keypoint_error import detect_keypoints, keypoint_error, torso_lengths
from bdmm.perception.pose import Detection
from bdmm.records import KEYPOINT_NAMES, Landmarks

NECK, HIP, WRIST = (KEYPOINT_NAMES.index(n) for n in ("neck", "mid_hip", "left_wrist"))


def person(frames: int = 1) -> torch.Tensor:
    """Neck, hips 50 pixels below it and a wrist; nothing else is seen."""
    keypoints = torch.zeros(frames, len(KEYPOINT_NAMES), 3)
    keypoints[:, NECK] = torch.tensor([100.0, 50, 1])
    keypoints[:, HIP] = torch.tensor([100.0, 100, 1])
    keypoints[:, WRIST] = torch.tensor([140.0, 80, 1])
    return keypoints


def test_by_hand() -> None:
    """Away by 0, 5 (a tenth of the torso) and 10 pixels of a frame 512 high."""
    generated = person()
    generated[0, HIP, 0] += 5
    generated[0, WRIST, 1] -= 10
    error = keypoint_error(generated, person(), height=512)
    assert error.pixels == pytest.approx(15 / 3 / 2)
    assert error.of_torso == pytest.approx(15 / 3 / 50)
    assert error.pck == pytest.approx(2 / 3)
    assert (error.detection_rate, error.joints, error.frames) == (1, 3, 1)


def test_a_joint_that_is_not_found_is_wrong_but_has_no_distance() -> None:
    generated = person(2)
    generated[0, WRIST, 2] = 0.4
    generated[1, WRIST] = math.nan
    error = keypoint_error(generated, person(2), height=256)
    assert (error.pixels, error.of_torso) == (0, 0)
    assert error.pck == error.detection_rate == pytest.approx(4 / 6)
    assert (error.joints, error.frames) == (6, 2)


def test_what_was_not_asked_for_does_not_count() -> None:
    driving = person()
    driving[0, WRIST, 2] = 0
    generated = person()
    generated[0, WRIST] = torch.tensor([0.0, 0, 1])
    error = keypoint_error(generated, driving, height=256)
    assert (error.pixels, error.pck, error.joints) == (0, 1, 2)


def test_a_short_or_hidden_torso_takes_the_clips_usual_length() -> None:
    keypoints = person(5)
    keypoints[1, HIP, 1] = 60
    keypoints[2, NECK, 2] = 0
    keypoints[3, HIP, 1] = 104
    assert torso_lengths(keypoints).tolist() == [50, 50, 50, 54, 50]


def test_nobody_found_and_nothing_to_measure_by() -> None:
    nobody = torch.zeros(2, len(KEYPOINT_NAMES), 3)
    error = keypoint_error(nobody, person(2), height=256)
    assert math.isnan(error.pixels)
    assert (error.pck, error.detection_rate, error.joints) == (0, 0, 6)
    error = keypoint_error(person(2), nobody, height=256)
    assert error.joints == error.frames == 0
    assert math.isnan(error.pck)
    assert math.isnan(error.detection_rate)


def test_larger_frames_give_the_same_numbers() -> None:
    generated = person() + torch.randn(1, len(KEYPOINT_NAMES), 3) * torch.tensor([4.0, 4, 0])
    double = torch.tensor([2.0, 2, 1])
    small = keypoint_error(generated, person(), height=256)
    large = keypoint_error(generated * double, person() * double, height=512)
    assert large.pixels == pytest.approx(small.pixels)
    assert large.of_torso == pytest.approx(small.of_torso)
    assert large.pck == small.pck


def detector(seen: torch.Tensor | None):
    """Return a replacement of `detect_clip` that sees nobody, or these keypoints."""

    def detect(frames, fps) -> Detection:
        count = sum(1 for _ in frames)
        if seen is None:
            raise InputError("Nobody is seen.")
        found = torch.ones(count, dtype=torch.bool)
        return Detection(Landmarks(seen, None, found, (8, 8), fps))

    return detect


def test_detected_keypoints(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [np.zeros((8, 8, 3), np.uint8)] * 3
    fps = Fraction(25)
    monkeypatch.setattr(keypoint_error_module, "detect_clip", detector(person(3)))
    assert torch.equal(detect_keypoints(frames, fps), person(3))
    monkeypatch.setattr(keypoint_error_module, "detect_clip", detector(None))
    assert torch.equal(detect_keypoints(frames, fps), torch.zeros(3, 29, 3))
    with pytest.raises(InputError, match="Nobody"):
        detect_keypoints([], fps)

    def damaged():
        yield frames[0]
        raise InputError("Frame 2 is damaged.")

    with pytest.raises(InputError, match="Frame 2"):
        detect_keypoints(damaged(), fps)
