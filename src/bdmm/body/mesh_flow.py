"""Mesh flow: for each pixel of a target frame, where the source shows the same body point."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.bones import ADJACENT, OTHER_SIDE, nearest_part
from bdmm.body.rasterize import Raster
from bdmm.body.regions import majority_filter, region_box
from bdmm.body.skirt import SPAN, between_legs
from bdmm.body.source_geometry import (
    DEPTH_SLACK,
    REACH,
    Shown,
    SourceGeometry,
    foremost_limb,
)
from bdmm.records import BONE_NAMES, PixelState

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
        Target to source. Positions are the same points of the body's surface.

        - *Visible*: the face looks to the camera in the source, nothing of the body hides it
          there, and the source shows the person at that place.
        - *Hidden*: the rest of the body. Of it, *filled* is what something else can stand in for:
          the person's nearest place, for a point that just misses the person; else the place on
          the same or the adjoining bone straight before or behind it (not on the head); else the
          same two for the mirrored point, on the body's other side.
        - *Extended*: off the body, carried along rigidly by the nearest body pixel.

        A skirt between the legs counts as body, stretched from one leg to the other.

    Args:
        geometry: the source.
        raster: the target frames' mesh, of the same size as the source.
        turns: each bone's turn within the picture from `plane_turns`.
    """
    reach = max(1, round(geometry.pixels(REACH)))
    rows, columns = region_box((raster.face >= 0).any(dim=0), reach)
    inner = slice(None), rows, columns
    faces = raster.face[inner]
    covered = faces >= 0
    at = torch.nonzero(covered.flatten())[:, 0]
    face = faces.flatten().index_select(0, at)
    weights = raster.barycentric[inner].flatten(0, 2).index_select(0, at)
    bone = geometry.face_bones[face]
    segment = torch.full(covered.shape, -1, device=at.device)
    segment.view(-1)[at] = bone
    company = foremost_limb(raster.depth[inner], segment, geometry.scale)[1].view(-1)[at]
    spot, visible, stand_in = _on_body(geometry, face, weights, bone, company)

    place = spot.new_full((*covered.shape, 2), torch.inf)
    place.view(-1, 2)[at] = spot
    state = torch.full(covered.shape, int(PixelState.NONE), device=at.device)
    state.view(-1)[at] = torch.where(visible, int(PixelState.VISIBLE), int(PixelState.HIDDEN))
    filled = torch.zeros_like(state, dtype=torch.bool)
    filled.view(-1)[at] = stand_in

    at, spot = _extended(geometry, covered, place, segment, turns)
    place.view(-1, 2)[at] = spot
    state.view(-1)[at] = int(PixelState.EXTENDED)
    if geometry.skirt.any():
        _hang_skirt(geometry, place, state, filled, segment)
    height, width = geometry.size
    grid = place * (2 / place.new_tensor([width, height])) - 1
    grid = torch.where(place.isinf(), NOWHERE, grid)
    shape, device = raster.face.shape, grid.device
    whole = MeshFlow(
        source_grid=torch.full((*shape, 2), NOWHERE, device=device),
        state=torch.full(shape, int(PixelState.NONE), device=device),
        filled=torch.zeros(shape, dtype=torch.bool, device=device),
        segment=torch.full(shape, -1, device=device),
    )
    whole.source_grid[inner], whole.state[inner] = grid, state
    whole.filled[inner], whole.segment[inner] = filled, segment
    return whole


