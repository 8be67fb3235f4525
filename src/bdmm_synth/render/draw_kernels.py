"""Posing and the z-buffer of rendered people, as warp-lang kernels for the CPU."""
# warp-lang compiles these functions and gives their annotations its own meaning.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import no_type_check

import warp as wp

DEPTH_STEPS = 262144.0
"""Steps per metre of depth in the z-buffer."""
EMPTY = 9223372036854775807
"""Key of a sample that nothing covers; others are depth * 2**32 + number of face or segment."""
_STEPS = wp.constant(wp.float32(DEPTH_STEPS))
_NEAR = wp.constant(wp.float32(0.3))


@no_type_check
@wp.kernel(enable_backward=False)
def pose_vertices(
    rest: wp.array(dtype=wp.vec3),
    bones: wp.array2d(dtype=wp.int32),
    shares: wp.array2d(dtype=wp.float32),
    frames: wp.array2d(dtype=wp.vec3),
    posed: wp.array(dtype=wp.vec3),
):
    """Carry points with their bones; ``frames`` holds three columns and an offset per bone."""
    i = wp.tid()
    p = rest[i]
    total = wp.vec3(0.0, 0.0, 0.0)
    for k in range(bones.shape[1]):
        share = shares[i, k]
        if share > 0.0:
            b = bones[i, k]
            moved = frames[b, 0] * p[0] + frames[b, 1] * p[1] + frames[b, 2] * p[2] + frames[b, 3]
            total += moved * share
    posed[i] = total


@no_type_check
@wp.kernel(enable_backward=False)
def project_vertices(
    posed: wp.array(dtype=wp.vec3),
    turn: wp.mat33,
    eye: wp.vec3,
    focal: float,
    centre: wp.vec2,
    recede: wp.array(dtype=wp.float32),
    seen: wp.array(dtype=wp.vec3),
):
    """Return x and y in samples, and metres of depth with what the vertex recedes by."""
    i = wp.tid()
    p = turn * (posed[i] - eye)
    z = wp.max(p[2], _NEAR)
    seen[i] = wp.vec3(focal * p[0] / z + centre[0], focal * p[1] / z + centre[1], p[2] + recede[i])


@no_type_check
@wp.kernel(enable_backward=False)
def add_normals(
    posed: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    normals: wp.array(dtype=wp.vec3),
):
    """Add each face's normal, as long as twice its area, to its vertices."""
    corner = faces[wp.tid()]
    a = posed[corner[0]]
    normal = wp.cross(posed[corner[1]] - a, posed[corner[2]] - a)
    wp.atomic_add(normals, corner[0], normal)
    wp.atomic_add(normals, corner[1], normal)
    wp.atomic_add(normals, corner[2], normal)


@no_type_check
@wp.func
def edge(a: wp.vec3, b: wp.vec3, x: float, y: float):
    """Return twice the signed area of a triangle with two corners and a point."""
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])


@no_type_check
@wp.func
def part_along(a: wp.vec3, b: wp.vec3, x: float, y: float):
    """Return how far along a segment, 0 to 1, the point next to (x, y) lies."""
    along = wp.vec2(b[0] - a[0], b[1] - a[1])
    away = wp.vec2(x - a[0], y - a[1])
    return wp.clamp(wp.dot(away, along) / wp.max(wp.dot(along, along), 1.0e-6), 0.0, 1.0)


@no_type_check
@wp.kernel(enable_backward=False)
def draw_faces(
    seen: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    two_sided: wp.array(dtype=wp.int32),
    inside: wp.array(dtype=wp.float32),
    left: int,
    top: int,
    keys: wp.array2d(dtype=wp.int64),
):
    """Draw faces where ``inside`` is positive; of closed meshes only what faces the viewer."""
    i = wp.tid()
    corner = faces[i]
    a = seen[corner[0]]
    b = seen[corner[1]]
    c = seen[corner[2]]
    area = edge(a, b, c[0], c[1])
    if area == 0.0 or (area > 0.0 and two_sided[i] == 0):
        return
    low = wp.min(wp.min(a, b), c)
    high = wp.max(wp.max(a, b), c)
    first_x = wp.max(int(wp.ceil(low[0] - 0.5)), left)
    first_y = wp.max(int(wp.ceil(low[1] - 0.5)), top)
    last_x = wp.min(int(wp.floor(high[0] - 0.5)), left + keys.shape[1] - 1)
    last_y = wp.min(int(wp.floor(high[1] - 0.5)), top + keys.shape[0] - 1)
    if first_x > last_x or first_y > last_y or low[2] < _NEAR:
        return
    inner = wp.vec3(inside[corner[0]], inside[corner[1]], inside[corner[2]])
    for row in range(first_y, last_y + 1):
        y = float(row) + 0.5
        for column in range(first_x, last_x + 1):
            x = float(column) + 0.5
            u = edge(b, c, x, y) / area
            v = edge(c, a, x, y) / area
            w = edge(a, b, x, y) / area
            hem = u * inner[0] + v * inner[1] + w * inner[2]
            if u >= 0.0 and v >= 0.0 and w >= 0.0 and hem > 0.0:
                depth = u * a[2] + v * b[2] + w * c[2]
                key = wp.int64(depth * _STEPS) * wp.int64(4294967296) + wp.int64(i)
                wp.atomic_min(keys, row - top, column - left, key)


@no_type_check
@wp.kernel(enable_backward=False)
def draw_strands(
    seen: wp.array(dtype=wp.vec3),
    segments: wp.array(dtype=wp.vec2i),
    radius: float,
    first: int,
    left: int,
    top: int,
    keys: wp.array2d(dtype=wp.int64),
):
    """Draw pieces of hair as thick lines, numbered from ``first``."""
    i = wp.tid()
    a = seen[segments[i][0]]
    b = seen[segments[i][1]]
    low = wp.min(a, b)
    high = wp.max(a, b)
    first_x = wp.max(int(wp.ceil(low[0] - radius - 0.5)), left)
    first_y = wp.max(int(wp.ceil(low[1] - radius - 0.5)), top)
    last_x = wp.min(int(wp.floor(high[0] + radius - 0.5)), left + keys.shape[1] - 1)
    last_y = wp.min(int(wp.floor(high[1] + radius - 0.5)), top + keys.shape[0] - 1)
    if low[2] < _NEAR:
        return
    along = wp.vec2(b[0] - a[0], b[1] - a[1])
    length = wp.max(wp.dot(along, along), 1.0e-6)
    for row in range(first_y, last_y + 1):
        for column in range(first_x, last_x + 1):
            away = wp.vec2(float(column) + 0.5 - a[0], float(row) + 0.5 - a[1])
            part = wp.clamp(wp.dot(away, along) / length, 0.0, 1.0)
            if wp.length(away - along * part) <= radius:
                depth = a[2] + (b[2] - a[2]) * part
                key = wp.int64(depth * _STEPS) * wp.int64(4294967296) + wp.int64(first + i)
                wp.atomic_min(keys, row - top, column - left, key)
