import pytest
import torch
from scipy.ndimage import distance_transform_edt

from bdmm.body.nearest_pixel import nearest_pixel


@pytest.mark.parametrize("density", [0.0, 0.002, 0.05, 0.9])
def test_agrees_with_the_distance_transform(density):
    marked = torch.rand(3, 40, 53) < density
    row, column = nearest_pixel(marked, reach=14)
    y, x = torch.meshgrid(torch.arange(40), torch.arange(53), indexing="ij")
    for t in range(3):
        if not marked[t].any():
            assert (row[t] == -1).all()
            assert (column[t] == -1).all()
            continue
        distance = torch.from_numpy(distance_transform_edt(~marked[t].numpy()))
        found = row[t] >= 0
        assert torch.equal(found, distance <= 14)
        assert marked[t][row[t][found], column[t][found]].all()
        squared = (row[t] - y) ** 2 + (column[t] - x) ** 2
        torch.testing.assert_close(squared[found].double(), distance[found] ** 2)


def test_of_equally_near_pixels_the_upper_then_the_left_one_is_taken():
    marked = torch.zeros(1, 3, 3, dtype=torch.bool)
    marked[0, 0, 1] = marked[0, 1, 0] = marked[0, 1, 2] = marked[0, 2, 1] = True
    row, column = nearest_pixel(marked, reach=2)
    assert (row[0, 1, 1], column[0, 1, 1]) == (0, 1)
    marked[0, 0, 1] = False
    row, column = nearest_pixel(marked, reach=2)
    assert (row[0, 1, 1], column[0, 1, 1]) == (1, 0)
