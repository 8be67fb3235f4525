import math
from itertools import pairwise

import numpy as np
import pytest

from bdmm.metrics.frame_metrics import FramePair
from bdmm.metrics.temporal import dense_flow, trusted_pixels, warping_error


def moving(picture: np.ndarray, steps: int, speed: int = 2) -> list[np.ndarray]:
    """A window that goes to the left over a wide picture: what it shows moves to the right."""
    width = picture.shape[1] - speed * steps
    return [picture[:, speed * (steps - i) :][:, :width] for i in range(steps)]


@pytest.fixture
def smooth_motion(paint):
    return moving(paint(0, (64, 96)), 4)


def test_flow_goes_from_the_first_frame_to_the_second(smooth_motion) -> None:
    flow = dense_flow(*smooth_motion[:2])
    np.testing.assert_allclose(np.median(flow[8:-8, 8:-8], (0, 1)), (2, 0), atol=0.3)


def steps(pairs):
    return [warping_error(*pair) for pair in pairwise(pairs)]


def test_a_steady_video_has_little_error_and_a_flickering_one_much(smooth_motion) -> None:
    def pairs(change):
        for i, frame in enumerate(smooth_motion):
            yield FramePair(str(i), change(i, frame), frame)

    def flicker(i, frame):
        return np.clip(frame.astype(int) + 20 * (-1) ** i, 0, 255).astype(np.uint8)

    steady = steps(pairs(lambda _, frame: frame))
    flickering = steps(pairs(flicker))
    assert len(steady) == 3
    for calm, wild in zip(steady, flickering, strict=True):
        assert calm.generated == calm.target == wild.target
        assert calm.trusted > 0.6
        assert wild.generated == pytest.approx(3 * (40 / 255) ** 2, rel=0.25)
        assert wild.generated > 3 * calm.generated


def test_still_frames_have_no_error(paint) -> None:
    frame = paint(1)
    error = warping_error(FramePair("", frame, frame), FramePair("", frame, frame))
    assert error.generated == pytest.approx(0, abs=1e-10)
    assert error.trusted > 0.99


def test_a_brightness_step_by_hand(paint) -> None:
    target = paint(2)
    grey = np.full_like(target, 100)
    pairs = [FramePair("a", grey, target), FramePair("b", grey + np.uint8(51), target)]
    error = warping_error(*pairs)
    assert error.generated == pytest.approx(3 * 0.2**2, rel=1e-3)


def test_pixels_whose_flows_disagree_or_leave_are_not_trusted() -> None:
    flow = np.zeros((20, 30, 2), np.float32)
    flow[..., 0] = 3
    trusted = trusted_pixels(flow, -flow)
    assert trusted[:, :27].all()
    assert not trusted[:, 27:].any()
    assert not trusted_pixels(flow, flow).any()


def test_no_trusted_pixel_gives_no_number(paint, monkeypatch) -> None:
    monkeypatch.setattr(
        "bdmm.metrics.temporal.dense_flow", lambda a, b: np.full((*a.shape[:2], 2), 99, np.float32)
    )
    frame = paint(3)
    error = warping_error(*[FramePair("", frame, frame)] * 2)
    assert math.isnan(error.generated)
    assert error.trusted == 0
