"""The body in clothes: per-vertex offsets that move the fitted surface to the photo's outline.

The fit knows a naked body. Where the photo's outline lies outside the body's (hair, clothes) or
inside it (an error of the fit), the surface moves along its normals until the two meet, smoothly in
between. The mesh flow then holds for the clothed person, in every pose.
"""

import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import diags_array
from scipy.sparse.linalg import cg
from torch import Tensor
from torch.nn import functional

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody
from bdmm.body.rasterize import rasterize
from bdmm.records import BONE_NAMES, Motion
from bdmm.shapes import Faces, Foreground

OUTWARD = 0.1
"""Metres that the surface may move out, the reach of hair and loose clothes in the mesh flow."""
INWARD = 0.05
"""Metres that it may move in: a bit more than the fit's error of 4 cm."""
BARE_OUTWARD = 0.02
"""Metres that hands and feet may move out: they are bare or in shoes; the rest is held things."""
_BARE = [
    bone for bone, name in enumerate(BONE_NAMES) if name.endswith(("_wrist", "_hand", "_foot"))
]
_STEP = 0.5
"""Pixels between the samples along a normal."""
_STIFFNESS, _REST, _BARE_REST = 0.3, 0.03, 1.0
"""Weights in `_smooth_offsets` of smoothness and of small offsets, against 1 for the target.

Away from its target an offset falls to 1/e over sqrt(stiffness / rest) = 3 edges of the mesh; on
bare parts within one edge.
"""
_PRECISE = 1e-4
"""Relative residual of the solve: offsets are exact to some thousandths of a millimetre."""
_SILHOUETTE_COSINE = 0.4
"""Cosine between normal and view up to which a vertex can lie on the outline: 24 degrees."""


def clothed(body: SkinnedBody, pose: Motion, foreground: Foreground) -> SkinnedBody:
    """Return the body with its surface moved to the person's outline in the photo.

    Args:
        pose: the fitted body of the photo, a motion of one frame.
        foreground: where the person is, in [0, 1], the size that ``pose`` refers to.
    """
    posed = body.vertices(pose.shape[None], pose.rotations)
    normals = vertex_normals(posed[0], body.faces)
    points = project(posed, pose.scale, pose.translation)[0]
    on_mesh = rasterize(points[None], body.faces, pose.size).face[0] >= 0
    pixels = float(pose.scale[0])
    gap, known = _outline_gaps(points[:, :2], normals, on_mesh, foreground[0] > 0.5, pixels)
    bare = torch.isin(body.vertex_bones, body.vertex_bones.new_tensor(_BARE))
    known &= ~bare | (gap < BARE_OUTWARD * pixels)
    rest = torch.where(bare, _BARE_REST, _REST)
    offset = _smooth_offsets(gap / pixels, known, rest, body)
    normals = vertex_normals(body.rest_vertices(pose.shape), body.faces)
    return body.displaced(offset[:, None] * normals)


def vertex_normals(vertices: Float[Tensor, "v 3"], faces: Faces) -> Float[Tensor, "v 3"]:
    """Return unit normals, each the area-weighted mean of the faces around its vertex."""
    first, second, third = vertices[faces].unbind(dim=1)
    normal = torch.linalg.cross(second - first, third - first)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(0, faces[:, corner], normal)
    return functional.normalize(total, dim=-1)


def _outline_gaps(
    points: Float[Tensor, "v 2"],
    normals: Float[Tensor, "v 3"],
    on_mesh: Bool[Tensor, "h w"],
    person: Bool[Tensor, "h w"],
    pixels: float,
) -> tuple[Float[Tensor, "v"], Bool[Tensor, "v"]]:
    """Return how many pixels outside each outline vertex the person ends, and where that is known.

    Unknown are vertices off the outer outline, and those where another part of the body lies
    between the vertex and the person's end.
    """
    direction = functional.normalize(normals[:, :2], dim=-1)
    outline = normals[:, 2].abs() < _SILHOUETTE_COSINE
    # The rasterised outline is exact to about two pixels: off the mesh there, on it inside.
    outline &= ~_at(on_mesh, points + 2.0 * direction) & _at(on_mesh, points - 1.5 * direction)
    chosen = torch.nonzero(outline)[:, 0]
    points, direction = points[chosen], direction[chosen]
    outward = _at(person, points)
    outwards, inwards = (_steps(most * pixels).to(points) for most in (OUTWARD, INWARD))
    out, inside = (points + one[:, None, None] * direction for one in (outwards, -inwards))
    far = outwards[:, None] > 2.0
    free = (_at(on_mesh, out) & far).cumsum(dim=0) == 0
    end, ends = _first(free & ~_at(person, out))
    start, starts = _first(_at(person, inside))
    at_end = out.gather(0, end.clamp(max=len(out) - 1)[None, :, None].expand(1, -1, 2))[0]
    gap = torch.where(outward, end, -1.0 - start) * _STEP + 0.5 * _STEP
    known = torch.where(outward, ends & _inside(person, at_end), starts)
    all_gaps, all_known = torch.zeros_like(normals[:, 0]), torch.zeros_like(outline)
    all_gaps[chosen], all_known[chosen] = gap, known
    return all_gaps, all_known


def _steps(most: float) -> Float[Tensor, "s"]:
    return torch.arange(1, round(most / _STEP) + 1) * _STEP


def _first(flags: Bool[Tensor, "s v"]) -> tuple[Int[Tensor, "v"], Bool[Tensor, "v"]]:
    """Return how many steps come before the first one that is set, and whether there is any."""
    before = (flags.cumsum(dim=0) == 0).sum(dim=0)
    return before, before < len(flags)


def _smooth_offsets(
    target: Float[Tensor, "v"],
    known: Bool[Tensor, "v"],
    rest: Float[Tensor, "v"],
    body: SkinnedBody,
) -> Float[Tensor, "v"]:
    """Return offsets close to the target where it is known, smooth over the mesh, small elsewhere.

    Minimises ``sum_known (a - target)^2 + stiffness * sum_edges (a_i - a_j)^2 + sum rest * a^2``
    by conjugate gradients with a diagonal preconditioner.
    """
    coupling = body.edge_weights * -_STIFFNESS
    weight = known.cpu().double().numpy()
    diagonal = weight + rest.cpu().double().numpy() - coupling.sum(axis=1)
    matrix = coupling + diags_array(diagonal)
    wanted = weight * target.cpu().double().numpy()
    scaling = diags_array(1 / diagonal)
    solution, _ = cg(matrix, wanted, rtol=_PRECISE, maxiter=len(target), M=scaling)
    return torch.from_numpy(solution).to(target)


def _at(region: Bool[Tensor, "h w"], position: Float[Tensor, "*v 2"]) -> Bool[Tensor, "*v"]:
    height, width = region.shape
    column = position[..., 0].floor().long().clamp(0, width - 1)
    row = position[..., 1].floor().long().clamp(0, height - 1)
    return region[row, column] & _inside(region, position)


def _inside(region: Bool[Tensor, "h w"], position: Float[Tensor, "*v 2"]) -> Bool[Tensor, "*v"]:
    size = position.new_tensor([region.shape[1], region.shape[0]])
    return ((position >= 0) & (position < size)).all(dim=-1)
