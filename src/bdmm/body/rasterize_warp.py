"""The warp-lang kernels behind `bdmm.body.rasterize`.

Importing this module starts warp-lang; see `bdmm.files.warp_lang`.
"""

import functools
from typing import no_type_check

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.body.rasterize import EMPTY, MAX_XY, MAX_Z, XY_STEPS, Z_STEPS
from bdmm.files.warp_lang import split_rows, start_warp

start_warp()

_STEPS = wp.constant(wp.int32(XY_STEPS))
_LONG_STEPS = wp.constant(wp.int64(XY_STEPS))
_HALF = wp.constant(wp.int32(XY_STEPS // 2))
_MAX_XY = wp.constant(wp.int32(MAX_XY))
_MAX_Z = wp.constant(wp.int32(MAX_Z))
_EMPTY = wp.constant(wp.int64(EMPTY))
_Z_STEPS = wp.constant(wp.float32(Z_STEPS))
_BITS = wp.constant(wp.int32(XY_STEPS.bit_length() - 1))


@no_type_check
@wp.kernel(enable_backward=False)
def _draw_faces(
    points: wp.array2d(dtype=wp.vec3i),
    faces: wp.array(dtype=wp.vec3i),
    height: int,
    width: int,
    keys: wp.array3d(dtype=wp.int64),
):
    frame, face = wp.tid()
    corner = faces[face]
    p0 = points[frame, corner[0]]
    p1 = points[frame, corner[1]]
    p2 = points[frame, corner[2]]
    low = wp.min(wp.min(p0, p1), p2)
    high = wp.max(wp.max(p0, p1), p2)
    first_x = wp.max((low[0] + _HALF - 1) >> _BITS, 0)
    first_y = wp.max((low[1] + _HALF - 1) >> _BITS, 0)
    last_x = wp.min((high[0] - _HALF) >> _BITS, width - 1)
    last_y = wp.min((high[1] - _HALF) >> _BITS, height - 1)
    if first_x > last_x or first_y > last_y:
        return
    if high[0] - low[0] >= _MAX_XY or high[1] - low[1] >= _MAX_XY or high[2] - low[2] >= _MAX_Z:
        return

    x = wp.int64(first_x * _STEPS + _HALF)
    y = wp.int64(first_y * _STEPS + _HALF)
    x0 = wp.int64(p0[0]) - x
    x1 = wp.int64(p1[0]) - x
    x2 = wp.int64(p2[0]) - x
    y0 = wp.int64(p0[1]) - y
    y1 = wp.int64(p1[1]) - y
    y2 = wp.int64(p2[1]) - y
    w0 = x1 * y2 - x2 * y1
    w1 = x2 * y0 - x0 * y2
    w2 = x0 * y1 - x1 * y0
    area = w0 + w1 + w2
    if area == wp.int64(0):
        return
    turn = area / wp.abs(area)
    w0 *= turn
    w1 *= turn
    w2 *= turn
    area *= turn
    side = turn * _LONG_STEPS
    # What each weight gains by one pixel to the right, and by one pixel down.
    right0 = (y1 - y2) * side
    right1 = (y2 - y0) * side
    right2 = (y0 - y1) * side
    down0 = (x2 - x1) * side
    down1 = (x0 - x2) * side
    down2 = (x1 - x0) * side
    z0 = wp.int64(p0[2] - low[2])
    z1 = wp.int64(p1[2] - low[2])
    z2 = wp.int64(p2[2] - low[2])
    for row in range(first_y, last_y + 1):
        a0 = w0
        a1 = w1
        a2 = w2
        for column in range(first_x, last_x + 1):
            if (a0 | a1 | a2) >= wp.int64(0):
                depth = wp.int64(low[2]) + (a0 * z0 + a1 * z1 + a2 * z2) / area
                key = depth * wp.int64(4294967296) + wp.int64(face)
                wp.atomic_min(keys, frame, row, column, key)
            a0 += right0
            a1 += right1
            a2 += right2
        w0 += down0
        w1 += down1
        w2 += down2


@no_type_check
@wp.kernel(enable_backward=False)
def _resolve_pixels(
    run: int,
    points: wp.array2d(dtype=wp.vec3i),
    faces: wp.array(dtype=wp.vec3i),
    keys: wp.array3d(dtype=wp.int64),
    first: wp.vec2i,
    face_index: wp.array3d(dtype=wp.int64),
    depth: wp.array3d(dtype=wp.float32),
    barycentric: wp.array3d(dtype=wp.vec3f),
):
    frame, row, part = wp.tid()
    row += first[0]
    start = first[1] + part * run
    for column in range(start, start + run):
        key = keys[frame, row, column]
        if key == _EMPTY:
            continue
        face = wp.int32(key & wp.int64(4294967295))
        corner = faces[face]
        p0 = points[frame, corner[0]]
        p1 = points[frame, corner[1]]
        p2 = points[frame, corner[2]]
        x = column * _STEPS + _HALF
        y = row * _STEPS + _HALF
        x0 = wp.int64(p0[0] - x)
        x1 = wp.int64(p1[0] - x)
        x2 = wp.int64(p2[0] - x)
        y0 = wp.int64(p0[1] - y)
        y1 = wp.int64(p1[1] - y)
        y2 = wp.int64(p2[1] - y)
        w0 = wp.float64(x1 * y2 - x2 * y1)
        w1 = wp.float64(x2 * y0 - x0 * y2)
        w2 = wp.float64(x0 * y1 - x1 * y0)
        area = w0 + w1 + w2
        face_index[frame, row, column] = wp.int64(face)
        depth[frame, row, column] = wp.float32(key >> wp.int64(32)) / _Z_STEPS
        barycentric[frame, row, column] = wp.vec3f(
            wp.float32(w0 / area), wp.float32(w1 / area), wp.float32(w2 / area)
        )


def draw(
    points: Int[Tensor, "t v 3"], faces: Int[Tensor, "f 3"], size: tuple[int, int]
) -> tuple[Int[Tensor, "t h w"], Float[Tensor, "t h w"], Float[Tensor, "t h w 3"]]:
    """Return face, depth and barycentric weights as `bdmm.body.rasterize.Raster` describes them.

    Args:
        points: int32 fixed-point positions.
        faces: int32 indices of points, on the same device.
    """
    device = points.device
    shape = (len(points), *size)
    keys = torch.full(shape, EMPTY, device=device)
    face = torch.full(shape, -1, device=device)
    depth = torch.full(shape, torch.inf, device=device)
    barycentric = torch.zeros(*shape, 3, device=device)
    mesh = [
        wp.from_torch(points.contiguous(), dtype=wp.vec3i),
        wp.from_torch(faces.contiguous(), dtype=wp.vec3i),
    ]
    wp_keys = wp.from_torch(keys)
    # On torch's own stream, so that its tensors are ready before and these after.
    stream = wp.stream_from_torch(device) if device.type == "cuda" else None
    launch = functools.partial(wp.launch, device=wp.device_from_torch(device), stream=stream)
    counts = (len(points), len(faces))
    launch(_draw_faces, counts, inputs=[*mesh, *size], outputs=[wp_keys])
    outputs = [
        wp.from_torch(face),
        wp.from_torch(depth),
        wp.from_torch(barycentric, dtype=wp.vec3f),
    ]
    first, beyond = _span(points, size)
    count = (len(points), beyond[0] - first[0], beyond[1] - first[1])
    threads, run = split_rows(count, device)
    launch(
        _resolve_pixels, threads, inputs=[run, *mesh, wp_keys, wp.vec2i(*first)], outputs=outputs
    )
    return face, depth, barycentric


def _span(
    points: Int[Tensor, "t v 3"], size: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (row, column) of the first pixel that any point touches, and of the one beyond."""
    low, high = points[..., :2].flatten(0, 1).aminmax(dim=0)
    (left, top), (right, bottom) = (low // XY_STEPS).tolist(), (high // XY_STEPS + 1).tolist()
    height, width = size
    first = min(max(top, 0), height), min(max(left, 0), width)
    beyond = min(max(bottom, first[0]), height), min(max(right, first[1]), width)
    return first, beyond
