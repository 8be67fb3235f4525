"""Flow, visibility and the body's truth, in cases that can be computed by hand."""

import numpy as np
import pytest
import torch

from bdmm.body.model import load_body
from bdmm_synth.camera import Camera
from bdmm_synth.figure import make_figure
from bdmm_synth.render.draw import EMPTY, SkinnedMesh, draw
from bdmm_synth.render.mesh import Mesh
from bdmm_synth.render.truth import (
    find_body,
    towards_camera,
    trace,
    true_flow,
    weak_perspective,
)
from bdmm_synth.warp_cpu import vectors

_SIZE, _FINE = (48, 64), 2
# At 4 m a metre is 10 pixels.
_CAMERA = Camera(_SIZE, 40.0, (32.0, 24.0), np.array([0.0, 0, -4]))


@pytest.fixture(scope="module")
def figure():
    body = load_body()
    return make_figure(body, np.zeros(body.shape_size))


def square(middle, half=1.0):
    """Four corners of an upright square that faces the camera, two faces."""
    x, y, z = middle
    return np.array([[x - half, y - half, z], [x + half, y - half, z],
                     [x + half, y + half, z], [x - half, y + half, z]])  # fmt: skip


def mesh_of(figure, count, two_sided=1, hair=()):
    """``count`` squares, each a layer of its own, and segments between further vertices."""
    faces = np.array([[0, 1, 2], [0, 2, 3]])[:, ::-1]
    faces = np.concatenate([faces + 4 * k for k in range(count)]).astype(np.int32)
    total = 4 * count + 2 * len(hair)
    segments = np.arange(4 * count, total, dtype=np.int32).reshape(-1, 2)
    return Mesh(
        figure=figure,
        rest=np.zeros((total, 3), np.float32),
        bones=np.zeros((total, 6), np.int32),
        shares=np.full((total, 6), 1 / 6, np.float32),
        faces=faces,
        layer=np.repeat(np.arange(count), 2).astype(np.int32),
        two_sided=np.full(2 * count, two_sided, np.int32),
        inside=np.ones(total, np.float32),
        recede=np.zeros(total, np.float32),
        coords=[np.zeros((4, 3))] * count,
        first=[4 * k for k in range(count)],
        segments=segments,
        tint=np.zeros((len(segments), 3), np.float32),
        growing=np.ones(len(segments), bool),
    )


def shoot(model, *frames):
    camera = _CAMERA.finer(_FINE)
    return [trace(draw(model, vectors(points), camera, _FINE, 0.5)) for points in frames]


def test_a_shifted_square_flows_by_its_shift(figure):
    model = SkinnedMesh(mesh_of(figure, 1))
    traces = shoot(model, square((0, 0, 0)), square((0.5, 0.3, 0)))
    flow = true_flow(model, traces, _SIZE, 0)
    on_square = ~torch.isnan(flow.flow[1, ..., 0])
    assert int(on_square.sum()) == 20 * 20
    expected = torch.tensor([-5.0, -3.0]).expand(400, 2)
    torch.testing.assert_close(flow.flow[1][on_square], expected, atol=1e-4, rtol=0)
    assert flow.visible[1][on_square].all()
    assert not flow.visible[1][~on_square].any()


def test_flow_onto_itself_is_zero_and_all_is_visible(figure):
    model = SkinnedMesh(mesh_of(figure, 2))
    points = np.concatenate([square((0, 0, 0)), square((0.7, 0.2, -0.5), 0.6)])
    (one,) = shoot(model, points)
    flow = true_flow(model, [one], _SIZE, 0)
    on_person = ~torch.isnan(flow.flow[0, ..., 0])
    assert flow.flow[0][on_person].abs().max() < 1e-4
    assert torch.equal(flow.visible[0], on_person)


def test_what_another_layer_covers_is_not_visible(figure):
    model = SkinnedMesh(mesh_of(figure, 2))
    far = square((0, 0, 0))
    covered = np.concatenate([far, square((-0.5, 0, -0.3), 0.5)])
    free = np.concatenate([far, square((-0.5, -50, -0.3), 0.5)])
    flow = true_flow(model, shoot(model, covered, free), _SIZE, 0)
    assert not flow.visible[1][24, 24:30].any()
    assert flow.visible[1][24, 34:41].all()
    assert flow.flow[1][24, 24:41].abs().max() < 1e-4


