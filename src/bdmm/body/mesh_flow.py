"""Mesh flow: for each pixel of a target frame, where the source shows the same body point."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.bones import ADJACENT, OTHER_SIDE, nearest_part
from bdmm.body.rasterize import Raster
from bdmm.body.regions import majority_filter, region_box
from bdmm.body.skirt import SPAN, between_legs
from bdmm.body.source_geometry import REACH, SourceGeometry, foremost_limb
from bdmm.records import NOWHERE, PixelState


@dataclass(frozen=True)
class MeshFlow:
    """Correspondence from target pixels to the source; the steps of `mesh_flow` write into it.

    ``*p`` is ``t h w``, or one dimension in `flat`.

    Attributes:
        source_xy: ``*p 2`` positions (x, y) in pixels of the source, +inf where none is known.
        state: ``*p`` values of `PixelState`.
        fallback: ``*p`` hidden pixels whose fallback correspondence may be copied.
        segment: ``*p`` bone of the body at each pixel, -1 off the body.
    """

    source_xy: Float[Tensor, "*p 2"]
    state: Int[Tensor, "*p"]
    fallback: Bool[Tensor, "*p"]
    segment: Int[Tensor, "*p"]

    @classmethod
    def empty(cls, shape: torch.Size, device: torch.device) -> "MeshFlow":
        """Return a flow that knows nothing yet."""
        return cls(
            source_xy=torch.full((*shape, 2), torch.inf, device=device),
            state=torch.full(shape, int(PixelState.NONE), device=device),
            fallback=torch.zeros(shape, dtype=torch.bool, device=device),
            segment=torch.full(shape, -1, device=device),
        )

    @property
    def flat(self) -> "MeshFlow":
        """The same maps as views of one dimension."""
        maps = (self.state, self.fallback, self.segment)
        return MeshFlow(self.source_xy.view(-1, 2), *(one.view(-1) for one in maps))

    @property
    def source_grid(self) -> Float[Tensor, "t h w 2"]:
        """Positions normalised by the frames' size, which is the source's; else `NOWHERE`."""
        height, width = self.state.shape[1:]
        grid = self.source_xy * (2 / self.source_xy.new_tensor([width, height])) - 1
        return torch.where(self.source_xy.isinf(), NOWHERE, grid)


def mesh_flow(
    geometry: SourceGeometry, raster: Raster, turns: Float[Tensor, "t n 2 2"]
) -> MeshFlow:
    """Find the source position of every target pixel on the body or close to it.

    Convention:
        Target to source. Positions are the same points of the body's surface.

        - *Visible*: the face looks to the camera in the source, nothing of the body hides it
          there, and the source shows the person at that position. A point that just misses the
          person takes the nearest interior pixel.
        - *Hidden*: the rest of the body. Some of it has a *fallback* correspondence: the
          same position in the source, where the source shows the same or an adjacent bone there,
          front or back (not on the head); else the mirrored point on the body's other side, where
          the source shows that.
        - *Extended*: off the body, carried along rigidly by the nearest body pixel.

        A skirt between the legs counts as body, stretched from one leg to the other.

    Args:
        raster: the target frames' mesh, of the same size as the source.
        turns: each bone's turn within the picture from `plane_turns`.
    """
    margin = max(1, round(geometry.pixels(REACH)))
    box = slice(None), *region_box((raster.face >= 0).any(dim=0), margin)
    flow = _map_body(geometry, Raster(raster.face[box], raster.depth[box], raster.barycentric[box]))
    _extend(flow, geometry, turns)
    if geometry.skirt.any():
        _hang_skirt(flow, geometry)
    whole = MeshFlow.empty(raster.face.shape, raster.face.device)
    for part in fields(MeshFlow):
        getattr(whole, part.name)[box] = getattr(flow, part.name)
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


def _map_body(geometry: SourceGeometry, raster: Raster) -> MeshFlow:
    """Map the body's pixels: visible, else a fallback of the same point or the mirrored one."""
    flow = MeshFlow.empty(raster.face.shape, raster.face.device)
    flat = flow.flat
    pixel = torch.nonzero(raster.face.flatten() >= 0)[:, 0]
    face = raster.face.flatten().index_select(0, pixel)
    weights = raster.barycentric.flatten(0, 2).index_select(0, pixel)
    bone = geometry.face_bones[face]
    flat.segment[pixel] = bone
    limb = foremost_limb(raster.depth, flow.segment, geometry.scale)[1].view(-1)[pixel]

    source_xy, depth = _interpolate(geometry.corners, face, weights)
    sample = geometry.at(source_xy)
    visible = geometry.shows(sample, depth, bone, limb) & (geometry.facing[face] > 0)
    inward = ~(visible & sample.person) & ~sample.interior
    source_xy[inward] = sample.interior_xy[inward]

    hidden = torch.nonzero(~visible)[:, 0]
    same = geometry.shows_bone(geometry.at(source_xy[hidden]), bone[hidden])
    fallback = torch.zeros_like(visible)
    fallback[hidden] = same

    hidden = hidden[~same]
    face, weights, bone = face[hidden], weights[hidden], OTHER_SIDE.to(bone.device)[bone[hidden]]
    mirrored_xy, depth = _interpolate(geometry.mirrored_corners, face, weights)
    sample = geometry.at(mirrored_xy)
    shown = geometry.shows(sample, depth, bone, bone) & (geometry.mirrored_facing[face] > 0)
    mirrored_xy = torch.where(sample.interior[:, None], mirrored_xy, sample.interior_xy)
    shown |= geometry.shows_bone(geometry.at(mirrored_xy), bone)
    source_xy[hidden[shown]] = mirrored_xy[shown]
    fallback[hidden[shown]] = True

    flat.source_xy[pixel] = source_xy
    flat.state[pixel] = torch.where(visible, int(PixelState.VISIBLE), int(PixelState.HIDDEN))
    flat.fallback[pixel] = fallback
    return flow


