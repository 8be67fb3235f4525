import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from bdmm.body.rotations import (
    angle_between,
    axis_angle_to_matrix,
    chain,
    frame,
    interpolate,
    matrix_to_axis_angle,
    pose_bones,
    rotation_between,
    unchain,
)
from bdmm.records import BONE_NAMES, BONE_PARENTS


def random_rotations(*shape: int) -> torch.Tensor:
    return axis_angle_to_matrix(torch.randn(*shape, 3, dtype=torch.float64))


def test_exponential_map_agrees_with_scipy_at_every_angle():
    vectors = torch.randn(200, 3, dtype=torch.float64)
    vectors = vectors / vectors.norm(dim=1, keepdim=True)
    vectors = vectors * torch.logspace(-9, math.log10(9), 200, dtype=torch.float64)[:, None]
    expected = torch.from_numpy(Rotation.from_rotvec(vectors.numpy()).as_matrix())
    torch.testing.assert_close(axis_angle_to_matrix(vectors), expected, atol=1e-12, rtol=0)


def test_quarter_turn_about_y_takes_the_front_to_image_left():
    turned = axis_angle_to_matrix(torch.tensor([0.0, math.pi / 2, 0.0])) @ torch.tensor(
        [0.0, 0, -1]
    )
    torch.testing.assert_close(turned, torch.tensor([-1.0, 0.0, 0.0]), atol=1e-6, rtol=0)


def test_logarithm_undoes_the_exponential_up_to_a_half_turn():
    axes = torch.randn(300, 3, dtype=torch.float64)
    axes = axes / axes.norm(dim=1, keepdim=True)
    angles = torch.cat((torch.logspace(-9, 0, 100), torch.linspace(1, math.pi - 1e-6, 200)))
    vectors = axes * angles[:, None].double()
    back = matrix_to_axis_angle(axis_angle_to_matrix(vectors))
    torch.testing.assert_close(back, vectors, atol=1e-8, rtol=0)


def test_logarithm_of_a_half_turn_is_a_half_turn():
    for axis in torch.eye(3, dtype=torch.float64):
        matrix = 2 * torch.outer(axis, axis) - torch.eye(3, dtype=torch.float64)
        assert matrix_to_axis_angle(matrix).norm() == pytest.approx(math.pi)
        torch.testing.assert_close(axis_angle_to_matrix(matrix_to_axis_angle(matrix)), matrix)


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0])
def test_exponential_map_has_true_gradients_at_zero_too(size: float):
    vectors = (size * torch.randn(4, 3, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(axis_angle_to_matrix, vectors)


def test_logarithm_has_true_gradients():
    vectors = torch.randn(4, 3, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v: matrix_to_axis_angle(axis_angle_to_matrix(v)), vectors
    )
    still = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    matrix_to_axis_angle(axis_angle_to_matrix(still)).sum().backward()
    torch.testing.assert_close(still.grad, torch.ones_like(still))


def test_interpolation_has_its_ends_and_constant_speed():
    start, end = random_rotations(5), random_rotations(5)
    whole = angle_between(start, end)
    for share in (0.0, 0.25, 1.0):
        weight = torch.full((5,), share, dtype=torch.float64)
        between = interpolate(start, end, weight)
        torch.testing.assert_close(angle_between(start, between), share * whole, atol=1e-7, rtol=0)
    torch.testing.assert_close(between, end, atol=1e-9, rtol=0)


def test_rotation_between_turns_one_direction_into_the_other():
    start, end = torch.randn(2, 50, 3, dtype=torch.float64)
    rotation = rotation_between(start, end)
    along = (rotation @ start[..., None])[..., 0]
    cosine = torch.nn.functional.cosine_similarity(along, end)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    expected = torch.nn.functional.cosine_similarity(start, end).acos()
    torch.testing.assert_close(angle_between(torch.eye(3).double(), rotation), expected)


def test_rotation_between_opposite_directions_is_a_half_turn():
    for direction in torch.cat((torch.eye(3), torch.randn(5, 3))):
        rotation = rotation_between(direction, -direction)
        torch.testing.assert_close(rotation @ direction, -direction, atol=1e-5, rtol=0)
        assert torch.linalg.det(rotation) == pytest.approx(1, abs=1e-5)


def test_frame_of_directions_without_length_or_along_each_other_is_a_rotation():
    x, nothing = torch.tensor([2.0, 0.0, 0.0]), torch.zeros(3)
    for first, second in ((x, x), (x, nothing), (nothing, x), (nothing, nothing), (x, -3 * x)):
        axes = frame(first, second)
        torch.testing.assert_close(axes @ axes.mT, torch.eye(3))
        torch.testing.assert_close(torch.linalg.det(axes), torch.tensor(1.0))


def test_frame_is_right_handed_and_keeps_the_first_direction():
    first, second = torch.randn(2, 20, 3, dtype=torch.float64)
    axes = frame(first, second)
    torch.testing.assert_close(axes.mT @ axes, torch.eye(3).double().expand(20, 3, 3))
    torch.testing.assert_close(torch.linalg.det(axes), torch.ones(20).double())
    torch.testing.assert_close(axes[..., 0] * first.norm(dim=1, keepdim=True), first)
    assert ((axes[..., 1] * second).sum(1) > 0).all()


def test_chain_multiplies_along_the_tree_and_unchain_undoes_it():
    local = random_rotations(3, len(BONE_NAMES))
    orientations = chain(local)
    for bone, parent in enumerate(BONE_PARENTS):
        above = orientations[:, parent] if parent >= 0 else torch.eye(3).double()
        torch.testing.assert_close(orientations[:, bone], above @ local[:, bone])
    torch.testing.assert_close(unchain(orientations), local)


def test_posed_joints_keep_their_distances_and_ride_on_their_parents():
    joints = torch.randn(len(BONE_NAMES), 3, dtype=torch.float64)
    local = random_rotations(4, len(BONE_NAMES))
    bones = pose_bones(local, joints)
    torch.testing.assert_close(bones[..., :3], chain(local))
    torch.testing.assert_close(bones[:, 0, :, 3], joints[0].expand(4, 3))
    for bone, parent in enumerate(BONE_PARENTS[1:], start=1):
        offset = bones[:, parent, :, :3] @ (joints[bone] - joints[parent])
        torch.testing.assert_close(bones[:, bone, :, 3], bones[:, parent, :, 3] + offset)
