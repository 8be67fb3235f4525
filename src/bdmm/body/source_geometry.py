"""The source's side of the mesh flow: what is worked out once for each photo."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from bdmm.body.camera import project
from bdmm.body.model import BodyModel
from bdmm.body.nearest_pixel import nearest_pixel
from bdmm.body.rasterize import rasterize
from bdmm.body.rotations import chain
from bdmm.records import Motion
from bdmm.shapes import Foreground

DEPTH_SLACK = 0.045
"""Metres that a body point may lie behind the source's z-buffer and still count as seen."""
REACH = 0.15
"""Metres around the body in which hair and loose clothes are looked for."""
RIM = 0.04
"""Metres by which the body's rim may overlap the background around the person: the fit's error."""


@dataclass(frozen=True)
class SourceGeometry:
    """The fitted body of a photo as a picture and as a surface.

    Attributes:
        corners: ``f 3 3`` each face's three corners, (x, y, depth) in pixels of the photo.
        faces: ``f 3`` int32 vertex indices.
        face_bones: ``f`` the bone that each face belongs to.
        facing: ``f`` cosine between a face's outward normal and the way to the camera.
        orientations: ``24 3 3`` each bone's orientation in the camera.
        scale: pixels per metre.
        deepest: ``h w`` the largest depth of the body in each pixel's 3x3 neighbourhood, +inf
            where the body isn't near.
        on_mesh: ``h w`` where the body is.
        segment: ``h w`` bone of the body at each pixel or, off the body, of the nearest one; -1
            beyond reach.
        foreground: ``h w`` where the person is.
        inner: ``h w`` the person less one pixel all around.
        person_at: ``h w 2`` centre (x, y) of the nearest pixel of the person.
    """

    corners: Float[Tensor, "f 3 3"]
    faces: Int[Tensor, "f 3"]
    face_bones: Int[Tensor, "f"]
    facing: Float[Tensor, "f"]
    orientations: Float[Tensor, "n 3 3"]
    scale: float
    deepest: Float[Tensor, "h w"]
    on_mesh: Bool[Tensor, "h w"]
    segment: Int[Tensor, "h w"]
    foreground: Bool[Tensor, "h w"]
    inner: Bool[Tensor, "h w"]
    person_at: Float[Tensor, "h w 2"]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the photo."""
        height, width = self.on_mesh.shape
        return height, width

    def pixels(self, metres: float) -> float:
        """Return a length on the person in pixels."""
        return metres * self.scale


def prepare_geometry(body: BodyModel, pose: Motion, foreground: Foreground) -> SourceGeometry:
    """Draw the source's body and note what of it the photo shows.

    Args:
        body: the body that ``pose`` belongs to, on the device to work on.
        pose: the fitted body of the photo, a motion of one frame.
        foreground: where the person is, in [0, 1], the size that ``pose`` refers to.
    """
    assert len(pose) == 1
    assert tuple(foreground.shape[1:]) == pose.size
    posed = body.vertices(pose.shape, pose.rotations)
    vertices = project(posed, pose.scale, pose.translation)
    raster = rasterize(vertices, body.faces, pose.size)
    face, on_mesh = raster.face[0], raster.face[0] >= 0
    scale = float(pose.scale[0])
    face_bones = body.vertex_bones[body.faces].mode(dim=1).values
    corners = vertices[0][body.faces]
    person = foreground[0] > 0.5
    row, column = nearest_pixel(on_mesh[None], reach=_whole(1.5 * REACH * scale))
    near = row[0] >= 0
    segment = torch.where(near, face_bones[face[row[0].clamp(min=0), column[0].clamp(min=0)]], -1)
    return SourceGeometry(
        corners=corners,
        faces=body.faces.to(torch.int32),
        face_bones=face_bones,
        facing=_facing(corners),
        orientations=chain(pose.rotations)[0],
        scale=scale,
        deepest=_deepest(raster.depth[0]),
        on_mesh=on_mesh,
        segment=segment,
        foreground=person,
        inner=~_grown(~person),
        person_at=_nearest_centre(person, reach=_whole(RIM * scale)),
    )


def _whole(pixels: float) -> int:
    return max(1, round(pixels))


def _facing(corners: Float[Tensor, "f 3 3"]) -> Float[Tensor, "f"]:
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return -normal[:, 2] / normal.norm(dim=1).clamp(min=1e-12)


def _deepest(depth: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    finite = torch.where(depth.isinf(), -torch.inf, depth)
    deepest = functional.max_pool2d(finite[None], 3, stride=1, padding=1)[0]
    return torch.where(deepest.isinf(), torch.inf, deepest)


def _grown(region: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """Return the region and its neighbours; beyond the picture is no region."""
    return functional.max_pool2d(region[None].float(), 3, stride=1, padding=1)[0] > 0


def _nearest_centre(region: Bool[Tensor, "h w"], reach: int) -> Float[Tensor, "h w 2"]:
    """Return the centre (x, y) of the nearest pixel of the region, the pixel's own beyond reach."""
    height, width = region.shape
    row, column = nearest_pixel(region[None], reach)
    rows = torch.arange(height, device=region.device)[:, None].expand(height, width)
    columns = torch.arange(width, device=region.device).expand(height, width)
    found = row[0] >= 0
    x, y = torch.where(found, column[0], columns), torch.where(found, row[0], rows)
    return rearrange([x, y], "xy h w -> h w xy").float() + 0.5
