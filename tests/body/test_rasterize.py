import os
import subprocess
import sys

import pytest
import torch

from bdmm.body.fixed_point import MAX_XY, XY_STEPS, fixed_point
from bdmm.body.model import load_body
from bdmm.body.rasterize import Raster, rasterize, rasterize_ref

IMPLEMENTATIONS = ["warp", "reference"]
# A triangle whose edges pass through no pixel centre but for the diagonal of a 4x4 picture.
TRIANGLE = torch.tensor([[[0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [0.0, 4.0, 1.0]]])
FACE = torch.tensor([[0, 1, 2]])


def assert_equal(one: Raster, other: Raster) -> None:
    assert torch.equal(one.face, other.face)
    assert torch.equal(one.depth, other.depth)
    assert torch.equal(one.barycentric, other.barycentric)


def random_mesh(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random triangles, some off the picture; every second mesh on a grid, so edges hit centres."""
    generator = torch.Generator().manual_seed(seed)
    vertices = 20 * torch.randn(3, 60, 3, generator=generator) + 30
    if seed % 2:
        vertices = (2 * vertices).round() / 2
    return vertices, torch.randint(0, 60, (80, 3), generator=generator)


@pytest.mark.parametrize("seed", range(8))
def test_implementations_agree_exactly_on_random_meshes(seed):
    vertices, faces = random_mesh(seed)
    assert_equal(
        rasterize(vertices, faces, (50, 70), "warp"), rasterize_ref(vertices, faces, (50, 70))
    )


def test_implementations_agree_exactly_on_a_posed_body():
    body = load_body()
    rotations = torch.eye(3).repeat(2, 24, 1, 1)
    rotations[1, 0] = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    vertices = body.vertices(torch.zeros(body.shape_size), rotations)
    vertices = vertices * 60 + torch.tensor([64.0, 60.0, 0.0])
    fast = rasterize(vertices, body.faces, (128, 128), "warp")
    assert_equal(fast, rasterize_ref(vertices, body.faces, (128, 128)))
    assert 0.05 < (fast.face >= 0).float().mean() < 0.5


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_degenerate_and_absurd_faces_are_left_out(implementation):
    good = [[1.0, 1.0, 0.0], [7.0, 1.0, 0.0], [1.0, 7.0, 0.0]]
    bad = [
        [[float("nan"), 0, 0], [8, 0, 0], [0, 8, 0]],
        [[0, 0, float("inf")], [8, 0, 0], [0, 8, 0]],
        [[1e9, 0, -9], [8, 0, -9], [0, 8, -9]],
        [[2, 2, -9], [4, 4, -9], [6, 6, -9]],
        [[3, 3, -9], [3, 3, -9], [3, 3, -9]],
        [[-MAX_XY, 0, -9], [8, 0, -9], [8, 8, -9]],
        [[0, 0, -5000], [8, 0, -9], [0, 8, -9]],
    ]
    vertices = torch.tensor([*bad, good]).view(1, -1, 3)
    faces = torch.arange(vertices.shape[1]).view(-1, 3)
    seen = rasterize(vertices, faces, (8, 8), implementation).face
    assert set(seen.unique().tolist()) == {-1, len(bad)}
    alone = rasterize(vertices, faces[-1:], (8, 8), implementation).face
    assert torch.equal(seen >= 0, alone >= 0)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_hand_computed_triangle(implementation):
    raster = rasterize(TRIANGLE, FACE, (4, 4), implementation)
    covered = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()
    assert torch.equal(raster.face[0] >= 0, covered)
    assert torch.equal(raster.depth[0].isinf(), ~covered)
    # Pixel (row 0, column 2) has its centre at (2.5, 0.5): 2.5/4 of vertex 1, 0.5/4 of vertex 2.
    assert raster.barycentric[0, 0, 2].tolist() == [0.25, 0.625, 0.125]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_rows_are_y_and_columns_are_x(implementation):
    vertices = TRIANGLE / 4 + torch.tensor([5.4, 2.4, 0.0])
    seen = rasterize(vertices, FACE, (8, 8), implementation).face[0]
    assert torch.nonzero(seen >= 0).tolist() == [[2, 5]]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_weights_give_back_pixel_centre_and_depth(implementation):
    generator = torch.Generator().manual_seed(3)
    vertices = torch.rand(1, 30, 3, generator=generator) * 40
    faces = torch.randint(0, 30, (40, 3), generator=generator)
    raster = rasterize(vertices, faces, (40, 40), implementation)
    frame, row, column = torch.nonzero(raster.face >= 0, as_tuple=True)
    corners = vertices[0][faces[raster.face[frame, row, column]]]
    point = (raster.barycentric[frame, row, column][..., None] * corners).sum(dim=1)
    centre = torch.stack([column, row], dim=1) + 0.5
    assert (point[:, :2] - centre).abs().max() < 1e-3
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    flat = area.abs() > 20
    assert (point[:, 2] - raster.depth[frame, row, column])[flat].abs().max() < 0.02
    torch.testing.assert_close(raster.barycentric.sum(-1), (raster.face >= 0).float())


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_nearer_face_wins_and_of_equal_ones_the_first(implementation):
    near = TRIANGLE - torch.tensor([0.0, 0.0, 0.5])
    vertices = torch.cat([TRIANGLE, near, near], dim=1)
    faces = torch.arange(9).view(3, 3)
    assert rasterize(vertices, faces, (4, 4), implementation).face.max() == 1
    assert rasterize(vertices, faces.flip(0), (4, 4), implementation).face.max() == 0


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_faces_that_share_an_edge_leave_no_gap_and_the_first_has_the_edge(implementation):
    """A tilted square cut along a diagonal that passes exactly through pixel centres."""
    square = torch.tensor([[[0.0, 0, 3], [6, 0, 4], [6, 6, 9], [0, 6, 8]]])
    faces = torch.tensor([[0, 1, 2], [2, 3, 0]])
    for order in ([0, 1], [1, 0]):
        seen = rasterize(square, faces[order], (6, 6), implementation).face[0]
        assert (seen >= 0).all()
        assert (seen.diagonal() == 0).all()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_orientation_does_not_matter(implementation):
    one = rasterize(TRIANGLE, FACE, (4, 4), implementation)
    other = rasterize(TRIANGLE, FACE.flip(1), (4, 4), implementation)
    assert torch.equal(one.face, other.face)
    assert torch.equal(one.barycentric, other.barycentric.flip(-1))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_frames_are_drawn_separately(implementation):
    vertices, faces = random_mesh(1)
    whole = rasterize(vertices, faces, (30, 30), implementation)
    for t in range(3):
        one = rasterize(vertices[t : t + 1], faces, (30, 30), implementation)
        assert torch.equal(whole.face[t], one.face[0])


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_large_face_across_the_picture_is_drawn_exactly(implementation):
    corners = torch.tensor([[[-900.0, -1000.0, 0.0], [1000.0, -1000.0, 800.0], [0.0, 1000.0, 0.0]]])
    raster = rasterize(corners, FACE, (300, 200), implementation)
    assert (raster.face == 0).all()
    assert_equal(raster, rasterize_ref(corners, FACE, (300, 200)))


def test_positions_are_rounded_to_fixed_steps():
    points = fixed_point(torch.tensor([[[0.5, 1 / XY_STEPS, 1.0]]]))
    assert points.tolist() == [[[XY_STEPS // 2, 1, 512]]]


@pytest.mark.slow
def test_kernels_compile_where_no_cache_folder_can_be_written(tmp_path):
    program = (
        "import torch; from bdmm.body.rasterize import rasterize;"
        "print(rasterize(torch.tensor([[[0.,0,0],[4,0,0],[0,4,0]]]), torch.tensor([[0,1,2]]),"
        "(4, 4), 'warp').face.ge(0).sum().item())"
    )
    environment = {k: v for k, v in os.environ.items() if k != "WARP_CACHE_PATH"}
    environment |= {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "10", "")
    assert list(tmp_path.glob("bdmm-kernels-*"))


@pytest.mark.gpu
def test_the_gpu_draws_the_same_picture():
    vertices, faces = random_mesh(1)
    device = "cuda"
    there = rasterize(vertices.to(device), faces.to(device), (50, 70), "warp")
    here = rasterize_ref(vertices, faces, (50, 70))
    assert torch.equal(there.face.cpu(), here.face)
    assert torch.equal(there.barycentric.cpu(), here.barycentric)