def plane_turns(
    source: Float[Tensor, "n 3 3"], target: Float[Tensor, "t n 3 3"], shrink: Float[Tensor, "t"]
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


def _on_body(
    geometry: SourceGeometry,
    face: Int[Tensor, "m"],
    weights: Float[Tensor, "m 3"],
    bone: Int[Tensor, "m"],
    company: Int[Tensor, "m"],
) -> tuple[Float[Tensor, "m 2"], Bool[Tensor, "m"], Bool[Tensor, "m"]]:
    """Return positions in the source, which of them are visible, which hidden ones are filled."""
    spot, depth = _interpolated(geometry.corners, face, weights)
    shown = geometry.at(spot)
    visible = _seen(geometry, shown, depth, bone, company) & (geometry.facing[face] > 0)
    missed = ~(visible & shown.person)
    spot[missed] = torch.where(shown.inner[missed, None], spot[missed], shown.inner_at[missed])
    stand_in = torch.zeros_like(visible)

    hidden = torch.nonzero(~visible)[:, 0]
    filled = _same_bone(geometry, geometry.at(spot[hidden]), bone[hidden])
    stand_in[hidden] = filled

    left = hidden[~filled]
    other = OTHER_SIDE.to(bone.device)[bone[left]]
    twin, depth = _interpolated(geometry.twin_corners, face[left], weights[left])
    shown = geometry.at(twin)
    seen = _seen(geometry, shown, depth, other, other) & (geometry.twin_facing[face[left]] > 0)
    twin = torch.where(shown.inner[:, None], twin, shown.inner_at)
    filled = seen | _same_bone(geometry, geometry.at(twin), other)
    spot[left[filled]] = twin[filled]
    stand_in[left[filled]] = True
    return spot, visible, stand_in


def _interpolated(
    corners: Float[Tensor, "f 3 3"], face: Int[Tensor, "m"], weights: Float[Tensor, "m 3"]
) -> tuple[Float[Tensor, "m 2"], Float[Tensor, "m"]]:
    point = (weights[..., None] * corners.index_select(0, face)).sum(dim=1)
    return point[:, :2].contiguous(), point[:, 2]


def _seen(
    geometry: SourceGeometry,
    shown: Shown,
    depth: Float[Tensor, "m"],
    bone: Int[Tensor, "m"],
    company: Int[Tensor, "m"],
) -> Bool[Tensor, "m"]:
    """Return which points of these depths the source shows, or would if its rim were drawn in.

    Args:
        geometry: the source.
        shown: what it shows at the points.
        depth: of the points in the source.
        bone: that the points belong to.
        company: the limb that is beside them in the target: what it may hide may come along.
    """
    unhidden = depth <= shown.deepest + geometry.pixels(DEPTH_SLACK)
    suspect = _beside_limb(geometry, shown, depth, bone)
    suspect &= ~ADJACENT.to(bone.device)[company, shown.foremost_bone]
    return shown.inside & shown.near_inner & unhidden & ~suspect


def _beside_limb(
    geometry: SourceGeometry, shown: Shown, depth: Float[Tensor, "m"], bone: Int[Tensor, "m"]
) -> Bool[Tensor, "m"]:
    """Return which points lie behind another limb, or so close beside it that it may hide them."""
    limb = shown.foremost_bone
    other = (limb >= 0) & ~_CLOSE.to(bone.device)[bone, limb]
    return other & (depth > shown.foremost + geometry.pixels(DEPTH_SLACK))


def _same_bone(geometry: SourceGeometry, shown: Shown, bone: Int[Tensor, "m"]) -> Bool[Tensor, "m"]:
    """Through-body fill: where the source shows the same bone or its neighbour, another side."""
    near = (shown.segment >= 0) & ADJACENT.to(bone.device)[bone, shown.segment]
    body = shown.on_mesh & (bone != _HEAD) & (shown.segment != _HEAD)
    clear = ~_beside_limb(geometry, shown, shown.deepest, bone)
    return shown.inside & shown.inner & near & body & clear


def _extended(
    geometry: SourceGeometry,
    covered: Bool[Tensor, "t h w"],
    place: Float[Tensor, "t h w 2"],
    segment: Int[Tensor, "t h w"],
    turns: Float[Tensor, "t n 2 2"],
) -> tuple[Int[Tensor, "m"], Float[Tensor, "m 2"]]:
    """Return flat indices of pixels beside the body, and their positions in the source."""
    at, near, away = _beside(segment, geometry.pixels(REACH), geometry.scale)
    bone = segment.flatten().index_select(0, near)
    frame = at // covered[0].numel()
    turn = turns.flatten(2).flatten(0, 1).index_select(0, frame * turns.shape[1] + bone)
    turned = torch.stack([(turn[:, :2] * away).sum(dim=1), (turn[:, 2:] * away).sum(dim=1)], dim=1)
    spot = place.view(-1, 2).index_select(0, near) + turned
    shown = geometry.at(spot)
    free = shown.inside & shown.person & ~shown.on_mesh & (shown.segment >= 0)
    # Beside the body as far as in the target, or it is another outline that is met there.
    same_outline = shown.beside > 0.5 * away.norm(dim=-1) - 1.0
    kept = free & same_outline & ADJACENT.to(bone.device)[bone, shown.segment]
    person = covered.clone()
    person.view(-1)[at[kept]] = True
    kept &= majority_filter(person).flatten().index_select(0, at)
    return at[kept], spot[kept]


def _hang_skirt(
    geometry: SourceGeometry,
    place: Float[Tensor, "t h w 2"],
    state: Int[Tensor, "t h w"],
    filled: Bool[Tensor, "t h w"],
    segment: Int[Tensor, "t h w"],
) -> None:
    """Enter a skirt between the legs into all of these, as a part of the nearer leg.

    It hangs from one leg to the other: straight between two points of the legs lies, in the photo,
    what lies straight between them in the frame.
    """
    at, left, right, share = between_legs(segment, max(1, round(geometry.pixels(SPAN))))
    places, states, bones = place.view(-1, 2), state.view(-1), segment.view(-1)
    spot = torch.lerp(places[left], places[right], share[:, None])
    shown = geometry.at(spot)
    row = spot[:, 1].long().clamp(0, geometry.size[0] - 1)
    cloth = geometry.skirt[row] & shown.inside & shown.person
    at, left, right, nearer_left = at[cloth], left[cloth], right[cloth], share[cloth] < 0.5
    seen = (states[left] == PixelState.VISIBLE) & (states[right] == PixelState.VISIBLE)
    places[at] = spot[cloth]
    states[at] = torch.where(seen, int(PixelState.VISIBLE), int(PixelState.HIDDEN))
    filled.view(-1)[at] = ~seen
    bones[at] = torch.where(nearer_left, bones[left], bones[right])


def _beside(
    segment: Int[Tensor, "t h w"], reach: float, scale: float
) -> tuple[Int[Tensor, "m"], Int[Tensor, "m"], Float[Tensor, "m 2"]]:
    """Find pixels beside the body.

    Returns:
        Their flat indices, those of the covered pixels that are nearest to them, and how far they
        lie to the right of these and below.
    """
    height, width = segment.shape[1:]
    near_row, near_column = nearest_part(segment, reach, scale)
    at = torch.nonzero(((near_row >= 0) & (segment < 0)).flatten())[:, 0]
    right = at % width - near_column.flatten().index_select(0, at)
    down = at // width % height - near_row.flatten().index_select(0, at)
    return at, at - down * width - right, torch.stack([right, down], dim=1).float()


_CLOSE = ADJACENT.float() @ ADJACENT.float() > 0
