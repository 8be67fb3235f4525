"""The warp-lang kernels behind `bdmm.body.mesh_flow`.

Importing this module starts warp-lang; see `bdmm.files.warp_lang`.
"""

# pyright: reportInvalidTypeForm=false
from typing import Any, no_type_check

import torch
import warp as wp
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.bones import ADJACENT, HAND_REACH, IS_HAND, OTHER_SIDE
from bdmm.body.mesh_flow import MeshFlow, solid
from bdmm.body.source_geometry import DEPTH_SLACK, HEAD, REACH, WITHIN_TWO_BONES, SourceGeometry
from bdmm.files.warp_lang import split_rows, start_warp
from bdmm.records import PixelState

start_warp()
# Products and sums are rounded one by one, as PyTorch's are.
wp.set_module_options({"enable_backward": False, "fuse_fp": False})

_BONES = wp.constant(wp.int32(len(ADJACENT)))
_HEAD = wp.constant(wp.int64(HEAD))
_VISIBLE = wp.constant(wp.int8(PixelState.VISIBLE))
_HIDDEN = wp.constant(wp.int8(PixelState.HIDDEN))
_EXTENDED = wp.constant(wp.int8(PixelState.EXTENDED))


class _SourceFields:
    """`SourceMaps` and sizes; flags are bytes."""

    deepest: wp.array(dtype=wp.float32)
    foremost: wp.array(dtype=wp.float32)
    foremost_bone: wp.array(dtype=wp.int64)
    segment: wp.array(dtype=wp.int64)
    body_distance: wp.array(dtype=wp.float32)
    on_mesh: wp.array(dtype=wp.uint8)
    person: wp.array(dtype=wp.uint8)
    interior: wp.array(dtype=wp.uint8)
    near_interior: wp.array(dtype=wp.uint8)
    interior_xy: wp.array(dtype=wp.vec2f)
    adjacent: wp.array(dtype=wp.uint8)
    within_two: wp.array(dtype=wp.uint8)
    height: wp.int32
    width: wp.int32
    slack: wp.float32


_Source = wp.struct(_SourceFields)


@no_type_check
@wp.func
def _is(flags: wp.array(dtype=wp.uint8), index: int) -> bool:
    return flags[index] != wp.uint8(0)


@no_type_check
@wp.func
def _pair(flags: wp.array(dtype=wp.uint8), a: wp.int64, b: wp.int64) -> bool:
    return flags[wp.int32(a) * _BONES + wp.int32(b)] != wp.uint8(0)


@no_type_check
@wp.func
def _index(source: _Source, xy: wp.vec2f) -> wp.int32:
    column = wp.clamp(wp.int32(wp.floor(xy[0])), 0, source.width - 1)
    row = wp.clamp(wp.int32(wp.floor(xy[1])), 0, source.height - 1)
    return row * source.width + column


@no_type_check
@wp.func
def _inside(source: _Source, xy: wp.vec2f) -> bool:
    return (
        xy[0] >= 0.0
        and xy[1] >= 0.0
        and wp.floor(xy[0]) < wp.float32(source.width)
        and wp.floor(xy[1]) < wp.float32(source.height)
    )


@no_type_check
@wp.func
def _behind_other_limb(source: _Source, at: int, depth: wp.float32, bone: wp.int64) -> bool:
    limb = source.foremost_bone[at]
    if limb < wp.int64(0) or _pair(source.within_two, bone, limb):
        return False
    return depth > source.foremost[at] + source.slack


@no_type_check
@wp.func
def _shows(
    source: _Source, xy: wp.vec2f, depth: wp.float32, bone: wp.int64, adjacent_limb: wp.int64
) -> bool:
    at = _index(source, xy)
    if not (_inside(source, xy) and _is(source.near_interior, at)):
        return False
    if depth > source.deepest[at] + source.slack:
        return False
    if not _behind_other_limb(source, at, depth, bone):
        return True
    limb = adjacent_limb
    if limb < wp.int64(0):  # an index from the end, as PyTorch reads it
        limb += wp.int64(_BONES)
    return _pair(source.adjacent, limb, source.foremost_bone[at])


