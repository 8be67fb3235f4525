"""Shadow maps: what is nearest to each lamp, as warp-lang kernels for the CPU."""
# Kernels are Python only in looks: warp-lang gives types of its own to what stands in them.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import no_type_check

import warp as wp

from bdmm_synth.draw_kernels import edge

FAR = 1.0e9
"""What a map holds where nothing stands before the lamp."""


@no_type_check
@wp.func
def to_map(point: wp.vec3, turn: wp.mat33, centre: wp.vec3, cell: float, side: int):
    """Return column, row (in cells) and metres away from the lamp."""
    mapped = turn * (point - centre)
    half = 0.5 * float(side)
    return wp.vec3(mapped[0] / cell + half, mapped[1] / cell + half, mapped[2])


@no_type_check
@wp.kernel(enable_backward=False)
def shade_by_faces(
    posed: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    inside: wp.array(dtype=wp.float32),
    turns: wp.array(dtype=wp.mat33),
    centre: wp.vec3,
    cell: float,
    solid: wp.array3d(dtype=wp.float32),
):
    """Draw faces into each lamp's map: metres to what is nearest to the lamp."""
    lamp, i = wp.tid()
    side = solid.shape[1]
    corner = faces[i]
    a = to_map(posed[corner[0]], turns[lamp], centre, cell, side)
    b = to_map(posed[corner[1]], turns[lamp], centre, cell, side)
    c = to_map(posed[corner[2]], turns[lamp], centre, cell, side)
    low = wp.min(wp.min(a, b), c)
    high = wp.max(wp.max(a, b), c)
    first_x = wp.max(int(wp.ceil(low[0] - 0.5)), 0)
    first_y = wp.max(int(wp.ceil(low[1] - 0.5)), 0)
    last_x = wp.min(int(wp.floor(high[0] - 0.5)), side - 1)
    last_y = wp.min(int(wp.floor(high[1] - 0.5)), side - 1)
    if first_x > last_x or first_y > last_y:
        return
    area = edge(a, b, c[0], c[1])
    if area == 0.0:
        return
    inner = wp.vec3(inside[corner[0]], inside[corner[1]], inside[corner[2]])
    for row in range(first_y, last_y + 1):
        y = float(row) + 0.5
        for column in range(first_x, last_x + 1):
            x = float(column) + 0.5
            u = edge(b, c, x, y) / area
            v = edge(c, a, x, y) / area
            w = 1.0 - u - v
            hem = u * inner[0] + v * inner[1] + w * inner[2]
            if u >= 0.0 and v >= 0.0 and w >= 0.0 and hem > 0.0:
                wp.atomic_min(solid, lamp, row, column, u * a[2] + v * b[2] + w * c[2])


@no_type_check
@wp.kernel(enable_backward=False)
def shade_by_points(
    posed: wp.array(dtype=wp.vec3),
    markers: wp.array(dtype=wp.int32),
    turns: wp.array(dtype=wp.mat33),
    centre: wp.vec3,
    cell: float,
    nearest: wp.array3d(dtype=wp.float32),
):
    """Mark some vertices in each lamp's map, whose cells are wider than the gaps between them."""
    i = wp.tid()
    side = nearest.shape[1]
    point = posed[markers[i]]
    for lamp in range(turns.shape[0]):
        place = to_map(point, turns[lamp], centre, cell, side)
        column = int(wp.floor(place[0]))
        row = int(wp.floor(place[1]))
        if column >= 0 and row >= 0 and column < side and row < side:
            wp.atomic_min(nearest, lamp, row, column, place[2])


@no_type_check
@wp.kernel(enable_backward=False)
def shade_by_strands(
    posed: wp.array(dtype=wp.vec3),
    segments: wp.array(dtype=wp.vec2i),
    radius: float,
    turns: wp.array(dtype=wp.mat33),
    centre: wp.vec3,
    cell: float,
    veil: wp.array3d(dtype=wp.float32),
):
    """Draw pieces of hair, ``radius`` cells thick, into each lamp's map."""
    lamp, i = wp.tid()
    side = veil.shape[1]
    a = to_map(posed[segments[i][0]], turns[lamp], centre, cell, side)
    b = to_map(posed[segments[i][1]], turns[lamp], centre, cell, side)
    low = wp.min(a, b)
    high = wp.max(a, b)
    first_x = wp.max(int(wp.ceil(low[0] - radius - 0.5)), 0)
    first_y = wp.max(int(wp.ceil(low[1] - radius - 0.5)), 0)
    last_x = wp.min(int(wp.floor(high[0] + radius - 0.5)), side - 1)
    last_y = wp.min(int(wp.floor(high[1] + radius - 0.5)), side - 1)
    along = wp.vec2(b[0] - a[0], b[1] - a[1])
    length = wp.max(wp.dot(along, along), 1.0e-6)
    for row in range(first_y, last_y + 1):
        for column in range(first_x, last_x + 1):
            away = wp.vec2(float(column) + 0.5 - a[0], float(row) + 0.5 - a[1])
            part = wp.clamp(wp.dot(away, along) / length, 0.0, 1.0)
            if wp.length(away - along * part) <= radius:
                wp.atomic_min(veil, lamp, row, column, a[2] + (b[2] - a[2]) * part)
