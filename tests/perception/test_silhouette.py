import pytest
import torch

from bdmm.body.camera import project
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.perception.gauss_newton import normal_equations
from bdmm.perception.pose import PackedSilhouettes, Silhouette
from bdmm.perception.silhouette import SilhouetteTerm, spread_vertices


def _flat(body, motion, watched):
    points = body.vertices(motion.shape, motion.rotations, watched)
    return project(points, motion.scale, motion.translation)[..., :2]


def test_spread_vertices_cover_the_body_evenly(body):
    chosen = spread_vertices(body.template, 0.05)
    assert 300 < len(chosen) < 1500
    assert len(chosen.unique()) == len(chosen)
    gap = torch.cdist(body.template, body.template[chosen]).min(dim=1).values
    assert gap.max() < 0.05 * 3**0.5


def test_the_penalty_is_least_at_the_true_place(body, make_motion, outline):
    motion = make_motion(frames=3)
    watched = spread_vertices(body.template)
    points = _flat(body, motion, watched)
    origin = torch.tensor([20.0, 10.0])

    def penalty(shift: tuple[float, float]) -> torch.Tensor:
        term = SilhouetteTerm(outline(motion), origin, 1.5)
        moved = (points + torch.tensor(shift) - origin) / 1.5
        terms = term.residuals(moved, torch.arange(moved.numel()).view_as(moved))
        return sum((one.weights * one.values.square()).sum() for one in terms)

    true = penalty((0.0, 0.0))
    assert true < 3
    for shift in ((8.0, 0.0), (-8.0, 0.0), (0.0, 8.0), (0.0, -8.0)):
        assert penalty(shift) > true + 3


def test_its_residuals_pull_back(body, make_motion, outline):
    motion = make_motion(frames=2)
    watched = spread_vertices(body.template)
    points = _flat(body, motion, watched) + torch.tensor([6.0, 0.0])
    numbers = torch.arange(points.numel()).view_as(points)
    terms = SilhouetteTerm(outline(motion), torch.zeros(2), 1.0).residuals(points, numbers)
    _, gradient = normal_equations(terms, points.numel())
    along = gradient.view_as(points).sum((0, 1))
    assert along[0] > 0
    assert along[0] > 3 * along[1].abs()


def test_distances_outside_are_differentiated(body, make_motion, outline):
    motion = make_motion(frames=1)
    points = _flat(body, motion, spread_vertices(body.template)) + 4.3
    numbers = torch.arange(points.numel()).view_as(points)
    term = SilhouetteTerm(outline(motion), torch.zeros(2), 1.0)
    outside, _ = term.residuals(points, numbers)
    assert 20 < len(outside.values) < points.shape[1]
    step = 1e-2
    further, _ = term.residuals(points + torch.tensor([step, 0.0]), numbers)
    both = torch.isin(outside.coordinates[:, 0], further.coordinates[:, 0])
    same = torch.isin(further.coordinates[:, 0], outside.coordinates[:, 0])
    grown = (further.values[same] - outside.values[both]) / step
    assert (grown - outside.factors[both, 0]).abs().median() < 0.02


def test_a_body_fills_its_own_drawing(body, make_motion, outline, overlap):
    motion = make_motion(frames=2)
    points = body.vertices(motion.shape, motion.rotations)
    vertices = project(points, motion.scale, motion.translation)
    assert torch.allclose(overlap(vertices, body.faces, outline(motion)), torch.ones(2))
    turned = axis_angle_to_matrix(torch.tensor([0.0, 0.0, 1.0]))
    away = vertices.clone()
    away[..., :2] += 300 * turned[0, 0]
    assert (overlap(away, body.faces, outline(motion)) < 0.05).all()


def test_overlap_sees_a_cutting_as_the_whole(body, make_motion, outline, overlap):
    motion = make_motion(frames=1)
    points = body.vertices(motion.shape, motion.rotations)
    vertices = project(points, motion.scale, motion.translation)
    whole = outline(motion)[0]
    part = Silhouette(0, whole.foreground[:, 16:240, 32:224], (32.0, 16.0), 1.0)
    assert overlap(vertices, body.faces, [part])[0] > 0.99


def test_packing_keeps_every_pixel():
    packed = PackedSilhouettes()
    for frame in (3, 5):
        foreground = (torch.rand(1, 13, 11) > 0.5).float()
        packed.append(Silhouette(frame, foreground, (1.5, -2.0), 0.5))
        assert torch.equal(packed[-1].foreground, foreground)
    assert [one.frame for one in packed] == [3, 5]
    assert [one.frame for one in packed[1:]] == [5]
    with pytest.raises(IndexError):
        packed[2]