@no_type_check
@wp.func
def _shows_bone(source: _Source, xy: wp.vec2f, bone: wp.int64) -> bool:
    at = _index(source, xy)
    segment = source.segment[at]
    if not (_inside(source, xy) and _is(source.interior, at) and _is(source.on_mesh, at)):
        return False
    if segment < wp.int64(0) or bone == _HEAD or segment == _HEAD:
        return False
    if not _pair(source.adjacent, bone, segment):
        return False
    return not _behind_other_limb(source, at, source.deepest[at], bone)


@no_type_check
@wp.func
def _point(corners: wp.array2d(dtype=wp.vec3f), face: int, weight: wp.vec3f) -> wp.vec3f:
    return (
        weight[0] * corners[face, 0] + weight[1] * corners[face, 1] + weight[2] * corners[face, 2]
    )


@no_type_check
@wp.kernel
def _map_body(
    run: int,
    source: _Source,
    corners: wp.array2d(dtype=wp.vec3f),
    mirrored_corners: wp.array2d(dtype=wp.vec3f),
    facing: wp.array(dtype=wp.float32),
    mirrored_facing: wp.array(dtype=wp.float32),
    other_side: wp.array(dtype=wp.int64),
    face_index: wp.array3d(dtype=wp.int64),
    barycentric: wp.array3d(dtype=wp.vec3f),
    limb: wp.array3d(dtype=wp.int64),
    segment: wp.array3d(dtype=wp.int64),
    source_xy: wp.array3d(dtype=wp.vec2f),
    state: wp.array3d(dtype=wp.int8),
    fallback: wp.array3d(dtype=wp.uint8),
):
    t, row, part = wp.tid()
    for column in range(part * run, part * run + run):
        bone = segment[t, row, column]
        if bone < wp.int64(0):
            continue
        face = wp.int32(face_index[t, row, column])
        weight = barycentric[t, row, column]
        point = _point(corners, face, weight)
        xy = wp.vec2f(point[0], point[1])
        visible = facing[face] > 0.0 and _shows(source, xy, point[2], bone, limb[t, row, column])
        at = _index(source, xy)
        if not (visible and _is(source.person, at)) and not _is(source.interior, at):
            xy = source.interior_xy[at]
        if visible:
            state[t, row, column] = _VISIBLE
            source_xy[t, row, column] = xy
            continue
        state[t, row, column] = _HIDDEN
        copied = _shows_bone(source, xy, bone)
        if not copied:
            bone = other_side[wp.int32(bone)]
            point = _point(mirrored_corners, face, weight)
            mirrored = wp.vec2f(point[0], point[1])
            copied = mirrored_facing[face] > 0.0 and _shows(source, mirrored, point[2], bone, bone)
            at = _index(source, mirrored)
            if not _is(source.interior, at):
                mirrored = source.interior_xy[at]
            copied = copied or _shows_bone(source, mirrored, bone)
            if copied:
                xy = mirrored
        if copied:
            fallback[t, row, column] = wp.uint8(1)
        source_xy[t, row, column] = xy


@no_type_check
@wp.func
def _nearer(left: int, right: int, column: int) -> int:
    """Return the nearer of two columns, of which either may be missing; of equal ones the left."""
    if left < 0:
        return right
    if right < 0 or column - left <= right - column:
        return left
    return right


