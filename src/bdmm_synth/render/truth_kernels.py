"""True motion of rendered surfaces between two frames, as warp-lang kernels for the CPU."""
# Kernels are Python only in looks: warp-lang gives types of its own to what stands in them.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import no_type_check

import warp as wp

from bdmm_synth.render.draw_kernels import DEPTH_STEPS, EMPTY, edge

_EMPTY = wp.constant(wp.int64(EMPTY))
_STEPS = wp.constant(wp.float32(DEPTH_STEPS))
_SKIN_DEEP = wp.constant(0.015)
_HAIR_DEEP = wp.constant(0.020)
_STEEPEST = wp.constant(0.040)


@no_type_check
@wp.func
def _steepness(a: wp.vec3, b: wp.vec3, c: wp.vec3):
    """Return by how many metres a face's depth changes over a sample, at most."""
    area = edge(a, b, c[0], c[1])
    if wp.abs(area) < 1.0e-6:
        return _STEEPEST
    across = ((b[2] - a[2]) * (c[1] - a[1]) - (c[2] - a[2]) * (b[1] - a[1])) / area
    down = ((c[2] - a[2]) * (b[0] - a[0]) - (b[2] - a[2]) * (c[0] - a[0])) / area
    return wp.min(wp.abs(across) + wp.abs(down), _STEEPEST)


@no_type_check
@wp.func
def _layer_of(number: int, layers: wp.array(dtype=wp.int32)):
    """Return the layer of a face; all strands are one."""
    if number < layers.shape[0]:
        return layers[number]
    return -1


@no_type_check
@wp.func
def _in_front(
    place: wp.vec3,
    deep: float,
    layer: int,
    layers: wp.array(dtype=wp.int32),
    left: int,
    top: int,
    keys: wp.array2d(dtype=wp.int64),
):
    """Tell if one of the four samples around a point shows its layer at its depth."""
    column = int(wp.floor(place[0] - 0.5)) - left
    row = int(wp.floor(place[1] - 0.5)) - top
    for k in range(4):
        x = column + k % 2
        y = row + k / 2
        if x >= 0 and y >= 0 and x < keys.shape[1] and y < keys.shape[0]:
            key = keys[y, x]
            found = _layer_of(int(key & wp.int64(4294967295)), layers)
            away = wp.abs(float(key >> wp.int64(32)) / _STEPS - place[2])
            if key != _EMPTY and found == layer and away <= deep:
                return True
    return False


@no_type_check
@wp.kernel(enable_backward=False)
def follow(
    owner: wp.array2d(dtype=wp.int32),
    first_column: int,
    first_row: int,
    fine: float,
    target: wp.array(dtype=wp.vec3),
    source: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    segments: wp.array(dtype=wp.vec2i),
    layers: wp.array(dtype=wp.int32),
    keys: wp.array2d(dtype=wp.int64),
    left: int,
    top: int,
    limit: wp.vec2,
    flow: wp.array2d(dtype=wp.vec2),
    visible: wp.array2d(dtype=wp.bool),
):
    """Find the surface point of each target pixel's centre in the source frame."""
    row, column = wp.tid()
    number = owner[row, column]
    if number < 0:
        return
    x = (float(first_column + column) + 0.5) * fine
    y = (float(first_row + row) + 0.5) * fine
    here = wp.vec3(0.0, 0.0, 0.0)
    there = wp.vec3(0.0, 0.0, 0.0)
    deep = float(_HAIR_DEEP)
    same_side = True
    if number < faces.shape[0]:
        corner = faces[number]
        a = target[corner[0]]
        b = target[corner[1]]
        c = target[corner[2]]
        area = edge(a, b, c[0], c[1])
        third = 1.0 / 3.0
        u = edge(b, c, x, y) / area - third
        v = edge(c, a, x, y) / area - third
        w = -u - v
        # The centre may lie a little beside the face that its samples show, but not far.
        beyond = wp.max(1.0, wp.max(wp.max(wp.abs(u), wp.abs(v)), wp.abs(w)))
        u = u / beyond + third
        v = v / beyond + third
        w = w / beyond + third
        here = a * u + b * v + c * w
        a = source[corner[0]]
        b = source[corner[1]]
        c = source[corner[2]]
        there = a * u + b * v + c * w
        same_side = (edge(a, b, c[0], c[1]) > 0.0) == (area > 0.0)
        deep = _SKIN_DEEP + _steepness(a, b, c)
    else:
        ends = segments[number - faces.shape[0]]
        a = target[ends[0]]
        b = target[ends[1]]
        along = wp.vec2(b[0] - a[0], b[1] - a[1])
        away = wp.vec2(x - a[0], y - a[1])
        part = wp.clamp(wp.dot(away, along) / wp.max(wp.dot(along, along), 1.0e-6), 0.0, 1.0)
        here = a + (b - a) * part
        there = source[ends[0]] + (source[ends[1]] - source[ends[0]]) * part
    flow[row, column] = wp.vec2((there[0] - here[0]) / fine, (there[1] - here[1]) / fine)
    # The surface under the pixel's centre, where `here` had to stay beside it.
    place = wp.vec3(x + there[0] - here[0], y + there[1] - here[1], there[2])
    if place[0] >= 0.0 and place[1] >= 0.0 and place[0] < limit[0] and place[1] < limit[1]:
        visible[row, column] = same_side and _in_front(
            place, deep, _layer_of(number, layers), layers, left, top, keys
        )
