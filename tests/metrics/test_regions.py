import numpy as np
import pytest
import torch

from bdmm.metrics.regions import FACE, HANDS, keypoint_regions, person_region
from bdmm.records import KEYPOINT_NAMES

SIZE = (100, 60)


def keypoints(**places):
    points = torch.zeros(29, 3)
    for name, (x, y) in places.items():
        points[KEYPOINT_NAMES.index(name)] = torch.tensor([x, y, 1.0])
    return points


TRUNK = {"neck": (30, 20), "mid_hip": (30, 60)}


def test_person_region_is_the_foreground() -> None:
    foreground = np.array([[0, 255, 51]], np.uint8)
    np.testing.assert_allclose(person_region(foreground), [[0, 1, 0.2]])


def test_discs_have_their_place_and_size() -> None:
    points = keypoints(
        **TRUNK, nose=(30, 12), left_eye=(32, 9), right_eye=(28, 9), right_wrist=(10, 50)
    )
    regions = keypoint_regions(points, SIZE)
    assert set(regions) == {FACE, HANDS}
    y, x = np.nonzero(regions[FACE])
    assert x.mean() + 0.5 == pytest.approx(30, abs=0.5)
    assert y.max() == pytest.approx(21.5, abs=1)
    y, x = np.nonzero(regions[HANDS])
    assert x.mean() + 0.5 == pytest.approx(10, abs=0.5)
    assert y.mean() + 0.5 == pytest.approx(50, abs=0.5)
    assert regions[HANDS].sum() == pytest.approx(np.pi * 8**2, rel=0.1)


def test_what_is_not_seen_is_no_region() -> None:
    face = {"nose": (30, 12), "left_eye": (32, 9)}
    assert keypoint_regions(keypoints(**face), SIZE) == {}
    assert keypoint_regions(keypoints(**TRUNK, left_eye=(32, 9), right_eye=(28, 9)), SIZE) == {}
    assert set(keypoint_regions(keypoints(**TRUNK, **face), SIZE)) == {FACE}
    doubtful = keypoints(**TRUNK, **face)
    doubtful[KEYPOINT_NAMES.index("nose"), 2] = 0.4
    assert keypoint_regions(doubtful, SIZE) == {}
    outside = keypoints(**TRUNK, left_wrist=(-500, 20))
    assert keypoint_regions(outside, SIZE) == {}
    lost = keypoints(**TRUNK, left_wrist=(float("nan"), 20))
    assert keypoint_regions(lost, SIZE) == {}
