"""The only producer of conditions, for networks and renderers, from a source and a motion."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from bdmm.appearance.atlas import look_up
from bdmm.appearance.person import PersonViews
from bdmm.appearance.photo_choice import vertex_facing
from bdmm.appearance.photo_mixture import mix, sufficiency, useful_photos
from bdmm.appearance.photo_view import on_surface, trust_of
from bdmm.body.camera import hide_face, project
from bdmm.body.mesh_flow import MeshFlow, mesh_flow, plane_turns
from bdmm.body.model import SkinnedBody
from bdmm.body.rasterize import Raster, rasterize
from bdmm.body.regions import nearest_pixel
from bdmm.body.rotations import chain
from bdmm.body.source_geometry import SourceGeometry
from bdmm.records import BONE_NAMES, COCO18, Conditions, Motion, PixelState
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
    return _conditions(_flow(geometry, raster, motion), _keypoints(body, motion, raster), joints)


def condition_person(
    person: PersonViews,
    motion: Motion,
    shares: Float[Tensor, "t k"],
    joints: Sequence[int] = COCO18,
) -> Conditions:
    """Return the conditions of a run of frames of a person: pixels are mixed from all photos.

    Hidden pixels of the body have the atlas's colours.

    Args:
        person: motions are retargeted to the first photo.
        motion: see `condition`.
        shares: of these frames, see `photo_choice.shares_shown`.
        joints: see `condition`.
    """
    views, chosen = person.views, useful_photos(shares).any(dim=0).nonzero().flatten().tolist()
    raster = _draw(views[0].geometry, motion)
    views, shares = [views[k] for k in chosen], shares[:, chosen]
    at = raster.face, raster.barycentric, views[0].geometry.faces
    flows = []
    for view in views:
        flow = _flow(view.geometry, raster, motion)
        wrong = (on_surface(*at, view.misplaced) > 0.5) & (flow.state == PixelState.VISIBLE)
        flows.append(replace(flow, state=torch.where(wrong, int(PixelState.HIDDEN), flow.state)))
    trust = torch.stack([on_surface(*at, view.trust) for view in views])
    mixture = mix(views, flows, trust, shares)
    made = _conditions(mixture.flow, _keypoints(person.body, motion, raster), joints)
    facing = [on_surface(*one) for one in _target_trust(person, motion, raster)]
    enough = sufficiency(trust.amax(dim=0), torch.stack(facing))
    return _with_atlas(replace(made, warped=mixture.warped[None]), person, raster, enough)


def _target_trust(
    person: PersonViews, motion: Motion, raster: Raster
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Yield what `on_surface` needs to say how well each frame itself shows its surface."""
    body = person.views[0].geometry.body
    for t, facing in enumerate(vertex_facing(body, motion)):
        yield raster.face[t], raster.barycentric[t], body.faces, trust_of(facing)


def _with_atlas(
    conditions: Conditions, person: PersonViews, raster: Raster, enough: Float[Tensor, "t h w"]
) -> Conditions:
    """Return conditions whose hidden pixels have the atlas's colours, to be copied as a fallback.

    Args:
        enough: share of the photos' own pixels among the visible ones.
    """
    assert conditions.warped is not None
    colours = look_up(person.atlas, person.body, raster.face, raster.barycentric)[None]
    on_body = raster.face >= 0
    hidden = ((conditions.state == PixelState.HIDDEN) & on_body)[:, :, None]
    share = torch.where(hidden, 0.0, torch.where(on_body, enough, 1.0)[None, :, None])
    warped = share * conditions.warped[:, :, :3] + (1 - share) * colours
    foreground = torch.where(hidden, 1.0, conditions.warped[:, :, 3:])
    return replace(
        conditions,
        fallback=conditions.fallback | hidden[:, :, 0],
        warped=torch.cat((warped, foreground), dim=2),
    )


def _draw(geometry: SourceGeometry, motion: Motion) -> Raster:
    # A shape with a dimension of its own makes each pose by itself, however many there are.
    posed = geometry.body.vertices(motion.shape[None], motion.rotations)
    vertices = project(posed, motion.scale, motion.translation)
    return rasterize(vertices, geometry.faces, motion.size)


def _flow(geometry: SourceGeometry, raster: Raster, motion: Motion) -> MeshFlow:
    shrink = geometry.scale / motion.scale
    turns = plane_turns(geometry.orientations, chain(motion.rotations), shrink)
    return mesh_flow(geometry, raster, turns)


def _conditions(flow: MeshFlow, keypoints: Keypoints, joints: Sequence[int]) -> Conditions:
    return Conditions(
        keypoints=keypoints[None],
        source_grid=flow.source_grid[None],
        state=flow.state[None],
        fallback=flow.fallback[None],
        segment=flow.segment[None],
        joints=tuple(joints),
    )


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
