"""Gauss-Newton steps: derivatives, normal equations, and the step that solves them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import AnnyBody
from bdmm.media.motion_file import load_shipped
from bdmm.perception.gauss_newton import Residuals, normal_equations, robust_weight, solve_step
from bdmm.perception.pose_jacobian import TURNS, UNKNOWNS, PoseJacobian, SkinnedPoints, apply_step
from bdmm.records import Motion


@pytest.fixture(scope="module")
def pose(body: AnnyBody) -> Motion:
    shape = 0.3 * torch.ones(body.shape_size)
    return replace(load_shipped("dance")[10:13], shape=shape)


@pytest.fixture(scope="module")
def surface(body: AnnyBody) -> AnnyBody:
    return body.part(torch.arange(0, len(body.weights), 197))


@pytest.fixture(scope="module")
def jacobian(surface: AnnyBody, pose: Motion) -> PoseJacobian:
    return _jacobian(surface, pose)


def _jacobian(surface: AnnyBody, pose: Motion) -> PoseJacobian:
    return SkinnedPoints(surface, surface.vertex_features).jacobian(pose, pose.shape, True)


def _steps(jacobian: PoseJacobian, count: int = 1) -> Tensor:
    return torch.randn(count, jacobian.count, generator=torch.Generator().manual_seed(1))


def _dense(jacobian: PoseJacobian) -> Tensor:
    columns = [jacobian.velocities(one).flatten() for one in torch.eye(jacobian.count)]
    return torch.stack(columns, dim=1)


def test_points_are_the_bodys(surface: AnnyBody, pose: Motion, jacobian: PoseJacobian) -> None:
    posed = surface.vertices(pose.shape, pose.rotations)
    expected = project(posed, pose.scale, pose.translation)
    torch.testing.assert_close(jacobian.points(pose.translation), expected, atol=1e-3, rtol=0)


def test_velocities_are_those_of_small_steps(
    surface: AnnyBody, pose: Motion, jacobian: PoseJacobian
) -> None:
    for step in 3e-3 * _steps(jacobian, 4):
        ends = []
        for way in (step, -step):
            frames, shape = jacobian.split(way)
            changed = replace(apply_step(pose, frames), shape=pose.shape + shape)
            ends.append(_jacobian(surface, changed).points(changed.translation))
        expected = 0.5 * (ends[0] - ends[1])
        torch.testing.assert_close(jacobian.velocities(step), expected, atol=2e-3, rtol=0)


def test_the_gradient_is_the_transpose(jacobian: PoseJacobian) -> None:
    (step,) = _steps(jacobian)
    forces = torch.randn_like(jacobian.arms)
    through_points = (jacobian.velocities(step) * forces).sum()
    through_unknowns = step @ jacobian.gradient(forces)
    torch.testing.assert_close(through_points, through_unknowns, rtol=1e-4, atol=0)


def test_blocks_are_exact_where_one_bone_carries_a_point(body: AnnyBody, pose: Motion) -> None:
    rigid = body.weights.max(dim=1).values > 0.999
    surface = body.part(torch.nonzero(rigid)[::97, 0])
    surface.weights = surface.weights.round()
    jacobian = _jacobian(surface, pose)
    roots = torch.randn(*jacobian.arms.shape, 3)
    weights = roots @ roots.mT
    blocks, of_shape = jacobian.blocks(weights)
    dense = _dense(jacobian).unflatten(0, (-1, 3))
    expected = torch.einsum("pim,pij,pjn->mn", dense, weights.flatten(0, 1), dense)
    for frame, block in enumerate(blocks):
        own = slice(frame * UNKNOWNS, (frame + 1) * UNKNOWNS)
        torch.testing.assert_close(block, expected[own, own], rtol=1e-3, atol=30)
    shape = slice(len(blocks) * UNKNOWNS, None)
    torch.testing.assert_close(of_shape, expected[shape, shape], rtol=1e-3, atol=30)


def test_the_weight_is_the_derivative_of_the_robust_loss() -> None:
    squared = torch.tensor([0.0, 1.0, 30.0, 1e6], requires_grad=True)
    loss = squared / (1 + squared / 10.0**2)
    (expected,) = torch.autograd.grad(loss.sum(), squared)
    torch.testing.assert_close(robust_weight(squared, 10.0), expected)


def _some_residuals() -> list[Residuals]:
    pairs = torch.tensor([[0, 3], [2, 2], [5, 1]])
    return [
        Residuals.single(torch.arange(6), torch.linspace(-1, 1, 6), torch.full((6,), 0.5)),
        Residuals(pairs, torch.tensor([[1.0, -1], [2, 3], [0.5, 0]]), torch.ones(3), torch.rand(3)),
    ]


def test_normal_equations_are_those_of_the_dense_matrix() -> None:
    terms = _some_residuals()
    derivatives = torch.cat([torch.from_numpy(one.matrix(6).toarray()) for one in terms])
    assert derivatives[7].tolist() == [0, 0, 5, 0, 0, 0]
    weights = torch.cat([one.weights for one in terms])
    values = torch.cat([one.values for one in terms])
    matrix, gradient = normal_equations(terms, 6)
    expected = derivatives.T @ (weights[:, None] * derivatives)
    torch.testing.assert_close(torch.from_numpy(matrix.toarray()), expected)
    torch.testing.assert_close(gradient, derivatives.T @ (weights * values))


def test_a_step_solves_the_normal_equations(jacobian: PoseJacobian) -> None:
    numbers = torch.arange(jacobian.arms.numel()).view_as(jacobian.arms)
    pull = Residuals.single(numbers, torch.randn_like(jacobian.arms), torch.ones(numbers.shape))
    ends, starts = numbers[1:].reshape(-1), numbers[:-1].reshape(-1)
    factors = torch.tensor([1.0, -1.0]).expand(len(ends), 2)
    tied = Residuals(torch.stack((ends, starts), 1), factors, *torch.ones(2, len(ends)))
    prior = Residuals.single(torch.arange(jacobian.count), *torch.ones(2, jacobian.count))
    step = solve_step(jacobian, [pull, tied], [prior])
    dense = _dense(jacobian)
    matrix, gradient = normal_equations([pull, tied], numbers.numel())
    whole = dense.T @ torch.from_numpy(matrix.toarray()) @ dense + torch.eye(jacobian.count)
    right = -(dense.T @ gradient + torch.ones(jacobian.count))
    expected = torch.linalg.solve(whole, right)
    assert expected[: 3 * UNKNOWNS].abs().max() < 2

    def energy(step: Tensor) -> Tensor:
        return 0.5 * step @ whole @ step - right @ step

    assert energy(step) < 0.98 * energy(expected)


def test_a_step_turns_no_bone_too_far(jacobian: PoseJacobian) -> None:
    numbers = torch.arange(jacobian.arms.numel()).view_as(jacobian.arms)
    far = Residuals.single(numbers, torch.full_like(jacobian.arms, 1e4), torch.ones(numbers.shape))
    prior = Residuals.single(torch.arange(jacobian.count), *torch.ones(2, jacobian.count))
    frames, _ = jacobian.split(solve_step(jacobian, [far], [prior]))
    assert frames[:, :TURNS].abs().max() <= 0.5
    assert frames.isfinite().all()
