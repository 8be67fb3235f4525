"""Dressing: moving the fitted body's surface out to the outline that the photo shows.

The fit knows a naked body. Where the photo's outline lies beyond the body's (hair, clothes) or
within it (an error of the fit), the surface is moved along its normals so that the two meet, and
smoothly in between. Everything that hangs on the surface (which pixel shows what, what hides what)
then holds for the dressed person, in every pose.
"""

from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import cg
from torch import Tensor
from torch.nn import functional

from bdmm.body.camera import project
from bdmm.body.model import BodyModel
from bdmm.body.rasterize import rasterize
from bdmm.records import BONE_NAMES, Motion
from bdmm.shapes import Faces, Foreground

OUTWARD = 0.1
"""Metres that the surface may be moved out; beyond, what is seen isn't worn on that place."""
INWARD = 0.05
"""Metres that it may be moved in."""
BARE_OUTWARD = 0.02
"""Metres that hands and feet may be moved out: what is beyond is held, or is the fit's error."""
_BARE = [
    bone for bone, name in enumerate(BONE_NAMES) if name.endswith(("_wrist", "_hand", "_foot"))
]
_BARE_REST = 1.0
_STEP = 0.5
"""Pixels between the places that are looked at along a normal."""
_STIFFNESS = 0.3
"""Weight of neighbours' equality against an outline vertex's wish."""
_REST = 0.03
"""Weight of staying at home against an outline vertex's wish."""
_PRECISE = 1e-4
"""Relative residual at which offsets are good: they are thousandths of a millimetre off."""


def clothed(body: BodyModel, pose: Motion, foreground: Foreground) -> BodyModel:
    """Return the body with its surface moved to the person's outline in the photo.

    Args:
        body: the body that ``pose`` belongs to.
        pose: the fitted body of the photo, a motion of one frame.
        foreground: where the person is, in [0, 1], the size that ``pose`` refers to.
    """
    posed = body.vertices(pose.shape[None], pose.rotations)
    normals = vertex_normals(posed[0], body.faces)
    points = project(posed, pose.scale, pose.translation)[0]
    on_mesh = rasterize(points[None], body.faces, pose.size).face[0] >= 0
    pixels = float(pose.scale[0])
    gap, known = _gaps(points[:, :2], normals, on_mesh, foreground[0] > 0.5, pixels)
    bare = torch.isin(body.vertex_bones, body.vertex_bones.new_tensor(_BARE))
    known &= ~bare | (gap < BARE_OUTWARD * pixels)
    offset = _spread(gap / pixels, known, torch.where(bare, _BARE_REST, _REST), body)
    rest = body.rest_vertices(pose.shape)
    return body.displaced(offset[:, None] * vertex_normals(rest, body.faces))


def vertex_normals(vertices: Float[Tensor, "v 3"], faces: Faces) -> Float[Tensor, "v 3"]:
    """Return unit normals, each the area-weighted mean of the faces around its vertex."""
    first, second, third = vertices[faces].unbind(dim=1)
    normal = torch.linalg.cross(second - first, third - first)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(0, faces[:, corner], normal)
    return functional.normalize(total, dim=-1)


def _gaps(
    points: Float[Tensor, "v 2"],
    normals: Float[Tensor, "v 3"],
    on_mesh: Bool[Tensor, "h w"],
    person: Bool[Tensor, "h w"],
    pixels: float,
) -> tuple[Float[Tensor, "v"], Bool[Tensor, "v"]]:
    """Return how many pixels beyond each outline vertex the person ends, and where that is known.

    Unknown are vertices that aren't on the outer outline, and those beyond which another part of
    the body comes before the person ends.
    """
    way = functional.normalize(normals[:, :2], dim=-1)
    across = normals[:, 2].abs() < 0.4
    outline = across & ~_at(on_mesh, points + 2.0 * way) & _at(on_mesh, points - 1.5 * way)
    chosen = torch.nonzero(outline)[:, 0]
    points, way = points[chosen], way[chosen]
    out = _at(person, points)
    into = ~out
    gap, known = torch.zeros_like(points[:, 0]), torch.zeros_like(out)
    for step in range(1, round(OUTWARD * pixels / _STEP) + 1):
        place = points + step * _STEP * way
        out = out & ~(_at(on_mesh, place) & (step * _STEP > 2.0))
        ends = out & ~_at(person, place)
        gap = torch.where(ends, (step - 0.5) * _STEP, gap)
        known |= ends & _inside(person, place)
        out = out & ~ends
    for step in range(1, round(INWARD * pixels / _STEP) + 1):
        begins = into & _at(person, points - step * _STEP * way)
        gap = torch.where(begins, (0.5 - step) * _STEP, gap)
        known |= begins
        into = into & ~begins
    all_gaps, all_known = torch.zeros_like(normals[:, 0]), torch.zeros_like(outline)
    all_gaps[chosen], all_known[chosen] = gap, known
    return all_gaps, all_known


def _spread(
    wish: Float[Tensor, "v"], known: Bool[Tensor, "v"], rest: Float[Tensor, "v"], body: BodyModel
) -> Float[Tensor, "v"]:
    """Return offsets that are near the wishes where known, smooth over the mesh, small elsewhere.

    Minimises ``sum_known (a - wish)^2 + stiffness * sum_edges (a_i - a_j)^2 + sum rest * a^2``.
    """
    count = len(wish)
    shares = _neighbours(body, count)
    weight = known.cpu().double().numpy()
    home = rest.cpu().double().numpy()
    diagonal = weight + home - shares.sum(axis=1)
    matrix, wishes = shares + diags_array(diagonal), weight * wish.cpu().double().numpy()
    solution, _ = cg(matrix, wishes, rtol=_PRECISE, maxiter=count, M=diags_array(1 / diagonal))
    return torch.from_numpy(solution).to(wish)


_KNOWN_NEIGHBOURS: WeakKeyDictionary[BodyModel, csr_array] = WeakKeyDictionary()


def _neighbours(body: BodyModel, count: int) -> csr_array:
    """Return ``v v`` the pull between neighbours: minus the stiffness where an edge joins them."""
    if body in _KNOWN_NEIGHBOURS:
        return _KNOWN_NEIGHBOURS[body]
    faces = body.faces
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).cpu().numpy()
    shares = coo_array((-torch.ones(len(edges)).numpy(), edges.T), shape=(count, count))
    # Closed meshes have each edge twice, once in each direction.
    shares = csr_array(shares + shares.T) * (0.5 * _STIFFNESS)
    return _KNOWN_NEIGHBOURS.setdefault(body, shares)


def _at(picture: Bool[Tensor, "h w"], place: Float[Tensor, "v 2"]) -> Bool[Tensor, "v"]:
    height, width = picture.shape
    column = place[:, 0].floor().long().clamp(0, width - 1)
    row = place[:, 1].floor().long().clamp(0, height - 1)
    return picture[row, column] & _inside(picture, place)


def _inside(picture: Bool[Tensor, "h w"], place: Float[Tensor, "v 2"]) -> Bool[Tensor, "v"]:
    size = place.new_tensor([picture.shape[1], picture.shape[0]])
    return ((place >= 0) & (place < size)).all(dim=-1)
