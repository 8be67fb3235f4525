"""Mesh flow: for each pixel of a target frame, where the source shows the same body point."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.nearest_pixel import nearest_pixel
from bdmm.body.rasterize import Raster
from bdmm.body.source_geometry import DEPTH_SLACK, REACH, SourceGeometry
from bdmm.records import BONE_NAMES, BONE_PARENTS, PixelState
from bdmm.shapes import Rotations

NOWHERE = -2.0
"""Grid position of pixels of which nothing is known: far outside the source, so it samples zero."""
_HEAD = BONE_NAMES.index("head")


@dataclass(frozen=True)
class MeshFlow:
    """Correspondence from target pixels to the source.

    Attributes:
        source_grid: ``t h w 2`` normalised (x, y) positions in the source, `NOWHERE` where nothing
            is known.
        state: ``t h w`` values of `PixelState`.
        filled: ``t h w`` hidden pixels that may be copied from where their grid points.
        segment: ``t h w`` bone of the body at each pixel, -1 off the body.
    """

    source_grid: Float[Tensor, "t h w 2"]
    state: Int[Tensor, "t h w"]
    filled: Bool[Tensor, "t h w"]
    segment: Int[Tensor, "t h w"]


def mesh_flow(
    geometry: SourceGeometry, raster: Raster, turns: Float[Tensor, "t n 2 2"]
) -> MeshFlow:
    """Find the source position of every target pixel on the body or close to it.

    Convention:
        Target to source. Positions are the same points of the body's surface. *Visible*: the face
        looks to the camera in the source, nothing of the body hides it there, and the source shows
        the person at that place. *Hidden*: the rest of the body. *Filled*: hidden, but the place
        on the same bone that lies straight before or behind it can stand in (not on the head).
        *Extended*: off the body, carried along rigidly by the nearest body pixel.

    Args:
        geometry: the source.
        raster: the target frames' mesh, of the same size as the source.
        turns: each bone's turn within the picture from `plane_turns`.
    """
    height, width = geometry.size
    covered = raster.face >= 0
    at = torch.nonzero(covered, as_tuple=True)
    face, weights = raster.face[at], raster.barycentric[at]
    bone = geometry.face_bones[face]
    spot, seen, stand_in = _on_body(geometry, face, weights, bone)

    place = spot.new_full((*covered.shape, 2), torch.inf)
    place[at] = spot
    segment = torch.full_like(raster.face, -1)
    segment[at] = bone
    state = torch.full_like(raster.face, PixelState.NONE)
    state[at] = torch.where(seen, int(PixelState.VISIBLE), int(PixelState.HIDDEN))
    filled = torch.zeros_like(covered)
    filled[at] = stand_in

    at, spot = _extended(geometry, covered, place, segment, turns)
    place[at] = spot
    state[at] = int(PixelState.EXTENDED)
    grid = place * (2 / place.new_tensor([width, height])) - 1
    grid = torch.where(place.isinf(), NOWHERE, grid)
    return MeshFlow(source_grid=grid, state=state, filled=filled, segment=segment)


def _on_body(
    geometry: SourceGeometry,
    face: Int[Tensor, "n"],
    weights: Float[Tensor, "n 3"],
    bone: Int[Tensor, "n"],
) -> tuple[Float[Tensor, "n 2"], Bool[Tensor, "n"], Bool[Tensor, "n"]]:
    """Return positions in the source, which of them are visible, which hidden ones are filled."""
    spot = (weights[..., None] * geometry.corners[face]).sum(dim=1)
    seen = _seen(geometry, spot, bone, geometry.facing[face])
    visible = seen & _look_up(geometry.foreground, spot)[0]
    hidden = torch.nonzero(~visible)[:, 0]
    spot[hidden, :2] = _drawn_in(geometry, spot[hidden, :2])
    copied = seen[hidden] | _same_bone(geometry, spot[hidden], bone[hidden])
    stand_in = torch.zeros_like(seen)
    stand_in[hidden] = copied

    left = hidden[~copied]
    twin = (weights[left][..., None] * geometry.twin_corners[face[left]]).sum(dim=1)
    other = _OTHER_SIDE.to(bone.device)[bone[left]]
    shown = _seen(geometry, twin, other, geometry.twin_facing[face[left]])
    spot[left[shown], :2] = _drawn_in(geometry, twin[shown, :2])
    stand_in[left[shown]] = True
    return spot[:, :2], visible, stand_in


def _drawn_in(geometry: SourceGeometry, spot: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
    """Move positions on the person's rim, or off it by little, to the nearest inner pixel."""
    inner, _ = _look_up(geometry.inner, spot)
    nearest, _ = _look_up(geometry.inner_at, spot)
    return torch.where(inner[:, None], spot, nearest)


def plane_turns(
    source: Rotations, target: Rotations, shrink: Float[Tensor, "t"]
) -> Float[Tensor, "t n 2 2"]:
    """Return how each bone's outline turns within the picture, from target to source.

    The orthogonal 2x2 matrix nearest to the picture part of the bone's turn in space, so a bone
    that turns its back is mirrored.

    Args:
        source: ``24 3 3`` orientations of the source's bones in the camera.
        target: ``t 24 3 3`` those of the target frames.
        shrink: ``t`` size of the source over that of the target, a factor on the result.
    """
    turn = (source @ target.mT)[..., :2, :2]
    left, _, right = torch.linalg.svd(turn)
    return shrink[:, None, None, None] * (left @ right)