@no_type_check
@wp.kernel
def _nearest_in_row(
    segment: wp.array3d(dtype=wp.int64),
    hands: wp.array(dtype=wp.uint8),
    any_part: wp.array3d(dtype=wp.int32),
    no_hand: wp.array3d(dtype=wp.int32),
):
    """Find the nearest body pixel of each pixel's row, with and without the hands; -1 for none.

    The results lie column by column, as they are read next.
    """
    t, row = wp.tid()
    width = segment.shape[2]
    last = wp.int32(-1)
    last_other = wp.int32(-1)
    for column in range(width):
        bone = segment[t, row, column]
        if bone >= wp.int64(0):
            last = column
            if not _is(hands, wp.int32(bone)):
                last_other = column
        any_part[t, column, row] = last
        no_hand[t, column, row] = last_other
    last = wp.int32(-1)
    last_other = wp.int32(-1)
    for back in range(width):
        column = width - 1 - back
        bone = segment[t, row, column]
        if bone >= wp.int64(0):
            last = column
            if not _is(hands, wp.int32(bone)):
                last_other = column
        any_part[t, column, row] = _nearer(any_part[t, column, row], last, column)
        no_hand[t, column, row] = _nearer(no_hand[t, column, row], last_other, column)


@no_type_check
@wp.func
def _floor_divided(a: int, b: int) -> int:
    """Divide by a positive number, rounding down."""
    quotient = a / b
    if quotient * b > a:
        quotient -= 1
    return quotient


@no_type_check
@wp.func
def _envelope(
    in_row: wp.array3d(dtype=wp.int32),
    t: int,
    column: int,
    reach: int,
    rows: wp.array3d(dtype=wp.int32),
    firsts: wp.array3d(dtype=wp.int32),
) -> int:
    """Find which rows of a column are ever nearest, and from which row on each is; count them.

    These are the parabolas of a lower envelope. At equal distance the upper row stays.
    """
    top = wp.int32(-1)
    for row in range(in_row.shape[2]):
        found = in_row[t, column, row]
        away = wp.abs(found - column)
        if found < 0 or away > reach:
            continue
        value = away * away + row * row
        first = wp.int32(0)
        while top >= 0:
            other = rows[t, column, top]
            other_away = in_row[t, column, other] - column
            rise = value - other_away * other_away - other * other
            first = wp.max(_floor_divided(rise, 2 * (row - other)) + 1, 0)
            if first > firsts[t, column, top]:
                break
            top -= 1
        if top < 0:
            first = wp.int32(0)
        if first < in_row.shape[2]:
            top += 1
            rows[t, column, top] = row
            firsts[t, column, top] = first
    return top + 1


@no_type_check
@wp.kernel
def _nearest_in_column(
    in_row: wp.array3d(dtype=wp.int32),
    reach: int,
    rows: wp.array3d(dtype=wp.int32),
    firsts: wp.array3d(dtype=wp.int32),
    nearest: wp.array3d(dtype=wp.int32),
):
    """Find the row of the nearest body pixel, -1 beyond reach.

    Felzenszwalb and Huttenlocher's transform, in whole numbers.
    """
    t, column = wp.tid()
    count = _envelope(in_row, t, column, reach, rows, firsts)
    top = wp.int32(0)
    for row in range(in_row.shape[2]):
        near = wp.int32(-1)
        while top + 1 < count and firsts[t, column, top + 1] <= row:
            top += 1
        if count > 0:
            near = rows[t, column, top]
            away = in_row[t, column, near] - column
            if away * away + (near - row) * (near - row) > reach * reach:
                near = wp.int32(-1)
        nearest[t, column, row] = near


