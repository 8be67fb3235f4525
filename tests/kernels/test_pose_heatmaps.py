import math

import pytest
import torch

from bdmm.kernels.pose_heatmaps import pose_heatmaps
from bdmm.records import BODY25, COCO18


def keypoints() -> torch.Tensor:
    points = torch.rand(2, 29, 3) * torch.tensor([200.0, 120.0, 1.0]) + torch.tensor([20, 20, 0.5])
    points[..., :2] = points[..., :2].floor() + 0.5
    return points


@pytest.mark.parametrize("joints", [COCO18, BODY25])
def test_each_map_peaks_at_its_joint(joints):
    points = keypoints()
    maps = pose_heatmaps(points, (160, 240), joints)
    assert maps.shape == (2, len(joints), 160, 240)
    for t in range(2):
        for place, joint in enumerate(joints):
            row, column = divmod(int(maps[t, place].argmax()), 240)
            assert (column + 0.5, row + 0.5) == tuple(points[t, joint, :2].tolist())
            assert maps[t, place].max() == 1


def test_sigma_is_six_pixels_at_256_and_scales():
    for side in (256, 512):
        points = torch.zeros(1, 29, 3)
        points[0, 0] = torch.tensor([side / 2 + 0.5, side / 2 + 0.5, 1.0])
        row = pose_heatmaps(points, (side, side))[0, 0, side // 2]
        one_sigma = row[side // 2 + 6 * side // 256]
        assert float(one_sigma) == pytest.approx(math.exp(-0.5), rel=1e-5)


def test_a_missing_joint_is_all_zero_and_one_off_the_picture_fades_in():
    points = keypoints()
    points[0, 3, 2] = 0
    points[0, 4, :2] = torch.tensor([-3.0, 50.5])
    maps = pose_heatmaps(points, (160, 240))
    assert (maps[0, 3] == 0).all()
    assert (maps[1, 3] > 0.9).any()
    assert maps[0, 4, 50, 0] == maps[0, 4].max() > 0.5


def test_a_joint_is_its_product_of_bells():
    points = keypoints()
    maps = pose_heatmaps(points, (64, 64))
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    px, py, _ = points[1, COCO18[5]]
    bell = torch.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 1.5**2))
    torch.testing.assert_close(maps[1, 5], bell)


@torch.no_grad()
def test_maps_lie_channels_last_where_they_are_only_used():
    maps = pose_heatmaps(keypoints(), (160, 240), COCO18)
    assert maps.is_contiguous(memory_format=torch.channels_last)
