"""The source's side of the mesh flow: what is worked out once for each photo."""

from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree
from torch import Tensor
from torch.nn import functional

from bdmm.body.bones import HANDS, nearest_part
from bdmm.body.camera import project
from bdmm.body.clothed_body import clothed
from bdmm.body.model import BodyModel
from bdmm.body.rasterize import Raster, rasterize
from bdmm.body.regions import nearest_pixel
from bdmm.body.rotations import chain
from bdmm.body.skirt import skirt_rows
from bdmm.records import Motion
from bdmm.shapes import Foreground

DEPTH_SLACK = 0.045
"""Metres that a body point may lie behind the source's z-buffer and still count as seen."""
REACH = 0.1
"""Metres around the body in which hair and loose clothes are looked for."""
GUARD = 0.012
"""Metres around a limb in which it may hide what the fit believes to be just beside it."""
HAND_GUARD = 0.03
"""The same around hands, whose fingers the fit doesn't know."""
RIM = 0.04
"""Metres by which the body's rim may overlap the background around the person: the fit's error."""
_DEPTH_STEPS, _BONES = 16, 32
"""Steps of a pixel of depth, and numbers kept for bones, in a key of both."""


class Shown(NamedTuple):
    """What the photo shows at ``m`` places; see `SourceGeometry.at`.

    Attributes:
        inside: whether the place lies in the photo; the rest is that of its nearest border pixel.
        deepest: the largest depth of the body in the pixel's 3x3 neighbourhood, in pixels; +inf
            where the body isn't near.
        foremost: the least depth within `GUARD` (of a hand: `HAND_GUARD`), +inf where the body
            isn't near.
        foremost_bone: the bone found there.
        segment: bone of the body here or, off the body, of the nearest one; -1 beyond reach.
        beside: distance in pixels to the body, 0 on it, +inf beyond reach.
        on_mesh: whether the body is here.
        person: whether the photo's foreground is here.
        inner: whether it is here and all around.
        inner_at: ``m 2`` centre (x, y) of the nearest inner pixel.
        near_inner: whether that is within `RIM`.
    """

    inside: Bool[Tensor, "m"]
    deepest: Float[Tensor, "m"]
    foremost: Float[Tensor, "m"]
    foremost_bone: Int[Tensor, "m"]
    segment: Int[Tensor, "m"]
    beside: Float[Tensor, "m"]
    on_mesh: Bool[Tensor, "m"]
    person: Bool[Tensor, "m"]
    inner: Bool[Tensor, "m"]
    inner_at: Float[Tensor, "m 2"]
    near_inner: Bool[Tensor, "m"]


@dataclass(frozen=True)
class SourceGeometry:
    """The fitted body of a photo as a surface and as a picture.

    Attributes:
        body: the dressed body, which is also the one to pose for target frames.
        faces: ``f 3`` int32 vertex indices.
        corners: ``f 3 3`` each face's three corners, (x, y, depth) in pixels of the photo.
        twin_corners: ``f 3 3`` those of the face on the other side of the body, left for right.
        facing: ``f`` cosine between a face's outward normal and the way to the camera.
        twin_facing: ``f`` the same for the face on the other side of the body.
        face_bones: ``f`` the bone that each face belongs to.
        orientations: ``24 3 3`` each bone's orientation in the camera.
        scale: pixels per metre.
        size: (height, width) of the photo.
        table: ``(h w) 11`` what `at` returns for each pixel.
        skirt: ``h`` rows of the photo in which cloth spans the gap between the legs.
    """

    body: BodyModel
    faces: Int[Tensor, "f 3"]
    corners: Float[Tensor, "f 3 3"]
    twin_corners: Float[Tensor, "f 3 3"]
    facing: Float[Tensor, "f"]
    twin_facing: Float[Tensor, "f"]
    face_bones: Int[Tensor, "f"]
    orientations: Float[Tensor, "n 3 3"]
    scale: float
    size: tuple[int, int]
    table: Float[Tensor, "hw 11"]
    skirt: Bool[Tensor, "h"]

    def pixels(self, metres: float) -> float:
        """Return a length on the person in pixels."""
        return metres * self.scale

    def at(self, place: Float[Tensor, "m 2"]) -> Shown:
        """Look up what the photo shows at positions (x, y) in pixels."""
        height, width = self.size
        x, y = place.floor().long().unbind(dim=1)
        column, row = x.clamp(0, width - 1), y.clamp(0, height - 1)
        found = self.table.index_select(0, row * width + column)
        deepest, foremost, limb, segment, beside, on_mesh, person, inner, *_ = found.unbind(dim=1)
        return Shown(
            inside=(x == column) & (y == row),
            deepest=deepest,
            foremost=foremost,
            foremost_bone=limb.long(),
            segment=segment.long(),
            beside=beside,
            on_mesh=on_mesh > 0,
            person=person > 0,
            inner=inner > 0,
            inner_at=found[:, 8:10],
            near_inner=found[:, 10] > 0,
        )

    def everywhere(self) -> Shown:
        """Return what the photo shows at all its pixels, row by row."""
        height, width = self.size
        row = torch.arange(height, device=self.table.device)[:, None].expand(height, width)
        column = torch.arange(width, device=self.table.device).expand(height, width)
        return self.at(torch.stack([column, row], dim=-1).view(-1, 2) + 0.5)


