import torch

from bdmm.body.camera import hide_face, project
from bdmm.records import KEYPOINT_NAMES


def test_a_metre_becomes_scale_pixels_and_the_pelvis_lands_on_the_translation():
    points = torch.tensor([[[0.0, 0.0, 0.0], [1.0, -0.5, 0.25]]])
    seen = project(points, torch.tensor([100.0]), torch.tensor([[64.0, 32.0]]))
    torch.testing.assert_close(seen, torch.tensor([[[64.0, 32.0, 0.0], [164.0, -18.0, 25.0]]]))


def test_only_points_of_the_face_behind_the_body_are_missing() -> None:
    points = torch.zeros(2, len(KEYPOINT_NAMES), 3)
    points[..., :2] = 5.5
    nose, wrist = KEYPOINT_NAMES.index("nose"), KEYPOINT_NAMES.index("left_wrist")
    points[0, [nose, wrist], 2] = 30.0  # 0.3 m behind the surface at 100 pixels per metre
    points[1, nose, 2] = 4.0
    seen = hide_face(points, torch.zeros(2, 10, 10), torch.tensor([100.0, 100.0]))
    assert seen[0, nose, 2] == 0
    assert seen[0, wrist, 2] == 1
    assert seen[1, nose, 2] == 1
    assert torch.equal(seen[..., :2], points[..., :2])


def test_nothing_is_hidden_where_no_body_is_drawn_or_out_of_the_frame() -> None:
    points = torch.full((1, len(KEYPOINT_NAMES), 3), 50.0)
    depth = torch.full((1, 10, 10), torch.inf)
    assert bool((hide_face(points, depth, torch.tensor([100.0]))[..., 2] == 1).all())