def _look_up(
    picture: Tensor, spot: Float[Tensor, "n c"]
) -> tuple[Tensor, Bool[Tensor, "n"]]:
    """Return the picture's values at positions in pixels, and which of these lie inside of it."""
    height, width = picture.shape[:2]
    x, y = spot[:, 0].floor().long(), spot[:, 1].floor().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return picture[y.clamp(0, height - 1), x.clamp(0, width - 1)], inside


def _seen(
    geometry: SourceGeometry,
    spot: Float[Tensor, "n 3"],
    bone: Int[Tensor, "n"],
    facing: Float[Tensor, "n"],
) -> Bool[Tensor, "n"]:
    """Return which points of the surface the source shows, the person's rim drawn in."""
    deepest, inside = _look_up(geometry.deepest, spot)
    person, _ = _look_up(geometry.foreground, _drawn_in(geometry, spot[:, :2]))
    unhidden = spot[:, 2] <= deepest + geometry.pixels(DEPTH_SLACK)
    return inside & person & unhidden & (facing > 0) & ~_beside_limb(geometry, spot, bone)


def _beside_limb(
    geometry: SourceGeometry, spot: Float[Tensor, "n 3"], bone: Int[Tensor, "n"]
) -> Bool[Tensor, "n"]:
    """Return which points lie behind another part of the body or so close beside it to doubt."""
    foremost, _ = _look_up(geometry.foremost, spot)
    limb, _ = _look_up(geometry.foremost_bone, spot)
    other = (limb >= 0) & ~_ADJACENT.to(bone.device)[bone, limb]
    return other & (spot[:, 2] > foremost + geometry.pixels(DEPTH_SLACK))


def _same_bone(
    geometry: SourceGeometry, spot: Float[Tensor, "n 3"], bone: Int[Tensor, "n"]
) -> Bool[Tensor, "n"]:
    """Through-body fill: where the source shows the same bone or its neighbour, another side."""
    shown, inside = _look_up(geometry.segment, spot)
    inner, _ = _look_up(geometry.inner & geometry.on_mesh, spot)
    near = (shown >= 0) & _ADJACENT.to(bone.device)[bone, shown]
    body = (bone != _HEAD) & (shown != _HEAD)
    shown_depth, _ = _look_up(geometry.deepest, spot)
    front = torch.cat([spot[:, :2], shown_depth[:, None]], dim=1)
    return inside & inner & body & near & ~_beside_limb(geometry, front, bone)


def _extended(
    geometry: SourceGeometry,
    covered: Bool[Tensor, "t h w"],
    place: Float[Tensor, "t h w 2"],
    segment: Int[Tensor, "t h w"],
    turns: Float[Tensor, "t n 2 2"],
) -> tuple[tuple[Tensor, ...], Float[Tensor, "n 2"]]:
    """Return (frame, row, column) of pixels beside the body, and their positions in the source."""
    reach = max(1, round(geometry.pixels(REACH)))
    top, left, near_row, near_column = _nearest_in_box(covered, reach)
    beside = (near_row >= 0) & ~covered[
        :, top : top + near_row.shape[1], left : left + near_row.shape[2]
    ]
    frame, row, column = torch.nonzero(beside, as_tuple=True)
    near = frame, near_row[frame, row, column] + top, near_column[frame, row, column] + left
    row, column = row + top, column + left
    bone = segment[near]
    away = torch.stack([column - near[2], row - near[1]], dim=-1).to(place)
    spot = place[near] + (turns[frame, bone] @ away[..., None])[..., 0]
    shown, inside = _look_up(geometry.segment, spot)
    free, _ = _look_up(geometry.foreground & ~geometry.on_mesh, spot)
    adjacent = _ADJACENT.to(bone.device)[bone, shown] & (shown >= 0)
    # Beside the body as far as in the target, or it is another outline that is met there.
    beside, _ = _look_up(geometry.beside, spot)
    same_outline = beside > 0.5 * away.norm(dim=-1) - 1.0
    kept = inside & free & adjacent & same_outline
    return (frame[kept], row[kept], column[kept]), spot[kept]


def _nearest_in_box(
    covered: Bool[Tensor, "t h w"], reach: int
) -> tuple[int, int, Int[Tensor, "t h1 w1"], Int[Tensor, "t h1 w1"]]:
    """Look for the nearest covered pixels, only in the box that can be within reach of any."""
    rows = torch.nonzero(covered.any(dim=2).any(dim=0)).flatten().tolist() or [0]
    columns = torch.nonzero(covered.any(dim=1).any(dim=0)).flatten().tolist() or [0]
    top, left = max(rows[0] - reach, 0), max(columns[0] - reach, 0)
    box = covered[:, top : rows[-1] + reach + 1, left : columns[-1] + reach + 1]
    return top, left, *nearest_pixel(box, reach)


def _adjacent_bones() -> Bool[Tensor, "n n"]:
    adjacent = torch.eye(len(BONE_PARENTS), dtype=torch.bool)
    for bone, parent in enumerate(BONE_PARENTS[1:], start=1):
        adjacent[bone, parent] = adjacent[parent, bone] = True
    return adjacent


def _other_sides() -> Int[Tensor, "n"]:
    swapped = {"left": "right", "right": "left"}
    parts = [name.partition("_") for name in BONE_NAMES]
    names = [swapped.get(side, side) + dash + rest for side, dash, rest in parts]
    return torch.tensor([BONE_NAMES.index(name) for name in names])


_ADJACENT = _adjacent_bones()
_OTHER_SIDE = _other_sides()