def prepare_geometry(body: BodyModel, pose: Motion, foreground: Foreground) -> SourceGeometry:
    """Dress and draw the source's body and note what of it the photo shows.

    Args:
        body: the body that ``pose`` belongs to, on the device to work on.
        pose: the fitted body of the photo, a motion of one frame.
        foreground: where the person is, in [0, 1], the size that ``pose`` refers to.
    """
    assert len(pose) == 1
    assert tuple(foreground.shape[1:]) == pose.size
    dressed = clothed(body, pose, foreground)
    posed = dressed.vertices(pose.shape[None], pose.rotations)
    vertices = project(posed, pose.scale, pose.translation)[0]
    corners = vertices[body.faces]
    twin_corners = vertices[_twins(body)[body.faces]]
    face_bones = body.vertex_bones[body.faces].mode(dim=1).values
    scale, person = float(pose.scale[0]), foreground[0] > 0.5
    raster = rasterize(vertices[None], body.faces, pose.size)
    bone = torch.where(raster.face[0] < 0, -1, face_bones[raster.face[0]])
    return SourceGeometry(
        body=dressed,
        faces=body.faces.to(torch.int32),
        corners=corners,
        twin_corners=twin_corners,
        facing=_facing(corners),
        twin_facing=-_facing(twin_corners),
        face_bones=face_bones,
        orientations=chain(pose.rotations)[0],
        scale=scale,
        size=pose.size,
        table=_table(raster, face_bones, person, scale),
        skirt=skirt_rows(bone, person, scale),
    )


def _table(
    raster: Raster,
    face_bones: Int[Tensor, "f"],
    person: Bool[Tensor, "h w"],
    scale: float,
) -> Float[Tensor, "hw 11"]:
    face, depth = raster.face[0], raster.depth[0]
    bone = torch.where(face < 0, -1, face_bones[face])[None]
    row, column, beside = _or_itself(*nearest_part(bone, 1.5 * REACH * scale, scale))
    segment = torch.where(beside.isinf(), -1, face_bones[face[row, column]])
    foremost, foremost_bone = foremost_limb(raster.depth, segment[None], scale)
    inner = ~_grown(~person)
    row, column, away = _or_itself(*nearest_pixel(inner[None], max(1, round(RIM * scale))))
    columns = [
        _deepest(depth),
        foremost[0],
        foremost_bone[0],
        segment,
        beside,
        face >= 0,
        person,
        inner,
        column + 0.5,
        row + 0.5,
        ~away.isinf(),
    ]
    return torch.stack([values.float().flatten() for values in columns], dim=1)


def foremost_limb(
    depth: Float[Tensor, "t h w"], bone: Int[Tensor, "t h w"], scale: float
) -> tuple[Float[Tensor, "t h w"], Int[Tensor, "t h w"]]:
    """Return the least depth within `GUARD` (of a hand: `HAND_GUARD`), and the bone found there.

    Args:
        depth: of the body in pixels, +inf where it isn't.
        bone: of the body at each pixel.
        scale: pixels per metre.

    Returns:
        The depth to a sixteenth of a pixel, +inf where the body isn't near; its bone, -1 there.
    """
    # Depth and bone in one number, so that the least one carries its bone along.
    key = (depth * _DEPTH_STEPS).floor() * _BONES + bone
    hands = torch.isin(bone, bone.new_tensor(HANDS))
    near = _least_near(key, max(1, round(GUARD * scale)))
    hand = _least_near(torch.where(hands, key, torch.inf), max(1, round(HAND_GUARD * scale)))
    key = torch.minimum(near, hand)
    step = (key / _BONES).floor()
    found = torch.where(key.isinf(), -1.0, key - step * _BONES).long()
    return step / _DEPTH_STEPS, found


def _least_near(values: Float[Tensor, "t h w"], radius: int) -> Float[Tensor, "t h w"]:
    """Return the least value in each square neighbourhood."""
    for dim in (2, 1):
        size = values.shape[dim]
        padding = (radius, radius) if dim == 2 else (0, 0, radius, radius)
        least, reach = functional.pad(values, padding, value=torch.inf), 1
        while reach < 2 * radius + 1:
            step = min(reach, 2 * radius + 1 - reach)
            length = least.shape[dim] - step
            least = torch.minimum(least.narrow(dim, 0, length), least.narrow(dim, step, length))
            reach += step
        values = least.narrow(dim, 0, size)
    return values


_KNOWN_TWINS: WeakKeyDictionary[BodyModel, Int[Tensor, "v"]] = WeakKeyDictionary()


def _twins(body: BodyModel) -> Int[Tensor, "v"]:
    """Return for each vertex the one nearest to its mirror image, on the body's other side."""
    if body in _KNOWN_TWINS:
        return _KNOWN_TWINS[body]
    rest = body.rest_vertices(body.faces.new_zeros(body.shape_size, dtype=torch.float32))
    points = rest.cpu().double().numpy()
    nearest = KDTree(points).query(points * [-1.0, 1.0, 1.0])[1]
    return _KNOWN_TWINS.setdefault(body, torch.from_numpy(nearest).to(body.faces))


def _or_itself(
    row: Int[Tensor, "1 h w"], column: Int[Tensor, "1 h w"]
) -> tuple[Int[Tensor, "h w"], Int[Tensor, "h w"], Float[Tensor, "h w"]]:
    """Return row, column and distance of what was found for each pixel.

    Where nothing was, it is the pixel itself, at an infinite distance.
    """
    height, width = row.shape[1:]
    own_row = torch.arange(height, device=row.device)[:, None].expand(height, width)
    own_column = torch.arange(width, device=row.device).expand(height, width)
    found = row[0] >= 0
    row_at = torch.where(found, row[0], own_row)
    column_at = torch.where(found, column[0], own_column)
    distance = torch.hypot((row_at - own_row).float(), (column_at - own_column).float())
    return row_at, column_at, torch.where(found, distance, torch.inf)


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