def test_the_other_side_of_cloth_is_not_visible(figure):
    model = SkinnedMesh(mesh_of(figure, 1))
    front = square((0, 0, 0))
    back = front * [-1, 1, 1]
    flow = true_flow(model, shoot(model, front, back), _SIZE, 0)
    on_square = ~torch.isnan(flow.flow[1, ..., 0])
    assert on_square.any()
    assert not flow.visible[1].any()
    # What is now on the right was on the left.
    assert flow.flow[1][24, 36, 0] == pytest.approx(-9.0, abs=1e-3)


def test_the_back_of_a_closed_mesh_is_not_drawn(figure):
    model = SkinnedMesh(mesh_of(figure, 1, two_sided=0))
    front = square((0, 0, 0))
    seen, unseen = shoot(model, front, front * [-1, 1, 1])
    assert (seen.owner >= 0).any()
    assert not (unseen.owner >= 0).any()


def test_what_leaves_the_frame_is_not_visible(figure):
    model = SkinnedMesh(mesh_of(figure, 1))
    flow = true_flow(model, shoot(model, square((3.0, 0, 0)), square((0, 0, 0))), _SIZE, 0)
    assert flow.flow[1][24, 32, 0] == pytest.approx(30, abs=1e-3)
    assert not flow.visible[1][24, 34:42].any()
    assert flow.visible[1][24, 23:33].all()


def test_hair_is_followed_along_its_strands(figure):
    model = SkinnedMesh(mesh_of(figure, 1, hair=[0]))
    away = square((0, -50, 0))
    strand = np.array([[-1.0, 0.03, 0], [1.0, 0.03, 0]])
    down = np.array([0, 0.4, 0])
    frames = [np.concatenate([away, strand]), np.concatenate([away, strand + down])]
    traces = [trace(draw(model, vectors(p), _CAMERA.finer(2), 2, 1.2)) for p in frames]
    flow = true_flow(model, traces, _SIZE, 0)
    on_hair = ~torch.isnan(flow.flow[1, ..., 0])
    assert int(on_hair.sum()) >= 20
    expected = torch.tensor([0.0, -4.0]).expand(int(on_hair.sum()), 2)
    torch.testing.assert_close(flow.flow[1][on_hair], expected, atol=1e-3, rtol=0)
    assert flow.visible[1][on_hair].all()


def test_receding_layers_lie_behind_what_is_worn_over_them(figure):
    mesh = mesh_of(figure, 2)
    mesh.recede[:4] = 0.05
    model = SkinnedMesh(mesh)
    poking = np.concatenate([square((0, 0, -0.02)), square((0, 0, 0))])
    (one,) = shoot(model, poking)
    assert set(np.unique(one.owner)) == {-1, 2, 3}


def test_a_hem_is_cut_where_the_field_crosses_zero(figure):
    mesh = mesh_of(figure, 1)
    mesh.inside[:] = [1, 1, -1, -1]
    (one,) = shoot(SkinnedMesh(mesh), square((0, 0, 0)))
    assert (one.owner >= 0).sum() == 20 * 10


def test_weak_perspective_is_found_again():
    random = np.random.default_rng(0)
    points = random.normal(size=(50, 3))
    scale, translation = weak_perspective(points, points[:, :2] * 37.0 + [100, 50])
    assert scale == pytest.approx(37)
    assert translation == pytest.approx([100, 50])


def test_a_camera_beside_a_person_sees_it_turned():
    turn = towards_camera(_CAMERA, np.array([4.0, 0, 0]))
    assert turn @ np.array([1, 0, 1]) / np.sqrt(2) == pytest.approx([0, 0, 1])
    assert turn @ turn.T == pytest.approx(np.eye(3))


def test_keypoints_behind_the_body_are_occluded(figure):
    """A square right before the left half of the body hides the keypoints there."""
    model = SkinnedMesh(mesh_of(figure, 1))
    (one,) = shoot(model, square((-1.05, 0, -0.5)))
    rotations = np.tile(np.eye(3), (1, 24, 1, 1))
    truth = find_body(
        figure.body, figure.shape, rotations, np.zeros((1, 3)), _CAMERA.finer(_FINE), [one.drawn]
    )
    pixels = truth.keypoints[0]
    hidden = (pixels[:, 0] < 31) & (np.abs(pixels[:, 1] - 24) < 10)
    assert hidden.sum() > 5
    assert not pixels[hidden, 2].any()
    assert pixels[pixels[:, 0] > 33, 2].all()
    assert truth.scale[0] == pytest.approx(10, rel=0.05)
    assert one.drawn.keys.min() < EMPTY
