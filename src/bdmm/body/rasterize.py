"""Which face of a mesh is seen in each pixel: a z-buffer in fixed-point arithmetic.

Two implementations draw the same picture, bit for bit: a warp-lang kernel (CPU and CUDA) and the
reference in plain PyTorch, its specification. They agree because integer arithmetic decides which
face wins, by one rule:

- x and y are rounded to 1/1024 pixel, z to 1/512 pixel;
- a pixel belongs to a face if its centre lies inside or on an edge; either orientation is drawn;
- its depth is that of the face's plane at the centre, rounded down; the least depth wins, and of
  equal depths the lowest face index;
- faces without area, with a position that is not finite or beyond a million pixels, and faces
  larger than 2048 pixels along any axis are not drawn.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.body.fixed_point import EMPTY, MAX_XY, MAX_Z, XY_STEPS, Z_STEPS, fixed_point
from bdmm.shapes import Faces

_CANDIDATES = 2**21


@dataclass(frozen=True)
class Raster:
    """What is seen in each pixel.

    Attributes:
        face: ``t h w`` index of the face, -1 where there is none.
        depth: ``t h w`` depth in pixels (z away from the camera), +inf where there is no face.
        barycentric: ``t h w 3`` weights of the face's three vertices in [0, 1], their sum 1;
            zeros where there is no face.
    """

    face: Int[Tensor, "t h w"]
    depth: Float[Tensor, "t h w"]
    barycentric: Float[Tensor, "t h w 3"]


def rasterize(
    vertices: Float[Tensor, "t v 3"],
    faces: Faces,
    size: tuple[int, int],
    implementation: Literal["warp", "reference"] = "warp",
) -> Raster:
    """Draw a mesh into a z-buffer, on the device of ``vertices``.

    Args:
        vertices: (x, y, depth) in pixels; (0, 0) is the outer corner of the first pixel, so that
            the centre of pixel (row, column) is (column + 0.5, row + 0.5).
        faces: indices of vertices; int32 spares the kernel a conversion.
        implementation: "warp" the warp-lang kernel, "reference" plain PyTorch.

    Returns:
        The raster; not differentiable.
    """
    if implementation == "reference":
        return rasterize_ref(vertices, faces, size)
    from bdmm.body.rasterize_warp import draw

    points = fixed_point(vertices)
    return Raster(*draw(points, faces.to(points), size))


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
