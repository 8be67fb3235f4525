import numpy as np
import pytest
import torch

from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.perception.facing import find_front_back_flips, mirror_depth
from bdmm.records import KEYPOINT_NAMES


@pytest.fixture
def turning(body):
    """Return a function that gives the 3-D keypoints of a person at some angles."""

    def points(angles: np.ndarray) -> np.ndarray:
        turn = torch.zeros(len(angles), 24, 3)
        turn[:, 0, 1] = torch.from_numpy(angles)
        seen = body.keypoints(torch.zeros(body.shape_size), axis_angle_to_matrix(turn))
        return seen.numpy()

    return points


def _mixed(points: np.ndarray, frames: slice) -> np.ndarray:
    result = points.copy()
    result[frames] = mirror_depth(points[frames], points[frames])[1]
    return result


def test_the_mirror_image_looks_the_same(turning):
    points = turning(np.full(1, 0.4))
    flat, deep = mirror_depth(points, points)
    left, right = KEYPOINT_NAMES.index("left_knee"), KEYPOINT_NAMES.index("right_knee")
    assert np.array_equal(flat[0, left], points[0, right])
    assert np.allclose(deep[0, left] * (1, 1, -1), points[0, right])
    assert np.allclose(mirror_depth(flat, deep)[1], points)


def test_whole_turns_are_left_alone(turning):
    points = turning(np.linspace(0, 4 * np.pi, 120))
    assert not find_front_back_flips(points, np.full(120, np.nan)).any()


def test_short_slips_are_mended(turning):
    points = turning(np.linspace(-0.3, 0.3, 60))
    slipped = _mixed(points, slice(20, 32))
    mixed = find_front_back_flips(slipped, np.full(60, np.nan))
    assert mixed.tolist() == [20 <= frame < 32 for frame in range(60)]


def test_a_slip_is_mended_while_turning_slowly(turning):
    points = turning(np.linspace(0.5, 1.2, 60))
    mixed = find_front_back_flips(_mixed(points, slice(40, 45)), np.full(60, np.nan))
    assert mixed.nonzero()[0].tolist() == [40, 41, 42, 43, 44]


def test_missing_faces_tell_the_back(turning):
    points = turning(np.full(60, np.pi - 0.1))
    slipped = _mixed(points, slice(0, 40))
    hidden = np.where(np.arange(60) % 3 == 0, 0.0, np.nan)
    shown = np.where(np.arange(60) % 3 == 0, 1.0, np.nan)
    assert find_front_back_flips(slipped, hidden).nonzero()[0].tolist() == list(range(40))
    assert find_front_back_flips(slipped, shown).nonzero()[0].tolist() == list(range(40, 60))


def test_frames_without_a_person_do_not_matter(turning):
    points = turning(np.linspace(0, 0.2, 30))
    points[10:14] = 0
    assert not find_front_back_flips(points, np.full(30, np.nan)).any()
