import pytest
import torch
from scipy.ndimage import binary_erosion, distance_transform_edt
from torch.nn import functional

from bdmm.body.regions import least_near, nearest_pixel, speckles


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


@pytest.mark.parametrize("radius", [1, 2, 3, 5, 8])
def test_the_least_value_near(radius: int) -> None:
    values = torch.rand(2, 40, 53)
    values[values > 0.5] = torch.inf
    pooled = -functional.max_pool2d(-values, 2 * radius + 1, stride=1, padding=radius)
    assert torch.equal(least_near(values, radius), pooled)
    region = torch.rand(1, 40, 53) < 0.97
    square = torch.ones(2 * radius + 1, 2 * radius + 1)
    eroded = binary_erosion(region[0].numpy(), square.numpy(), border_value=1)
    assert torch.equal(least_near(region, radius)[0], torch.from_numpy(eroded))


def test_of_equally_near_pixels_the_upper_then_the_left_one_is_taken():
    marked = torch.zeros(1, 3, 3, dtype=torch.bool)
    marked[0, 0, 1] = marked[0, 1, 0] = marked[0, 1, 2] = marked[0, 2, 1] = True
    row, column = nearest_pixel(marked, reach=2)
    assert (row[0, 1, 1], column[0, 1, 1]) == (0, 1)
    marked[0, 0, 1] = False
    row, column = nearest_pixel(marked, reach=2)
    assert (row[0, 1, 1], column[0, 1, 1]) == (1, 0)


@pytest.fixture
def place() -> torch.Tensor:
    """A surface that is copied as it is."""
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    return torch.stack((columns, rows))


def test_a_surface_has_none_inside_and_along_its_edges(place):
    known = torch.ones(20, 30, dtype=torch.bool)
    found = speckles(2 * place, known)
    found[[0, 0, -1, -1], [0, -1, 0, -1]] = False
    assert not found.any()


def test_pixels_from_elsewhere_are_found_and_their_neighbours_are_not(place):
    known = torch.ones(20, 30, dtype=torch.bool)
    strange = torch.zeros_like(known)
    strange[4, 7] = strange[10, 12] = strange[10, 13] = True
    found = speckles(torch.where(strange, place + 50, place), known)
    assert torch.equal(found[1:-1, 1:-1], strange[1:-1, 1:-1])


def test_a_thread_between_two_surfaces_is_found(place):
    known = torch.ones(20, 30, dtype=torch.bool)
    place[0, :, 16:] += 40
    place[0, :, 15] += 20
    found = speckles(place, known)
    assert found[:, 15].all()
    assert not found[1:-1, 1:15].any()
    assert not found[1:-1, 16:-1].any()


def test_what_is_unknown_is_no_company(place):
    known = torch.zeros(20, 30, dtype=torch.bool)
    known[5:15, 5:15] = True
    known[8, 22] = True
    found = speckles(place, known)
    assert found[8, 22]
    assert not found[6:14, 6:14].any()
    assert not found[~known].any()


def test_a_limb_two_pixels_wide_is_whole(place):
    known = torch.zeros(20, 30, dtype=torch.bool)
    known[4:16, 9:11] = True
    assert not speckles(place, known).any()