@no_type_check
@wp.kernel
def _carry(
    run: int,
    source: _Source,
    hands: wp.array(dtype=wp.uint8),
    any_part: wp.array3d(dtype=wp.int32),
    no_hand: wp.array3d(dtype=wp.int32),
    any_row: wp.array3d(dtype=wp.int32),
    no_hand_row: wp.array3d(dtype=wp.int32),
    turns: wp.array2d(dtype=wp.mat22f),
    hand_reach: wp.float32,
    segment: wp.array3d(dtype=wp.int64),
    source_xy: wp.array3d(dtype=wp.vec2f),
    carried_xy: wp.array3d(dtype=wp.vec2f),
    carrier: wp.array3d(dtype=wp.vec2i),
    kept: wp.array3d(dtype=wp.uint8),
):
    t, column, part = wp.tid()
    for row in range(part * run, part * run + run):
        if segment[t, row, column] >= wp.int64(0):
            continue
        near = any_row[t, column, row]
        if near < 0:
            continue
        at_column = any_part[t, column, near]
        down = row - near
        right = column - at_column
        bone = segment[t, near, at_column]
        if _is(hands, wp.int32(bone)) and wp.float32(down * down + right * right) > hand_reach:
            near = no_hand_row[t, column, row]
            if near < 0:
                continue
            at_column = no_hand[t, column, near]
            down = row - near
            right = column - at_column
            bone = segment[t, near, at_column]
        x = wp.float32(right)
        y = wp.float32(down)
        turn = turns[t, wp.int32(bone)]
        xy = source_xy[t, near, at_column] + wp.vec2f(
            turn[0, 0] * x + turn[0, 1] * y, turn[1, 0] * x + turn[1, 1] * y
        )
        at = _index(source, xy)
        there = source.segment[at]
        if not (_inside(source, xy) and _is(source.person, at)) or _is(source.on_mesh, at):
            continue
        if there < wp.int64(0) or not _pair(source.adjacent, bone, there):
            continue
        if source.body_distance[at] > 0.5 * wp.sqrt(x * x + y * y) - 1.0:
            carried_xy[t, row, column] = xy
            carrier[t, row, column] = wp.vec2i(near, at_column)
            kept[t, row, column] = wp.uint8(1)


@no_type_check
@wp.kernel
def _settle(
    run: int,
    segment: wp.array3d(dtype=wp.int64),
    carried_xy: wp.array3d(dtype=wp.vec2f),
    carrier: wp.array3d(dtype=wp.vec2i),
    kept: wp.array3d(dtype=wp.uint8),
    source_xy: wp.array3d(dtype=wp.vec2f),
    state: wp.array3d(dtype=wp.int8),
):
    """Keep what hangs on the body: all pixels on the way to the carrier are kept, or body."""
    t, row, part = wp.tid()
    for column in range(part * run, part * run + run):
        if kept[t, row, column] == wp.uint8(0):
            continue
        down = carrier[t, row, column][0] - row
        right = carrier[t, row, column][1] - column
        steps = wp.max(wp.abs(down), wp.abs(right))
        step = wp.int32(1)
        while step < steps:
            y = row + _floor_divided(2 * down * step + steps, 2 * steps)
            x = column + _floor_divided(2 * right * step + steps, 2 * steps)
            if kept[t, y, x] == wp.uint8(0) and segment[t, y, x] < wp.int64(0):
                break
            step += 1
        if step >= steps:
            source_xy[t, row, column] = carried_xy[t, row, column]
            state[t, row, column] = _EXTENDED


def map_body(
    flow: MeshFlow,
    geometry: SourceGeometry,
    face: Int[Tensor, "t h w"],
    barycentric: Float[Tensor, "t h w 3"],
    limb: Int[Tensor, "t h w"],
) -> None:
    """Map the body's pixels: visible, else a fallback of the same point or the mirrored one.

    Args:
        flow: written, but for the segment, which must be known.
        face: of the target's mesh at each pixel.
        barycentric: weights of its vertices.
        limb: foremost limb near each pixel of the target.
    """
    device = face.device
    inputs = [
        _source_of(geometry),
        wp.from_torch(geometry.corners, dtype=wp.vec3f),
        wp.from_torch(geometry.mirrored_corners, dtype=wp.vec3f),
        wp.from_torch(geometry.facing),
        wp.from_torch(geometry.mirrored_facing),
        wp.from_torch(OTHER_SIDE.to(device)),
        wp.from_torch(face),
        wp.from_torch(barycentric, dtype=wp.vec3f),
        wp.from_torch(limb),
        wp.from_torch(flow.segment),
    ]
    xy = wp.from_torch(flow.source_xy, dtype=wp.vec2f)
    outputs = [xy, wp.from_torch(flow.state), _flags(flow.fallback)]
    _launch_runs(_map_body, face.shape, device, [*inputs, *outputs])


