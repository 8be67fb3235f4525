"""The source's side of the mesh flow: what is worked out once for each photo."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional

from bdmm.body.camera import project
from bdmm.body.dress import dress
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
GUARD = 0.025
"""Metres around a limb in which it may hide what the fit believes to be just beside it."""
RIM = 0.04
"""Metres by which the body's rim may overlap the background around the person: the fit's error."""


@dataclass(frozen=True)
class SourceGeometry:
    """The fitted body of a photo as a picture and as a surface.

    Attributes:
        body: the dressed body, which is also the one to pose for target frames.
        corners: ``f 3 3`` each face's three corners, (x, y, depth) in pixels of the photo.
        twin_corners: ``f 3 3`` those of the face on the other side of the body, left for right.
        faces: ``f 3`` int32 vertex indices.
        face_bones: ``f`` the bone that each face belongs to.
        facing: ``f`` cosine between a face's outward normal and the way to the camera.
        twin_facing: ``f`` the same for the face on the other side of the body.
        orientations: ``24 3 3`` each bone's orientation in the camera.
        scale: pixels per metre.
        deepest: ``h w`` the largest depth of the body in each pixel's 3x3 neighbourhood, +inf
            where the body isn't near.
        foremost: ``h w`` the least depth within `GUARD` of each pixel, +inf where the body isn't
            near, and
        foremost_bone: ``h w`` the bone found there.
        on_mesh: ``h w`` where the body is.
        segment: ``h w`` bone of the body at each pixel or, off the body, of the nearest one; -1
            beyond reach.
        foreground: ``h w`` where the person is.
        beside: ``h w`` distance in pixels to the nearest pixel of the body, +inf beyond reach.
        inner: ``h w`` the person less one pixel all around.
        inner_at: ``h w 2`` centre (x, y) of the nearest inner pixel; the pixel's own beyond reach.
    """

    body: BodyModel
    corners: Float[Tensor, "f 3 3"]
    twin_corners: Float[Tensor, "f 3 3"]
    faces: Int[Tensor, "f 3"]
    face_bones: Int[Tensor, "f"]
    facing: Float[Tensor, "f"]
    twin_facing: Float[Tensor, "f"]
    orientations: Float[Tensor, "n 3 3"]
    scale: float
    deepest: Float[Tensor, "h w"]
    foremost: Float[Tensor, "h w"]
    foremost_bone: Int[Tensor, "h w"]
    on_mesh: Bool[Tensor, "h w"]
    segment: Int[Tensor, "h w"]
    foreground: Bool[Tensor, "h w"]
    beside: Float[Tensor, "h w"]
    inner: Bool[Tensor, "h w"]
    inner_at: Float[Tensor, "h w 2"]

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
    dressed = dress(body, pose, foreground)
    posed = dressed.vertices(pose.shape[None], pose.rotations)
    vertices = project(posed, pose.scale, pose.translation)
    raster = rasterize(vertices, body.faces, pose.size)
    on_mesh = raster.face[0] >= 0
    scale = float(pose.scale[0])
    face_bones = body.vertex_bones[body.faces].mode(dim=1).values
    corners = vertices[0][body.faces]
    twin_corners = vertices[0][_twins(body)[body.faces]]
    person = foreground[0] > 0.5
    inner = ~_grown(~person)
    row, column, beside = _nearest(on_mesh, reach=1.5 * REACH * scale)
    segment = torch.where(beside.isinf(), -1, face_bones[raster.face[0, row, column]])
    foremost, place = _foremost(raster.depth[0], max(1, round(GUARD * scale)))
    row, column, _ = _nearest(inner, reach=RIM * scale)
    return SourceGeometry(
        body=dressed,
        corners=corners,
        twin_corners=twin_corners,
        faces=body.faces.to(torch.int32),
        face_bones=face_bones,
        facing=_facing(corners),
        twin_facing=-_facing(twin_corners),
        orientations=chain(pose.rotations)[0],
        scale=scale,
        deepest=_deepest(raster.depth[0]),
        foremost=foremost,
        foremost_bone=segment.flatten()[place],
        on_mesh=on_mesh,
        segment=segment,
        foreground=person,
        beside=beside,
        inner=inner,
        inner_at=torch.stack([column, row], dim=-1) + 0.5,
    )


def _twins(body: BodyModel) -> Int[Tensor, "v"]:
    """Return for each vertex the one nearest to its mirror image, on the body's other side."""
    rest = body.rest_vertices(body.faces.new_zeros(body.shape_size, dtype=torch.float32))
    points = rest.cpu().double().numpy()
    nearest = cKDTree(points).query(points * [-1.0, 1.0, 1.0])[1]
    return torch.from_numpy(nearest).to(body.faces)


def _nearest(
    region: Bool[Tensor, "h w"], reach: float
) -> tuple[Int[Tensor, "h w"], Int[Tensor, "h w"], Float[Tensor, "h w"]]:
    """Return row, column and distance of the nearest pixel of the region.

    Beyond reach it is the pixel itself, at an infinite distance.
    """
    height, width = region.shape
    row, column = nearest_pixel(region[None], max(1, round(reach)))
    own_row = torch.arange(height, device=region.device)[:, None].expand(height, width)
    own_column = torch.arange(width, device=region.device).expand(height, width)
    found = row[0] >= 0
    row = torch.where(found, row[0], own_row)
    column = torch.where(found, column[0], own_column)
    distance = torch.hypot((row - own_row).float(), (column - own_column).float())
    return row, column, torch.where(found, distance, torch.inf)


def _facing(corners: Float[Tensor, "f 3 3"]) -> Float[Tensor, "f"]:
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return -normal[:, 2] / normal.norm(dim=1).clamp(min=1e-12)


def _deepest(depth: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    finite = torch.where(depth.isinf(), -torch.inf, depth)
    deepest = functional.max_pool2d(finite[None], 3, stride=1, padding=1)[0]
    return torch.where(deepest.isinf(), torch.inf, deepest)


def _foremost(
    depth: Float[Tensor, "h w"], radius: int
) -> tuple[Float[Tensor, "h w"], Int[Tensor, "h w"]]:
    """Return the least depth in each square neighbourhood, and the flat index of where it is."""
    size = 2 * radius + 1
    nearness, place = functional.max_pool2d(
        -depth[None], size, stride=1, padding=radius, return_indices=True
    )
    return -nearness[0], place[0]


def _grown(region: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """Return the region and its neighbours; beyond the picture is no region."""
    return functional.max_pool2d(region[None].float(), 3, stride=1, padding=1)[0] > 0
