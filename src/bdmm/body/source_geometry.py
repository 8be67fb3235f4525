"""The source's part of the mesh flow, computed once for each photo."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from bdmm.body.bones import ADJACENT, IS_HAND, nearest_part
from bdmm.body.camera import project
from bdmm.body.clothed_body import clothed
from bdmm.body.model import SkinnedBody
from bdmm.body.rasterize import rasterize
from bdmm.body.regions import least_near, nearest_pixel
from bdmm.body.rotations import chain
from bdmm.body.skirt import skirt_rows
from bdmm.records import BONE_NAMES, Motion
from bdmm.shapes import Foreground, Image

# Margins for the fit's error. Against rendered people its flow is off by 2 to 5 pixels for a person
# 160 pixels tall, where a pixel is 1.7 m / 160 = 1.06 cm.
DEPTH_SLACK = 0.045
"""Metres that a body point may lie behind the source's z-buffer and still count as visible:
4 of those pixels."""
REACH = 0.1
"""Metres around the body in which pixels of the foreground count as hair and loose clothes."""
GUARD = 0.012
"""Metres around a limb in which it may hide what the fit puts next to it: one pixel."""
HAND_GUARD = 0.03
"""The same around hands, whose fingers (7 cm) the fit doesn't know."""
RIM = 0.04
"""Metres by which the body's rim may overlap the background around the person: 4 pixels."""
_DEPTH_STEPS, _BONES = 16, 32
"""A sort key holds depth in sixteenths of a pixel, times 32, plus the bone (24 of them)."""
HEAD = BONE_NAMES.index("head")
WITHIN_TWO_BONES = ADJACENT.float() @ ADJACENT.float() > 0


class SourceMaps(NamedTuple):
    """What the photo shows at each of its pixels, row by row, or at ``p`` positions.

    Attributes:
        inside: whether the position lies in the photo. Outside of it the other values are those of
            the nearest border pixel.
        deepest: the largest depth of the body in the pixel's 3x3 neighbourhood, in pixels; +inf
            where the body isn't near.
        foremost: the least depth within `GUARD` (of a hand: `HAND_GUARD`), +inf where the body
            isn't near.
        foremost_bone: the bone at that depth, -1 where the body isn't near.
        segment: bone of the body here or, off the body, of the nearest pixel on it; -1 beyond
            reach.
        body_distance: distance in pixels to the body, 0 on it, +inf beyond reach.
        on_mesh: whether the body is here.
        person: whether the photo's foreground is here.
        interior: whether the foreground is here and at all eight neighbours.
        interior_xy: centre (x, y) of the nearest interior pixel.
        near_interior: whether that is within `RIM`.
    """

    inside: Bool[Tensor, "p"]
    deepest: Float[Tensor, "p"]
    foremost: Float[Tensor, "p"]
    foremost_bone: Int[Tensor, "p"]
    segment: Int[Tensor, "p"]
    body_distance: Float[Tensor, "p"]
    on_mesh: Bool[Tensor, "p"]
    person: Bool[Tensor, "p"]
    interior: Bool[Tensor, "p"]
    interior_xy: Float[Tensor, "p 2"]
    near_interior: Bool[Tensor, "p"]


@dataclass(frozen=True)
class SourceGeometry:
    """The fitted body of a photo as a surface and as maps of the photo's pixels.

    Attributes:
        body: the clothed body, which is also the one to pose for target frames.
        corners: ``f 3 3`` each face's three corners, (x, y, depth) in pixels of the photo.
        mirrored_corners: ``f 3 3`` those of the face on the body's other side, left for right.
        facing: ``f`` cosine between a face's outward normal and the direction to the camera.
        mirrored_facing: ``f`` the same for the face on the body's other side.
        face_bones: ``f`` the bone that each face belongs to.
        orientations: ``24 3 3`` each bone's orientation in the camera.
        maps: ``(h w)`` what the photo shows at each pixel.
        skirt: ``h`` rows of the photo in which cloth spans the gap between the legs.
    """

    body: SkinnedBody
    faces: Int[Tensor, "f 3"]
    corners: Float[Tensor, "f 3 3"]
    mirrored_corners: Float[Tensor, "f 3 3"]
    facing: Float[Tensor, "f"]
    mirrored_facing: Float[Tensor, "f"]
    face_bones: Int[Tensor, "f"]
    orientations: Float[Tensor, "n 3 3"]
    scale: float
    size: tuple[int, int]
    maps: SourceMaps
    skirt: Bool[Tensor, "h"]

    def pixels(self, metres: float) -> float:
        """Return a length on the person in pixels."""
        return metres * self.scale

    def at(self, source_xy: Float[Tensor, "m 2"]) -> SourceMaps:
        """Sample the maps at positions (x, y) in pixels."""
        height, width = self.size
        x, y = source_xy.floor().long().unbind(dim=1)
        column, row = x.clamp(0, width - 1), y.clamp(0, height - 1)
        index = row * width + column
        sampled = SourceMaps(*(values.index_select(0, index) for values in self.maps))
        return sampled._replace(inside=(x == column) & (y == row))


