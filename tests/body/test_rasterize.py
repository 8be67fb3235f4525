import os
import subprocess
import sys

import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.body.model import load_body
from bdmm.body.rasterize import (
    EMPTY,
    MAX_XY,
    MAX_Z,
    XY_STEPS,
    Z_STEPS,
    Raster,
    fixed_point,
    rasterize,
)
from bdmm.shapes import Faces

_CANDIDATES = 2**21


def rasterize_ref(vertices: Float[Tensor, "t v 3"], faces: Faces, size: tuple[int, int]) -> Raster:
    """Draw a mesh into a z-buffer with plain PyTorch: the specification of `rasterize`."""
    points = fixed_point(vertices)
    keys = torch.stack([_z_buffer_ref(frame, faces, size) for frame in points])
    return _resolve(keys, points, faces)


def _z_buffer_ref(
    points: Int[Tensor, "v 3"], faces: Faces, size: tuple[int, int]
) -> Int[Tensor, "h w"]:
    height, width = size
    corners = points.long()[faces.long()]
    low, high = corners.amin(dim=1), corners.amax(dim=1)
    half = XY_STEPS // 2
    first = ((low[:, :2] + half - 1) // XY_STEPS).clamp(min=0)
    last = torch.minimum(
        (high[:, :2] - half) // XY_STEPS, torch.tensor([width - 1, height - 1]).to(high)
    )
    extent = (last - first + 1).clamp(min=0)
    drawn = ((high - low) < torch.tensor([MAX_XY, MAX_XY, MAX_Z]).to(high)).all(dim=-1)
    keys = torch.full((height * width,), EMPTY, device=points.device)
    indices = torch.nonzero(drawn & (extent.prod(dim=-1) > 0)).squeeze(1)
    counts = extent[indices].prod(dim=-1)
    for part in _parts_of_at_most(_CANDIDATES, counts):
        face = indices[part].repeat_interleave(counts[part])
        start = (counts[part].cumsum(0) - counts[part]).repeat_interleave(counts[part])
        place = torch.arange(len(face), device=face.device) - start
        column = first[face, 0] + place % extent[face, 0]
        row = first[face, 1] + place // extent[face, 0]
        weights, inside = _weights(corners[face], column, row)
        face, weights = face[inside], weights[inside]
        nearest = low[face, 2]
        rise = (weights * (corners[face][..., 2] - nearest[:, None])).sum(dim=-1)
        depth = nearest + rise // weights.sum(dim=-1)
        pixel = row[inside] * width + column[inside]
        keys.scatter_reduce_(0, pixel, depth * 2**32 + face, "amin")
    return keys.view(height, width)


def _parts_of_at_most(limit: int, counts: Int[Tensor, "n"]) -> list[slice]:
    """Cut a run of faces into slices that cover at most ``limit`` pixels, or are one face."""
    parts, start, total = [], 0, 0
    for index, count in enumerate(counts.tolist()):
        if total + count > limit and index > start:
            parts.append(slice(start, index))
            start, total = index, 0
        total += count
    return [*parts, slice(start, len(counts))]


def _weights(
    corners: Int[Tensor, "n 3 3"], column: Int[Tensor, "n"], row: Int[Tensor, "n"]
) -> tuple[Int[Tensor, "n 3"], Tensor]:
    """Return each corner's share of twice the face's area, as integers, and if all are positive."""
    x = corners[..., 0] - (column * XY_STEPS + XY_STEPS // 2)[:, None]
    y = corners[..., 1] - (row * XY_STEPS + XY_STEPS // 2)[:, None]
    following, opposite = [1, 2, 0], [2, 0, 1]
    weights = x[:, following] * y[:, opposite] - x[:, opposite] * y[:, following]
    area = weights.sum(dim=-1)
    weights = torch.where(area[:, None] < 0, -weights, weights)
    return weights, (weights >= 0).all(dim=-1) & (area != 0)


def _resolve(keys: Int[Tensor, "t h w"], points: Int[Tensor, "t v 3"], faces: Faces) -> Raster:
    """Turn the winning keys into faces, depths and barycentric weights."""
    covered = keys != EMPTY
    frame, row, column = torch.nonzero(covered, as_tuple=True)
    winner = keys[frame, row, column]
    face_index = winner & (2**32 - 1)
    face = torch.full_like(keys, -1)
    face[frame, row, column] = face_index
    depth = torch.full(keys.shape, torch.inf, device=keys.device)
    depth[frame, row, column] = (winner >> 32).float() / Z_STEPS
    corners = points[frame[:, None], faces[face_index].long()].long()
    weights, _ = _weights(corners, column, row)
    barycentric = torch.zeros(*keys.shape, 3, device=keys.device)
    shares = weights.double() / weights.sum(dim=-1, keepdim=True)
    barycentric[frame, row, column] = shares.float()
    return Raster(face=face, depth=depth, barycentric=barycentric)


IMPLEMENTATIONS = [rasterize, rasterize_ref]
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
    assert_equal(rasterize(vertices, faces, (50, 70)), rasterize_ref(vertices, faces, (50, 70)))


def test_implementations_agree_exactly_on_a_posed_body():
    body = load_body()
    rotations = torch.eye(3).repeat(2, 24, 1, 1)
    rotations[1, 0] = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    vertices = body.vertices(torch.zeros(body.shape_size), rotations)
    vertices = vertices * 60 + torch.tensor([64.0, 60.0, 0.0])
    fast = rasterize(vertices, body.faces, (128, 128))
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
    seen = implementation(vertices, faces, (8, 8)).face
    assert set(seen.unique().tolist()) == {-1, len(bad)}
    alone = implementation(vertices, faces[-1:], (8, 8)).face
    assert torch.equal(seen >= 0, alone >= 0)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_hand_computed_triangle(implementation):
    raster = implementation(TRIANGLE, FACE, (4, 4))
    covered = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()
    assert torch.equal(raster.face[0] >= 0, covered)
    assert torch.equal(raster.depth[0].isinf(), ~covered)
    # Pixel (row 0, column 2) has its centre at (2.5, 0.5): 2.5/4 of vertex 1, 0.5/4 of vertex 2.
    assert raster.barycentric[0, 0, 2].tolist() == [0.25, 0.625, 0.125]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_rows_are_y_and_columns_are_x(implementation):
    vertices = TRIANGLE / 4 + torch.tensor([5.4, 2.4, 0.0])
    seen = implementation(vertices, FACE, (8, 8)).face[0]
    assert torch.nonzero(seen >= 0).tolist() == [[2, 5]]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_weights_give_back_pixel_centre_and_depth(implementation):
    generator = torch.Generator().manual_seed(3)
    vertices = torch.rand(1, 30, 3, generator=generator) * 40
    faces = torch.randint(0, 30, (40, 3), generator=generator)
    raster = implementation(vertices, faces, (40, 40))
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
    assert implementation(vertices, faces, (4, 4)).face.max() == 1
    assert implementation(vertices, faces.flip(0), (4, 4)).face.max() == 0


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_faces_that_share_an_edge_leave_no_gap_and_the_first_has_the_edge(implementation):
    """A tilted square cut along a diagonal that passes exactly through pixel centres."""
    square = torch.tensor([[[0.0, 0, 3], [6, 0, 4], [6, 6, 9], [0, 6, 8]]])
    faces = torch.tensor([[0, 1, 2], [2, 3, 0]])
    for order in ([0, 1], [1, 0]):
        seen = implementation(square, faces[order], (6, 6)).face[0]
        assert (seen >= 0).all()
        assert (seen.diagonal() == 0).all()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_orientation_does_not_matter(implementation):
    one = implementation(TRIANGLE, FACE, (4, 4))
    other = implementation(TRIANGLE, FACE.flip(1), (4, 4))
    assert torch.equal(one.face, other.face)
    assert torch.equal(one.barycentric, other.barycentric.flip(-1))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_frames_are_drawn_separately(implementation):
    vertices, faces = random_mesh(1)
    whole = implementation(vertices, faces, (30, 30))
    for t in range(3):
        one = implementation(vertices[t : t + 1], faces, (30, 30))
        assert torch.equal(whole.face[t], one.face[0])


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_large_face_across_the_picture_is_drawn_exactly(implementation):
    corners = torch.tensor([[[-900.0, -1000.0, 0.0], [1000.0, -1000.0, 800.0], [0.0, 1000.0, 0.0]]])
    raster = implementation(corners, FACE, (300, 200))
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
        "(4, 4)).face.ge(0).sum().item())"
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
    there = rasterize(vertices.to(device), faces.to(device), (50, 70))
    here = rasterize_ref(vertices, faces, (50, 70))
    assert torch.equal(there.face.cpu(), here.face)
    assert torch.equal(there.barycentric.cpu(), here.barycentric)
