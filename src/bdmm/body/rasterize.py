"""Which face of a mesh is seen in each pixel: a z-buffer in fixed-point arithmetic.

Integer arithmetic decides which face wins, so that every device draws the same picture:

- x and y are rounded to 1/1024 pixel, z to 1/512 pixel;
- a pixel belongs to a face if its centre lies inside or on an edge; either orientation is drawn;
- its depth is that of the face's plane at the centre, rounded down; the least depth wins, and of
  equal depths the lowest face index;
- faces without area, with a position that is not finite or beyond a million pixels, and faces
  larger than 2048 pixels along any axis are not drawn.

The warp-lang kernel is `bdmm.body.rasterize_warp`; its specification in plain PyTorch, which it
equals to the bit, is `rasterize_ref` in ``tests/body/test_rasterize.py``.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.shapes import Faces

XY_STEPS = 1024
"""Fixed-point steps per pixel in x and y."""
Z_STEPS = 512
"""Fixed-point steps per pixel in depth."""
MAX_XY = 2048 * XY_STEPS
MAX_Z = 2048 * Z_STEPS
UNDRAWABLE = 2**30
"""Coordinates of a vertex that cannot be drawn; too far from all others to share a face."""
EMPTY = torch.iinfo(torch.int64).max
"""Key of a pixel that no face covers. Others are depth * 2**32 + face: the least one is seen."""


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

    def crop(self, rows: slice, columns: slice) -> "Raster":
        """Return the same part of all frames."""
        place = slice(None), rows, columns
        return Raster(self.face[place], self.depth[place], self.barycentric[place])


def rasterize(vertices: Float[Tensor, "t v 3"], faces: Faces, size: tuple[int, int]) -> Raster:
    """Draw a mesh into a z-buffer, on the device of ``vertices``.

    Args:
        vertices: (x, y, depth) in pixels; (0, 0) is the outer corner of the first pixel, so that
            the centre of pixel (row, column) is (column + 0.5, row + 0.5).
        faces: indices of vertices; int32 spares the kernel a conversion.

    Returns:
        The raster; not differentiable.
    """
    from bdmm.body.rasterize_warp import draw  # late: it starts warp-lang

    points = fixed_point(vertices)
    return Raster(*draw(points, faces.to(points), size))


def fixed_point(vertices: Float[Tensor, "t v 3"]) -> Int[Tensor, "t v 3"]:
    """Round positions in pixels to fixed-point steps (int32)."""
    steps = vertices.new_tensor([XY_STEPS, XY_STEPS, Z_STEPS])
    points = torch.round(vertices.detach().float() * steps)
    usable = (points.abs() < UNDRAWABLE - MAX_XY).all(dim=-1, keepdim=True)
    return torch.where(usable, points, UNDRAWABLE).to(torch.int32)
