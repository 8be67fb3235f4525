import torch
from torch.nn import functional

from bdmm.body.clothed_body import BARE_OUTWARD, OUTWARD, clothed, vertex_normals
from bdmm.records import BONE_NAMES


def outline(draw, body, pose) -> torch.Tensor:
    return (draw(body, pose).face >= 0).float()


def overlap(one: torch.Tensor, other: torch.Tensor) -> float:
    one, other = one > 0.5, other > 0.5
    return float((one & other).sum() / (one | other).sum())


def grown(region: torch.Tensor, pixels: int) -> torch.Tensor:
    return functional.max_pool2d(region, 2 * pixels + 1, stride=1, padding=pixels)


def moved_by(body, dressed, pose) -> torch.Tensor:
    rest = body.rest_vertices(pose.shape)
    offset = dressed.rest_vertices(pose.shape) - rest
    return (offset * vertex_normals(rest, body.faces)).sum(dim=-1)


def test_a_body_that_fits_stays_as_it_is(body, standing, draw):
    pose = standing()
    offset = moved_by(body, clothed(body, pose, outline(draw, body, pose)), pose)
    assert offset.abs().mean() < 0.003
    assert offset.abs().max() < 1.5 / 75  # one and a half pixels at 75 pixels per metre


def test_wide_clothes_are_put_on_and_hold_in_other_poses(body, standing, draw):
    pose = standing()
    naked = outline(draw, body, pose)
    wide = grown(naked, 3)
    dressed = clothed(body, pose, wide)
    assert overlap(outline(draw, dressed, pose), wide) > overlap(naked, wide) + 0.12
    offset = moved_by(body, dressed, pose)
    torso = body.vertex_bones == BONE_NAMES.index("spine2")
    assert 0.008 < offset[torso].mean() < 0.045  # three pixels are 4 cm at 75 pixels per metre
    turned = standing(0.8)
    assert outline(draw, dressed, turned).sum() > 1.15 * outline(draw, body, turned).sum()


def test_a_fit_that_is_too_wide_is_taken_in(body, standing, draw):
    pose = standing()
    naked = outline(draw, body, pose)
    lean = 1 - grown(1 - naked, 1)
    dressed = clothed(body, pose, lean)
    assert overlap(outline(draw, dressed, pose), lean) > overlap(naked, lean)
    assert moved_by(body, dressed, pose).mean() < 0


def test_held_things_are_not_worn(body, standing, draw):
    pose = standing()
    foreground = outline(draw, body, pose)
    hand = draw(body, pose).face[0]
    hands = body.vertex_bones[body.faces[hand.clamp(min=0), 0]] == BONE_NAMES.index("left_hand")
    row, column = torch.nonzero(hands & (hand >= 0)).float().mean(dim=0).long().tolist()
    foreground[0, row - 8 : row + 8, column - 6 : column + 10] = 1
    offset = moved_by(body, clothed(body, pose, foreground), pose)
    on_hand = body.vertex_bones == BONE_NAMES.index("left_hand")
    assert offset[on_hand].max() < BARE_OUTWARD
    assert offset.max() < 0.5 * OUTWARD


def test_no_outline_at_all_changes_nothing(body, standing):
    pose = standing()
    everywhere = torch.ones(1, *pose.size)
    dressed = clothed(body, pose, everywhere)
    torch.testing.assert_close(dressed.rest_vertices(pose.shape), body.rest_vertices(pose.shape))


def test_normals_point_outward_with_unit_length():
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    normals = vertex_normals(corners, faces)
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(4))
    assert ((normals * (corners - corners.mean(dim=0))).sum(dim=1) > 0).all()
