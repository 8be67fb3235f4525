import torch

from bdmm.kernels.warp import warp


def centres(height: int, width: int) -> torch.Tensor:
    y = (torch.arange(height) + 0.5) * 2 / height - 1
    x = (torch.arange(width) + 0.5) * 2 / width - 1
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)[None]


def test_pixel_centres_give_the_image_back():
    image = torch.rand(1, 3, 5, 8)
    torch.testing.assert_close(warp(image, centres(5, 8)), image)


def test_one_pixel_is_found_at_x_then_y():
    image = torch.zeros(1, 1, 4, 8)
    image[0, 0, 1, 6] = 1  # row 1, column 6
    position = torch.tensor([(6 + 0.5) * 2 / 8 - 1, (1 + 0.5) * 2 / 4 - 1]).view(1, 1, 1, 2)
    assert warp(image, position).item() == 1
    assert warp(image, position.flip(-1)).item() == 0


def test_half_way_between_two_pixels_is_their_mean():
    image = torch.tensor([1.0, 3.0]).view(1, 1, 1, 2)
    assert warp(image, torch.zeros(1, 1, 1, 2)).item() == 2


def test_outside_is_zero_and_the_edge_fades_over_half_a_pixel():
    image = torch.ones(1, 1, 2, 2)
    grid = torch.tensor([[-2.0, -2.0], [-1.0, -0.5], [1.6, 0.0]]).view(1, 1, 3, 2)
    assert warp(image, grid).flatten().tolist() == [0.0, 0.5, 0.0]


def test_output_has_the_grids_size_and_the_images_type():
    image = torch.rand(2, 3, 6, 6, dtype=torch.float64)
    out = warp(image, torch.zeros(2, 3, 4, 2))
    assert out.shape == (2, 3, 3, 4)
    assert out.dtype == torch.float64


def test_gradient_reaches_image_and_grid():
    image = torch.rand(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    grid = (torch.rand(1, 3, 3, 2, dtype=torch.float64) - 0.5).requires_grad_()
    assert torch.autograd.gradcheck(warp, (image, grid))
