import torch

from bdmm.kernels.push_pull import push_pull


def test_known_pixels_are_kept_exactly():
    image = torch.rand(2, 3, 37, 50)
    weight = (torch.rand(2, 1, 37, 50) < 0.3).float()
    filled = push_pull(image, weight)
    kept = weight.expand_as(image) > 0
    assert torch.equal(filled[kept], image[kept])


def test_one_colour_fills_everything():
    weight = torch.zeros(1, 1, 40, 33)
    weight[..., 20, 7] = 1
    image = torch.full((1, 3, 40, 33), 0.3)
    torch.testing.assert_close(push_pull(image * weight, weight), image)


def test_a_hole_takes_after_its_nearest_edge():
    image = torch.zeros(1, 1, 32, 64)
    image[..., 32:] = 1
    weight = torch.ones(1, 1, 32, 64)
    weight[..., 8:24, 4:60] = 0
    filled = push_pull(image * weight, weight)[0, 0]
    assert filled[16, 5] < 0.3
    assert filled[16, 58] > 0.7
    assert filled.min() >= 0
    assert filled.max() <= 1


def test_unknown_values_have_no_influence():
    image, weight = torch.rand(1, 3, 16, 16), (torch.rand(1, 1, 16, 16) < 0.5).float()
    other = torch.where(weight > 0, image, 1e6)
    torch.testing.assert_close(push_pull(image * weight, weight), push_pull(other, weight))


def test_nothing_known_gives_zeros():
    assert (push_pull(torch.rand(1, 3, 9, 5), torch.zeros(1, 1, 9, 5)) == 0).all()