def extend(flow: MeshFlow, geometry: SourceGeometry, turns: Float[Tensor, "t n 2 2"]) -> None:
    """Carry pixels off the body along with the nearest body pixel: hair and loose clothes."""
    device, shape = flow.segment.device, flow.segment.shape
    hands = _flags(IS_HAND.to(device))
    bones = wp.from_torch(flow.segment)
    columns_first = (shape[0], shape[2], shape[1])
    scratch = torch.empty((6, *columns_first), dtype=torch.int32, device=device)
    any_part, no_hand, any_row, no_hand_row, rows, firsts = map(wp.from_torch, scratch)
    _launch(_nearest_in_row, shape[:2], device, [bones, hands, any_part, no_hand])
    reach = max(1, round(geometry.pixels(REACH)))
    for in_row, nearest in ((any_part, any_row), (no_hand, no_hand_row)):
        arguments = [in_row, reach, rows, firsts, nearest]
        _launch(_nearest_in_column, columns_first[:2], device, arguments)
    xy = wp.from_torch(flow.source_xy, dtype=wp.vec2f)
    carried = wp.from_torch(torch.empty_like(flow.source_xy), dtype=wp.vec2f)
    carrier = torch.empty((*shape, 2), dtype=torch.int32, device=device)
    carrier = wp.from_torch(carrier, dtype=wp.vec2i)
    kept = torch.zeros(shape, dtype=torch.uint8, device=device)
    inputs = [
        _source_of(geometry),
        hands,
        any_part,
        no_hand,
        any_row,
        no_hand_row,
        wp.from_torch(turns.contiguous(), dtype=wp.mat22f),
        (HAND_REACH * geometry.scale) ** 2,
    ]
    outputs = [carried, carrier, wp.from_torch(kept)]
    _launch_runs(_carry, columns_first, device, [*inputs, bones, xy, *outputs])
    kept &= solid(flow.segment >= 0, kept > 0, geometry)
    settled = [bones, carried, carrier, wp.from_torch(kept), xy, wp.from_torch(flow.state)]
    _launch_runs(_settle, shape, device, settled)


def _source_of(geometry: SourceGeometry) -> Any:
    maps, device = geometry.maps, geometry.corners.device
    source = _Source()
    for name in ("deepest", "foremost", "foremost_bone", "segment", "body_distance"):
        setattr(source, name, wp.from_torch(getattr(maps, name)))
    for name in ("on_mesh", "person", "interior", "near_interior"):
        setattr(source, name, _flags(getattr(maps, name)))
    source.interior_xy = wp.from_torch(maps.interior_xy, dtype=wp.vec2f)
    source.adjacent = _flags(ADJACENT.flatten().to(device))
    source.within_two = _flags(WITHIN_TWO_BONES.flatten().to(device))
    source.height, source.width = geometry.size
    source.slack = geometry.pixels(DEPTH_SLACK)
    return source


def _flags(values: Bool[Tensor, "*n"]) -> Any:
    return wp.from_torch(values.view(torch.uint8))


def _launch_runs(kernel: Any, shape: Any, device: torch.device, arguments: list[Any]) -> None:
    """Launch a kernel that takes how many pixels one behind the other each thread works on."""
    threads, run = split_rows(tuple(shape), device)
    _launch(kernel, threads, device, [run, *arguments])


def _launch(kernel: Any, shape: Any, device: torch.device, arguments: list[Any]) -> None:
    """Launch on torch's own stream, so that its tensors are ready before and these after."""
    stream = wp.stream_from_torch(device) if device.type == "cuda" else None
    wp.launch(
        kernel, tuple(shape), inputs=arguments, device=wp.device_from_torch(device), stream=stream
    )
