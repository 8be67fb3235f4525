"""The only producer of conditions, for networks and renderers, from a source and a motion."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from bdmm.appearance.atlas import look_up
from bdmm.appearance.person import PersonViews
from bdmm.appearance.photo_choice import vertex_facing
from bdmm.appearance.photo_mixture import Mixture, mix, sufficiency, useful_photos
from bdmm.appearance.photo_view import SurfacePoints, trust_of
from bdmm.body.camera import hide_face, project
from bdmm.body.mesh_flow import flow_around_body, mesh_flow, moves_with_trunk, plane_turns
from bdmm.body.model import SkinnedBody
from bdmm.body.rasterize import Raster, rasterize
from bdmm.body.regions import nearest_pixel, region_box
from bdmm.body.rotations import chain
from bdmm.body.source_geometry import REACH, SourceGeometry
from bdmm.records import BONE_NAMES, COCO18, KEYPOINT_NAMES, NOWHERE, Conditions, Motion, PixelState
from bdmm.shapes import Keypoints

_ANOTHER_OUTLINE = 0.1
"""Share of the frame's height up to which two outlines of one body are looked for apart."""
_RUN = 16
_PELVIS = BONE_NAMES.index("pelvis")


def condition(
    body: SkinnedBody, geometry: SourceGeometry, motion: Motion, joints: Sequence[int] = COCO18
) -> Conditions:
    """Return the conditions of a run of frames, as a batch of one clip.

    A run is the same whether it is asked for whole or in slices, bit for bit.

    Args:
        body: that motion and geometry belong to, on the geometry's device.
        geometry: of the source.
        motion: retargeted to the source (`body.retarget`): its shape, in pixels of its photo.
        joints: which keypoints become heatmaps, `records.COCO18` or `records.BODY25`.
    """
    assert motion.body == body.name
    assert motion.size == geometry.size
    raster = _draw(geometry, motion)
    flow = mesh_flow(geometry, raster, _turns(geometry, motion))
    keypoints = _keypoints(body, motion, raster)
    return Conditions(
        keypoints=keypoints[None],
        source_grid=flow.source_grid(motion.size)[None],
        state=flow.state[None],
        fallback=flow.fallback[None],
        segment=flow.segment[None],
        joints=tuple(joints),
    )


def condition_person(
    person: PersonViews,
    motion: Motion,
    shares: Float[Tensor, "t k"],
    joints: Sequence[int] = COCO18,
) -> Conditions:
    """Return the conditions of a run of frames of a person: pixels are mixed from all photos.

    Hidden pixels of the body have the atlas's colours. Positions in the photos are not given.

    Args:
        person: motions are retargeted to the first photo.
        motion: see `condition`.
        shares: of these frames, see `photo_choice.shares_shown`.
        joints: see `condition`.
    """
    geometry, chosen = person.views[0].geometry, useful_photos(shares).any(dim=0)
    views = tuple(person.views[k] for k in chosen.nonzero().flatten().tolist())
    person, shares = replace(person, views=views), shares[:, chosen]
    wanted = trust_of(vertex_facing(geometry.body, motion))
    made = _nothing(motion, joints)
    for t in range(len(motion)):
        one = slice(t, t + 1)
        raster = _draw(geometry, motion[one])
        made.keypoints[0, one] = _keypoints(person.body, motion[one], raster)
        # Frame by frame, around the body alone: what lies in between stays small.
        margin = max(round(view.geometry.pixels(REACH)) for view in views) + 1
        box = region_box(raster.face[0] >= 0, margin)
        mixture = _mixture(person, motion[one], raster.crop(*box), shares[one], wanted[t])
        _write(made, (0, t, *box), mixture)
    return made


def _nothing(motion: Motion, joints: Sequence[int]) -> Conditions:
    """Return conditions of a motion's frames without anybody, to be written into."""
    shape, device = (1, len(motion), *motion.size), motion.rotations.device
    return Conditions(
        keypoints=torch.zeros(*shape[:2], len(KEYPOINT_NAMES), 3, device=device),
        source_grid=torch.tensor(NOWHERE, device=device).expand(*shape, 2),
        state=torch.full(shape, int(PixelState.NONE), dtype=torch.int8, device=device),
        fallback=torch.zeros(shape, dtype=torch.bool, device=device),
        segment=torch.full(shape, -1, device=device),
        warped=torch.zeros(*shape[:2], 4, *shape[2:], device=device),
        joints=tuple(joints),
    )


def _write(made: Conditions, place: tuple[int, int, slice, slice], mixture: Mixture) -> None:
    """Write a part of a frame."""
    clip, t, rows, columns = place
    assert made.segment is not None
    assert made.warped is not None
    flow = mixture.flow
    made.state[place] = flow.state[0]
    made.fallback[place] = flow.fallback[0]
    made.segment[place] = flow.segment[0]
    made.warped[clip, t, :, rows, columns] = mixture.warped[0]


