"""The kernels of the mesh flow equal their specification, plain PyTorch, to the bit."""

import pytest
import torch
from torch import Tensor

from bdmm.body.bones import ADJACENT, OTHER_SIDE, nearest_part
from bdmm.body.mesh_flow import MeshFlow, mesh_flow, plane_turns, solid
from bdmm.body.rasterize import Raster
from bdmm.body.rotations import chain
from bdmm.body.source_geometry import (
    DEPTH_SLACK,
    HEAD,
    REACH,
    WITHIN_TWO_BONES,
    SourceGeometry,
    SourceMaps,
    foremost_limb,
    prepare_geometry,
)
from bdmm.records import PixelState


def mesh_flow_ref(geometry: SourceGeometry, raster: Raster, turns: Tensor) -> MeshFlow:
    """Specify `mesh_flow` for a person without a skirt."""
    flow = map_body_ref(geometry, raster)
    extend_ref(flow, geometry, turns)
    return flow


def map_body_ref(geometry: SourceGeometry, raster: Raster) -> MeshFlow:
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
    visible = shows(geometry, sample, depth, bone, limb) & (geometry.facing[face] > 0)
    inward = ~(visible & sample.person) & ~sample.interior
    source_xy[inward] = sample.interior_xy[inward]

    hidden = torch.nonzero(~visible)[:, 0]
    same = shows_bone(geometry, geometry.at(source_xy[hidden]), bone[hidden])
    fallback = torch.zeros_like(visible)
    fallback[hidden] = same

    hidden = hidden[~same]
    face, weights, bone = face[hidden], weights[hidden], OTHER_SIDE.to(bone.device)[bone[hidden]]
    mirrored_xy, depth = _interpolate(geometry.mirrored_corners, face, weights)
    sample = geometry.at(mirrored_xy)
    shown = shows(geometry, sample, depth, bone, bone) & (geometry.mirrored_facing[face] > 0)
    mirrored_xy = torch.where(sample.interior[:, None], mirrored_xy, sample.interior_xy)
    shown |= shows_bone(geometry, geometry.at(mirrored_xy), bone)
    source_xy[hidden[shown]] = mirrored_xy[shown]
    fallback[hidden[shown]] = True

    flat.source_xy[pixel] = source_xy
    state = torch.where(visible, int(PixelState.VISIBLE), int(PixelState.HIDDEN))
    flat.state[pixel] = state.to(flat.state)
    flat.fallback[pixel] = fallback
    return flow


def _interpolate(corners: Tensor, face: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return (x, y) and depth of points on faces."""
    point = (weights[..., None] * corners.index_select(0, face)).sum(dim=1)
    return point[:, :2].contiguous(), point[:, 2]


def extend_ref(flow: MeshFlow, geometry: SourceGeometry, turns: Tensor) -> None:
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
    body = flow.segment >= 0
    carried = torch.zeros_like(body)
    carried.view(-1)[pixel[kept]] = True
    carried &= solid(body, carried, geometry)
    kept &= carried.view(-1)[pixel]
    person = body | carried
    kept &= hang(person, pixel, carrier)
    flat.source_xy[pixel[kept]] = source_xy[kept]
    flat.state[pixel[kept]] = int(PixelState.EXTENDED)


def hang(person: Tensor, pixel: Tensor, carrier: Tensor) -> Tensor:
    """Return which pixels hang on their carriers: no gap lies on the way."""
    height, width = person.shape[1:]
    own = torch.stack([pixel // width % height, pixel % width])
    way = torch.stack([carrier // width % height, carrier % width]) - own
    steps = way.abs().amax(dim=0)
    hanging = torch.ones_like(pixel, dtype=torch.bool)
    for step in range(1, int(steps.max())):
        row, column = own + torch.div(2 * way * step + steps, 2 * steps, rounding_mode="floor")
        inside = step < steps
        place = (
            pixel // (height * width),
            torch.where(inside, row, 0),
            torch.where(inside, column, 0),
        )
        hanging &= ~inside | person[place]
    return hanging


def shows(
    geometry: SourceGeometry, sample: SourceMaps, depth: Tensor, bone: Tensor, adjacent_limb: Tensor
) -> Tensor:
    """Return which body points the photo shows, or would show if the fit's rim were exact.

    A point is shown where it lies in the photo, near the foreground's interior, and neither
    the z-buffer nor the uncertain outline of another limb hides it.

    Args:
        depth: of the points in the source, pixels.
        adjacent_limb: the limb next to each point in the target. What that limb may hide in
            the source is shown all the same: the two move together.
    """
    unhidden = depth <= sample.deepest + geometry.pixels(DEPTH_SLACK)
    suspect = _behind_other_limb(geometry, sample, depth, bone)
    suspect &= ~ADJACENT.to(bone.device)[adjacent_limb, sample.foremost_bone]
    return sample.inside & sample.near_interior & unhidden & ~suspect


def shows_bone(geometry: SourceGeometry, sample: SourceMaps, bone: Tensor) -> Tensor:
    """Return where the photo shows a bone or an adjacent one, front or back; never the head."""
    same = (sample.segment >= 0) & ADJACENT.to(bone.device)[bone, sample.segment]
    body = sample.on_mesh & (bone != HEAD) & (sample.segment != HEAD)
    unhidden = ~_behind_other_limb(geometry, sample, sample.deepest, bone)
    return sample.inside & sample.interior & same & body & unhidden


def _behind_other_limb(
    geometry: SourceGeometry, sample: SourceMaps, depth: Tensor, bone: Tensor
) -> Tensor:
    """Return which points lie behind a limb that is more than two bones away, or near it."""
    limb = sample.foremost_bone
    other = (limb >= 0) & ~WITHIN_TWO_BONES.to(bone.device)[bone, limb]
    return other & (depth > sample.foremost + geometry.pixels(DEPTH_SLACK))


@pytest.mark.parametrize("yaw", [0.0, 0.6, 3.0])
def test_the_kernels_do_what_is_specified(body, standing, draw, yaw: float) -> None:
    pose = standing(0.2)
    seen = (draw(body, pose).face >= 0).float()
    foreground = torch.nn.functional.max_pool2d(seen, 7, stride=1, padding=3)
    geometry, motion = prepare_geometry(body, pose, foreground), standing(yaw)
    assert not geometry.skirt.any()
    shrink = geometry.scale / motion.scale
    turns = plane_turns(geometry.orientations, chain(motion.rotations), shrink)
    raster = draw(geometry.body, motion)
    fast, specified = mesh_flow(geometry, raster, turns), mesh_flow_ref(geometry, raster, turns)
    assert (specified.state == PixelState.EXTENDED).any()
    for name in ("source_xy", "state", "fallback", "segment"):
        assert torch.equal(getattr(fast, name), getattr(specified, name)), name
