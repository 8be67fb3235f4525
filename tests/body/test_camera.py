import torch

from bdmm.body.camera import project, unproject


def test_a_metre_becomes_scale_pixels_and_the_pelvis_lands_on_the_translation():
    points = torch.tensor([[[0.0, 0.0, 0.0], [1.0, -0.5, 0.25]]])
    seen = project(points, torch.tensor([100.0]), torch.tensor([[64.0, 32.0]]))
    torch.testing.assert_close(seen, torch.tensor([[[64.0, 32.0, 0.0], [164.0, -18.0, 25.0]]]))


def test_unproject_undoes_project():
    points, scale = torch.randn(3, 7, 3), torch.tensor([10.0, 100.0, 500.0])
    translation = 100 * torch.randn(3, 2)
    back = unproject(project(points, scale, translation), scale, translation)
    torch.testing.assert_close(back, points, atol=1e-4, rtol=0)