def _mixture(
    person: PersonViews,
    motion: Motion,
    raster: Raster,
    shares: Float[Tensor, "1 k"],
    wanted: Float[Tensor, "v"],
) -> Mixture:
    """Return what is known of one frame, or of a part of it.

    Args:
        raster: of that part.
        wanted: trust in a photo that were the frame itself.
    """
    points, flows, trusts = SurfacePoints.of(raster, person.views[0].geometry.faces), [], []
    for view in person.views:
        flow = flow_around_body(view.geometry, raster, _turns(view.geometry, motion))
        trust, state = points.mean(view.trust), flow.flat.state
        if view.misplaced.any() or view.beside.any():
            misplaced, beside = (points.mean(one) > 0.5 for one in (view.misplaced, view.beside))
            still = moves_with_trunk(flow, points.pixel[beside], view.geometry)
            trust[beside], misplaced[beside] = still.to(trust), ~still
            wrong = points.pixel[misplaced & (state[points.pixel] == PixelState.VISIBLE)]
            state[wrong] = int(PixelState.HIDDEN)
        flows.append(flow)
        trusts.append(trust)
    trust = torch.stack(trusts)
    on_frame = trust.new_zeros(len(trusts), raster.face.numel())
    on_frame[:, points.pixel] = trust
    on_frame = on_frame.view(-1, *raster.face.shape)
    mixture = mix(person.views, flows, on_frame, shares, motion.size)
    enough = sufficiency(trust.amax(dim=0), points.mean(wanted))
    _paint(mixture, person, points, enough)
    return mixture


def _paint(
    mixture: Mixture, person: PersonViews, points: SurfacePoints, enough: Float[Tensor, "n"]
) -> None:
    """Give hidden pixels the atlas's colours, to be copied as a fallback.

    Args:
        mixture: of one frame; it is changed.
        enough: share of the photos' own pixels among the visible ones.
    """
    flow, warped = mixture.flow.flat, mixture.warped.flatten(2)[0]
    hidden = flow.state[points.pixel] == PixelState.HIDDEN
    share = torch.where(hidden, 0.0, enough)
    lacking = share < 1
    pixel, share = points.pixel[lacking], share[lacking]
    colours = look_up(person.atlas, person.body, points.face[lacking], points.barycentric[lacking])
    warped[:3, pixel] = share * warped[:3, pixel] + (1 - share) * colours
    warped[3, points.pixel[hidden]] = 1.0
    flow.fallback[points.pixel[hidden]] = True


def _draw(geometry: SourceGeometry, motion: Motion) -> Raster:
    # A shape with a dimension of its own makes each pose by itself, however many there are.
    posed = geometry.body.vertices(motion.shape[None], motion.rotations)
    vertices = project(posed, motion.scale, motion.translation)
    return rasterize(vertices, geometry.faces, motion.size)


def _turns(geometry: SourceGeometry, motion: Motion) -> Float[Tensor, "t n 2 2"]:
    shrink = geometry.scale / motion.scale
    return plane_turns(geometry.orientations, chain(motion.rotations), shrink)


def body_keypoints(body: SkinnedBody, motion: Motion) -> Keypoints:
    """Return ``t 29 3`` keypoints as `condition` gives them, without a source."""
    runs = []
    for start in range(0, len(motion), _RUN):
        run = motion[start : start + _RUN]
        vertices = body.vertices(run.shape[None], run.rotations)
        vertices = project(vertices, run.scale, run.translation)
        runs.append(_keypoints(body, run, rasterize(vertices, body.faces, run.size)))
    return torch.cat(runs)


def _keypoints(body: SkinnedBody, motion: Motion, raster: Raster) -> Keypoints:
    """Return ``t 29 3`` keypoints; points of the face that the body hides have confidence 0."""
    # Frame by frame: in one product the last bits would depend on the number of frames.
    points = torch.cat([body.keypoints(motion.shape, one[None]) for one in motion.rotations])
    points = project(points, motion.scale, motion.translation)
    return hide_face(points, raster.depth, motion.scale)


def from_warps(
    source_grid: Float[Tensor, "t h w 2"],
    state: Integer[Tensor, "t h w"],
    fallback: Bool[Tensor, "t h w"],
    keypoints: Keypoints,
    joints: Sequence[int] = COCO18,
    segment: Int[Tensor, "t h w"] | None = None,
) -> Conditions:
    """Return the conditions that stored warps stand for, as a batch of one clip.

    Args:
        source_grid: see `Conditions`.
        state: see `Conditions`.
        fallback: see `Conditions`.
        keypoints: ``t 29 3`` of the frames.
        joints: which of them become heatmaps.
        segment: bones of another outline of the same body, from which those of the stored outline
            are taken: the stored one may have errors on purpose, that must not be mended. Without
            it the bones are not known.
    """
    body = (state == PixelState.VISIBLE) | (state == PixelState.HIDDEN)
    bones = None if segment is None else _bones_of(body, segment)[None]
    return Conditions(
        keypoints[None], source_grid[None], state[None], fallback[None], bones, joints=tuple(joints)
    )


def _bones_of(body: Bool[Tensor, "t h w"], segment: Int[Tensor, "t h w"]) -> Int[Tensor, "t h w"]:
    """Return the bone of another outline next to each of the body's pixels, -1 off the body."""
    row, column = nearest_pixel(segment >= 0, reach=round(_ANOTHER_OUTLINE * segment.shape[1]))
    frame = rearrange(torch.arange(len(segment), device=segment.device), "t -> t 1 1")
    bone = torch.where(row >= 0, segment[frame, row.clamp(min=0), column.clamp(min=0)], _PELVIS)
    return torch.where(body, bone, -1)