def prepare_geometry(
    body: SkinnedBody, pose: Motion, foreground: Foreground, image: Image | None = None
) -> SourceGeometry:
    """Clothe and draw the source's body and map what of it the photo shows.

    Args:
        body: the body that ``pose`` belongs to, on the device to work on.
        pose: the fitted body of the photo, a motion of one frame.
        foreground: where the person is, in [0, 1], the size that ``pose`` refers to.
        image: the photo, RGB in [-1, 1], whose colours tell skirts from trousers better than the
            foreground alone.
    """
    assert len(pose) == 1
    assert tuple(foreground.shape[1:]) == pose.size
    clothed_body = clothed(body, pose, foreground)
    posed = clothed_body.vertices(pose.shape[None], pose.rotations)
    vertices = project(posed, pose.scale, pose.translation)[0]
    corners = vertices[body.faces]
    mirrored_corners = vertices[body.mirrored_vertices[body.faces]]
    face_bones = body.vertex_bones[body.faces].mode(dim=1).values
    scale, person = float(pose.scale[0]), foreground[0] > 0.5
    raster = rasterize(vertices[None], body.faces, pose.size)
    bone = torch.where(raster.face[0] < 0, -1, face_bones[raster.face[0]])
    return SourceGeometry(
        body=clothed_body,
        faces=body.faces.to(torch.int32),
        corners=corners,
        mirrored_corners=mirrored_corners,
        facing=_facing(corners),
        mirrored_facing=-_facing(mirrored_corners),
        face_bones=face_bones,
        orientations=chain(pose.rotations)[0],
        scale=scale,
        size=pose.size,
        maps=_source_maps(raster.depth, bone, person, scale),
        skirt=skirt_rows(bone, person, scale, image),
    )


def _source_maps(
    depth: Float[Tensor, "1 h w"],
    bone: Int[Tensor, "h w"],
    person: Bool[Tensor, "h w"],
    scale: float,
) -> SourceMaps:
    # Half again as far as the target looks: a position turned away from the body is still known.
    row, column, distance = _or_itself(*nearest_part(bone[None], 1.5 * REACH * scale, scale))
    segment = torch.where(distance.isinf(), -1, bone[row, column])
    foremost, foremost_bone = foremost_limb(depth, segment[None], scale)
    interior = ~_dilated(~person)
    row, column, away = _or_itself(*nearest_pixel(interior[None], max(1, round(RIM * scale))))
    maps = SourceMaps(
        inside=torch.ones_like(person),
        deepest=_deepest(depth[0]),
        foremost=foremost[0],
        foremost_bone=foremost_bone[0],
        segment=segment,
        body_distance=distance,
        on_mesh=bone >= 0,
        person=person,
        interior=interior,
        interior_xy=torch.stack([column, row], dim=-1) + 0.5,
        near_interior=~away.isinf(),
    )
    return SourceMaps(*(values.flatten(0, 1) for values in maps))


def foremost_limb(
    depth: Float[Tensor, "t h w"], bone: Int[Tensor, "t h w"], scale: float
) -> tuple[Float[Tensor, "t h w"], Int[Tensor, "t h w"]]:
    """Return the least depth within `GUARD` (of a hand: `HAND_GUARD`), and the bone found there.

    Args:
        depth: of the body in pixels, +inf where it isn't.
        bone: of the body at each pixel.

    Returns:
        The depth to a sixteenth of a pixel, +inf where the body isn't near; its bone, -1 there.
    """
    # Depth and bone in one number, so that the least one carries its bone along.
    key = (depth * _DEPTH_STEPS).floor() * _BONES + bone
    hands = IS_HAND.to(bone.device)[bone]  # off the body anything: the key is infinite there
    near = least_near(key, max(1, round(GUARD * scale)))
    hand = least_near(torch.where(hands, key, torch.inf), max(1, round(HAND_GUARD * scale)))
    key = torch.minimum(near, hand)
    step = (key / _BONES).floor()
    found = torch.where(key.isinf(), -1.0, key - step * _BONES).long()
    return step / _DEPTH_STEPS, found


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


def _dilated(region: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """Return the region and its neighbours; beyond the picture is no region."""
    return functional.max_pool2d(region[None].float(), 3, stride=1, padding=1)[0] > 0