def _interpolate(
    corners: Float[Tensor, "f 3 3"], face: Int[Tensor, "m"], weights: Float[Tensor, "m 3"]
) -> tuple[Float[Tensor, "m 2"], Float[Tensor, "m"]]:
    """Return (x, y) and depth of points on faces."""
    point = (weights[..., None] * corners.index_select(0, face)).sum(dim=1)
    return point[:, :2].contiguous(), point[:, 2]


def _extend(flow: MeshFlow, geometry: SourceGeometry, turns: Float[Tensor, "t n 2 2"]) -> None:
    """Carry pixels off the body along with the nearest body pixel: hair and loose clothes."""
    flat, (height, width) = flow.flat, flow.segment.shape[1:]
    row, column = nearest_part(flow.segment, geometry.pixels(REACH), geometry.scale)
    pixel = torch.nonzero(((row >= 0) & (flow.segment < 0)).flatten())[:, 0]
    right = pixel % width - column.flatten().index_select(0, pixel)
    down = pixel // width % height - row.flatten().index_select(0, pixel)
    carrier = pixel - down * width - right
    offset = torch.stack([right, down], dim=1).float()
    bone = flat.segment.index_select(0, carrier)
    frame = pixel // (height * width)
    turn = turns.flatten(2).flatten(0, 1).index_select(0, frame * turns.shape[1] + bone)
    turned = torch.stack([(turn[:, :2] * offset).sum(1), (turn[:, 2:] * offset).sum(1)], dim=1)
    source_xy = flat.source_xy.index_select(0, carrier) + turned

    sample = geometry.at(source_xy)
    kept = sample.inside & sample.person & ~sample.on_mesh & (sample.segment >= 0)
    # In the source as far from the body as in the target, or it belongs to another outline there:
    # at least half as far, less one pixel of rounding.
    kept &= sample.body_distance > 0.5 * offset.norm(dim=-1) - 1.0
    kept &= ADJACENT.to(bone.device)[bone, sample.segment]
    person = flow.segment >= 0
    person.view(-1)[pixel[kept]] = True
    kept &= majority_filter(person).flatten().index_select(0, pixel)
    flat.source_xy[pixel[kept]] = source_xy[kept]
    flat.state[pixel[kept]] = int(PixelState.EXTENDED)


def _hang_skirt(flow: MeshFlow, geometry: SourceGeometry) -> None:
    """Map the cloth between the legs, as a part of the nearer leg.

    A pixel on the straight line between two points of the legs takes the source pixel on the
    straight line between the same two points, at the same share of the way.
    """
    flat = flow.flat
    reach = max(1, round(geometry.pixels(SPAN)))
    pixel, left, right, share = between_legs(flow.segment, reach)
    source_xy = torch.lerp(flat.source_xy[left], flat.source_xy[right], share[:, None])
    sample = geometry.at(source_xy)
    row = source_xy[:, 1].long().clamp(0, geometry.size[0] - 1)
    cloth = geometry.skirt[row] & sample.inside & sample.person
    pixel, left, right, share = pixel[cloth], left[cloth], right[cloth], share[cloth]
    visible = (flat.state[left] == PixelState.VISIBLE) & (flat.state[right] == PixelState.VISIBLE)
    flat.source_xy[pixel] = source_xy[cloth]
    flat.state[pixel] = torch.where(visible, int(PixelState.VISIBLE), int(PixelState.HIDDEN))
    flat.fallback[pixel] = ~visible
    flat.segment[pixel] = torch.where(share < 0.5, flat.segment[left], flat.segment[right])
