"""True motion of rendered surfaces between two frames, as warp-lang kernels for the CPU."""
# warp-lang compiles these functions and gives their annotations its own meaning.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import no_type_check

import warp as wp

from bdmm_synth.render.draw_kernels import DEPTH_STEPS, EMPTY, edge, part_along

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
@wp.struct
class Meshes:
    """Faces and hair of a person.

    Attributes:
        faces: ``f`` corners.
        layers: ``f`` the layer of each face.
        segments: ``s`` ends of the pieces of hair.
    """

    faces: wp.array(dtype=wp.vec3i)
    layers: wp.array(dtype=wp.int32)
    segments: wp.array(dtype=wp.vec2i)


@no_type_check
@wp.struct
class Target:
    """The frame whose pixels are followed.

    Attributes:
        owner: ``h w`` the face or segment of each pixel of the person's box; -1 for none.
        left, top: the box's first pixel.
        fine: samples along a pixel's side.
        seen: ``v`` vertices: x, y in samples, metres of depth.
    """

    owner: wp.array2d(dtype=wp.int32)
    left: int
    top: int
    fine: float
    seen: wp.array(dtype=wp.vec3)


@no_type_check
@wp.struct
class Source:
    """The frame into which pixels are followed.

    Attributes:
        keys: ``h w`` the z-buffer of the person's box.
        left, top: the box's first sample.
        limit: width and height of the frame in samples.
        seen: ``v`` vertices: x, y in samples, metres of depth.
    """

    keys: wp.array2d(dtype=wp.int64)
    left: int
    top: int
    limit: wp.vec2
    seen: wp.array(dtype=wp.vec3)


@no_type_check
@wp.func
def _in_front(
    place: wp.vec3, deep: float, layer: int, layers: wp.array(dtype=wp.int32), source: Source
):
    """Return whether one of the four samples around a point shows its layer at its depth."""
    column = int(wp.floor(place[0] - 0.5)) - source.left
    row = int(wp.floor(place[1] - 0.5)) - source.top
    for k in range(4):
        x = column + k % 2
        y = row + k / 2
        if x >= 0 and y >= 0 and x < source.keys.shape[1] and y < source.keys.shape[0]:
            key = source.keys[y, x]
            found = _layer_of(int(key & wp.int64(4294967295)), layers)
            away = wp.abs(float(key >> wp.int64(32)) / _STEPS - place[2])
            if key != _EMPTY and found == layer and away <= deep:
                return True
    return False


@no_type_check
@wp.kernel(enable_backward=False)
def follow(
    target: Target,
    source: Source,
    mesh: Meshes,
    flow: wp.array2d(dtype=wp.vec2),
    visible: wp.array2d(dtype=wp.bool),
):
    """Find the surface point of each target pixel's centre in the source frame."""
    row, column = wp.tid()
    number = target.owner[row, column]
    if number < 0:
        return
    x = (float(target.left + column) + 0.5) * target.fine
    y = (float(target.top + row) + 0.5) * target.fine
    here = wp.vec3(0.0, 0.0, 0.0)
    there = wp.vec3(0.0, 0.0, 0.0)
    deep = float(_HAIR_DEEP)
    same_side = True
    if number < mesh.faces.shape[0]:
        corner = mesh.faces[number]
        a = target.seen[corner[0]]
        b = target.seen[corner[1]]
        c = target.seen[corner[2]]
        area = edge(a, b, c[0], c[1])
        third = 1.0 / 3.0
        u = edge(b, c, x, y) / area - third
        v = edge(c, a, x, y) / area - third
        w = -u - v
        # The centre may lie a little outside the face that its samples show.
        beyond = wp.max(1.0, wp.max(wp.max(wp.abs(u), wp.abs(v)), wp.abs(w)))
        u = u / beyond + third
        v = v / beyond + third
        w = w / beyond + third
        here = a * u + b * v + c * w
        a = source.seen[corner[0]]
        b = source.seen[corner[1]]
        c = source.seen[corner[2]]
        there = a * u + b * v + c * w
        same_side = (edge(a, b, c[0], c[1]) > 0.0) == (area > 0.0)
        deep = _SKIN_DEEP + _steepness(a, b, c)
    else:
        ends = mesh.segments[number - mesh.faces.shape[0]]
        a = target.seen[ends[0]]
        b = target.seen[ends[1]]
        part = part_along(a, b, x, y)
        here = a + (b - a) * part
        there = source.seen[ends[0]] + (source.seen[ends[1]] - source.seen[ends[0]]) * part
    flow[row, column] = wp.vec2(
        (there[0] - here[0]) / target.fine, (there[1] - here[1]) / target.fine
    )
    # The surface under the pixel's centre, where `here` is not that centre.
    place = wp.vec3(x + there[0] - here[0], y + there[1] - here[1], there[2])
    if (
        place[0] >= 0.0
        and place[1] >= 0.0
        and place[0] < source.limit[0]
        and place[1] < source.limit[1]
    ):
        visible[row, column] = same_side and _in_front(
            place, deep, _layer_of(number, mesh.layers), mesh.layers, source
        )
