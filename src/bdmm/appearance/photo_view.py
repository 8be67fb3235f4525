"""A photo of a person ready to be looked up: its geometry, its colours, and how well it shows what.

*Trust* says how well a photo shows a point of the body's surface: 0 where the point is hidden or
turned away, 1 where it faces the camera. It is smooth over the surface.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import diags_array
from torch import Tensor

from bdmm.appearance.visibility import shown
from bdmm.body.clothed_body import vertex_normals
from bdmm.body.model import SkinnedBody
from bdmm.body.rasterize import Raster
from bdmm.body.source_geometry import SourceGeometry, prepare_geometry
from bdmm.kernels.push_pull import spread_person
from bdmm.kernels.warp import warp
from bdmm.records import Source

_GRAZING, _SPAN = 0.1, 0.5
"""Cosine to the camera up to which a surface shows nothing of use, and over which trust grows."""
_SMOOTHINGS = 4
"""Rounds of averaging over neighbouring vertices: trust changes over some 4 cm."""


@dataclass(frozen=True)
class PhotoView:
    """One photo of a person.

    Attributes:
        appearance: ``1 4 h w`` the photo with the person's colours spread beyond the outline, and
            the foreground.
        trust: ``v`` how well the photo shows each vertex, in [0, 1].
        misplaced: ``v`` 1 at vertices of hands where the fit lays them on clothes (`hands`), 0
            elsewhere.
        beside: ``v`` 1 at vertices of arms where the fit lays them on something else, 0 elsewhere
            (`cross_sections`). What they show is right as long as they move with the trunk.
        skin: colour of the person's skin in this photo's light; None where no photo shows a face.
    """

    source: Source
    geometry: SourceGeometry
    appearance: Float[Tensor, "1 4 h w"]
    trust: Float[Tensor, "v"]
    misplaced: Float[Tensor, "v"]
    beside: Float[Tensor, "v"]
    skin: Float[Tensor, "3"] | None = None

    def colours_at(self, xy: Float[Tensor, "m 2"]) -> Float[Tensor, "m 3"]:
        """Return the person's colours at positions (x, y) in pixels of the photo."""
        return self.sample(self.appearance[0, :3], xy)

    def sample(
        self, maps: Float[Tensor, "c h w"], xy: Float[Tensor, "m 2"]
    ) -> Float[Tensor, "m c"]:
        """Return maps of the photo's size at positions (x, y) in pixels."""
        height, width = self.geometry.size
        grid = 2 * xy / xy.new_tensor([width, height]) - 1
        return warp(maps[None], grid[None, None], beyond="border")[0, :, 0].T


@dataclass(frozen=True)
class SurfacePoints:
    """The points of the body's surface that the pixels of a frame show.

    Attributes:
        pixel: ``n`` index of each pixel on the body, row by row.
        face: ``n`` of the mesh.
        corners: ``n 3`` its vertices.
        barycentric: ``n 3`` their weights.
    """

    pixel: Int[Tensor, "n"]
    face: Int[Tensor, "n"]
    corners: Int[Tensor, "n 3"]
    barycentric: Float[Tensor, "n 3"]

    @classmethod
    def of(cls, raster: Raster, faces: Int[Tensor, "f 3"]) -> "SurfacePoints":
        """Return the points of a raster of one frame."""
        (face,), (barycentric,) = raster.face, raster.barycentric
        pixel = torch.nonzero(face.flatten() >= 0)[:, 0]
        face = face.flatten()[pixel]
        return cls(pixel, face, faces[face].long(), barycentric.flatten(0, 1)[pixel])

    def mean(self, values: Float[Tensor, "v"]) -> Float[Tensor, "n"]:
        """Return vertices' values interpolated at the points."""
        return (values[self.corners] * self.barycentric).sum(dim=1)


def view_photo(body: SkinnedBody, source: Source) -> PhotoView:
    """Prepare a photo.

    Args:
        body: that the source's pose belongs to, on the source's device.
    """
    geometry = prepare_geometry(body, source.pose, source.foreground, source.image)
    colours = spread_person(source.image[None], source.foreground[None])
    appearance = torch.cat((colours, source.foreground[None]), dim=1)
    trust = vertex_trust(geometry)
    nowhere = torch.zeros_like(trust)
    return PhotoView(source, geometry, appearance, trust, nowhere, nowhere)


def vertex_trust(geometry: SourceGeometry) -> Float[Tensor, "v"]:
    """Return how well a photo shows each vertex."""
    body, vertices = geometry.body, photo_vertices(geometry)
    sample = geometry.at(vertices[:, :2])
    bone = body.vertex_bones
    visible = shown(geometry, sample, vertices[:, 2], bone)
    facing = -vertex_normals(vertices, body.faces)[:, 2]
    trust = visible * trust_of(facing)
    return torch.minimum(smoothed_over(body, trust), visible.to(trust))


def trust_of(facing: Float[Tensor, "*v"]) -> Float[Tensor, "*v"]:
    """Return the trust in a surface that nothing hides, by its normal's cosine to the camera."""
    return ((facing - _GRAZING) / _SPAN).clamp(0, 1)


def photo_vertices(geometry: SourceGeometry) -> Float[Tensor, "v 3"]:
    """Return the clothed body's vertices in the photo, (x, y, depth) in pixels."""
    count = len(geometry.body.vertex_bones)
    vertices = geometry.corners.new_zeros(count, 3)
    vertices[geometry.faces.long()] = geometry.corners
    return vertices


def smoothed_over(
    body: SkinnedBody, values: Float[Tensor, "v *c"], rounds: int = _SMOOTHINGS
) -> Float[Tensor, "v *c"]:
    """Average values over neighbouring vertices, half of each, some rounds."""
    edges = body.edge_weights
    degree = np.asarray(edges.sum(axis=1)).ravel() + 1e-9
    average = diags_array(1 / degree) @ edges
    smooth = values.cpu().double().numpy()
    for _ in range(rounds):
        smooth = 0.5 * smooth + 0.5 * (average @ smooth)
    return torch.from_numpy(smooth).to(values)


def on_surface(
    face: Int[Tensor, "*p"],
    barycentric: Float[Tensor, "*p 3"],
    faces: Int[Tensor, "f 3"],
    values: Float[Tensor, "v"],
) -> Float[Tensor, "*p"]:
    """Return vertices' values interpolated at points of faces; 0 where the face is -1."""
    return (values[faces[face.clamp(min=0)].long()] * barycentric).sum(dim=-1)
