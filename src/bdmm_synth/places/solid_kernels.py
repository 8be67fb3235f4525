"""Rays against boxes, ellipsoids and cylinders, as warp-lang kernels for the CPU."""
# Kernels are Python only in looks: warp-lang gives types of its own to what stands in them.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import no_type_check

import warp as wp

from bdmm_synth.noise import noise_at

BOX, ELLIPSOID, CYLINDER, LEAVES = 0, 1, 2, 3
_FAR = wp.constant(1.0e9)
_BOX = wp.constant(BOX)
_ELLIPSOID = wp.constant(ELLIPSOID)
_CYLINDER = wp.constant(CYLINDER)
_LEAVES = wp.constant(LEAVES)


@no_type_check
@wp.func
def _turned(v: wp.vec3, yaw: wp.vec2):
    """Turn a vector into a solid's own axes; ``yaw`` is cosine and sine."""
    return wp.vec3(yaw[0] * v[0] - yaw[1] * v[2], v[1], yaw[1] * v[0] + yaw[0] * v[2])


@no_type_check
@wp.func
def _slab(start: float, way: float, half: float):
    """Return where a ray enters and leaves between two planes."""
    if wp.abs(way) < 1.0e-9:
        if wp.abs(start) > half:
            return wp.vec2(_FAR, -_FAR)
        return wp.vec2(-_FAR, _FAR)
    near = (-half - start) / way
    far = (half - start) / way
    return wp.vec2(wp.min(near, far), wp.max(near, far))


@no_type_check
@wp.func
def _round(a: float, b: float, c: float):
    """Return the roots of a t^2 + 2 b t + c, or an empty span."""
    below = b * b - a * c
    if below < 0.0 or a < 1.0e-12:
        return wp.vec2(_FAR, -_FAR)
    root = wp.sqrt(below)
    return wp.vec2((-b - root) / a, (-b + root) / a)


@no_type_check
@wp.func
def _span(kind: int, p: wp.vec3, d: wp.vec3, half: wp.vec3):
    """Return where a ray enters and leaves a solid, in its own axes; enter > leave for a miss."""
    if kind == _BOX:
        x = _slab(p[0], d[0], half[0])
        y = _slab(p[1], d[1], half[1])
        z = _slab(p[2], d[2], half[2])
        return wp.vec2(wp.max(wp.max(x[0], y[0]), z[0]), wp.min(wp.min(x[1], y[1]), z[1]))
    s = wp.cw_div(p, half)
    w = wp.cw_div(d, half)
    if kind != _BOX and kind != _CYLINDER:
        return _round(wp.dot(w, w), wp.dot(s, w), wp.dot(s, s) - 1.0)
    y = _slab(p[1], d[1], half[1])
    ring = _round(
        w[0] * w[0] + w[2] * w[2], s[0] * w[0] + s[2] * w[2], s[0] * s[0] + s[2] * s[2] - 1.0
    )
    return wp.vec2(wp.max(ring[0], y[0]), wp.min(ring[1], y[1]))


@no_type_check
@wp.func
def _normal(kind: int, p: wp.vec3, half: wp.vec3):
    """Return the outward normal at a point of a solid's surface, in its own axes."""
    s = wp.cw_div(p, half)
    if kind != _BOX and kind != _CYLINDER:
        return wp.normalize(wp.cw_div(s, half))
    x = wp.abs(s[0])
    y = wp.abs(s[1])
    z = wp.abs(s[2])
    if kind != _BOX:
        if y > x * x + z * z:
            return wp.vec3(0.0, wp.sign(s[1]), 0.0)
        return wp.normalize(wp.vec3(s[0] / half[0], 0.0, s[2] / half[2]))
    if x >= y and x >= z:
        return wp.vec3(wp.sign(s[0]), 0.0, 0.0)
    if y >= z:
        return wp.vec3(0.0, wp.sign(s[1]), 0.0)
    return wp.vec3(0.0, 0.0, wp.sign(s[2]))


@no_type_check
@wp.func
def _between_leaves(kind: int, p: wp.vec3, way: wp.vec3, half: wp.vec3):
    """Tell if a ray that meets a ball of leaves passes through its ragged rim."""
    if kind != _LEAVES:
        return False
    facing = wp.abs(wp.dot(_normal(_LEAVES, p, half), wp.normalize(way)))
    grain = 0.16 * wp.min(half[0], half[1])
    rough = noise_at(p / grain) + 0.6 * noise_at(p / (0.4 * grain))
    return facing < 0.42 + 0.5 * rough


@no_type_check
@wp.kernel(enable_backward=False)
def cast(
    eye: wp.vec3,
    rays: wp.array(dtype=wp.vec3),
    kinds: wp.array(dtype=wp.int32),
    centres: wp.array(dtype=wp.vec3),
    halves: wp.array(dtype=wp.vec3),
    yaws: wp.array(dtype=wp.vec2),
    found: wp.array(dtype=wp.int32),
    distance: wp.array(dtype=wp.float32),
    local: wp.array(dtype=wp.vec3),
    own_normal: wp.array(dtype=wp.vec3),
    normal: wp.array(dtype=wp.vec3),
):
    """Find the nearest solid along rays from one eye, and what is hit in its own axes."""
    i = wp.tid()
    best = float(_FAR)
    number = int(-1.0)
    ray = rays[i]
    for k in range(kinds.shape[0]):
        p = _turned(eye - centres[k], yaws[k])
        span = _span(kinds[k], p, _turned(ray, yaws[k]), halves[k])
        if span[0] <= span[1] and span[0] > 1.0e-3 and span[0] < best:
            way = _turned(ray, yaws[k])
            if not _between_leaves(kinds[k], p + way * span[0], way, halves[k]):
                best = span[0]
                number = k
    found[i] = number
    distance[i] = best
    if number >= 0:
        p = _turned(eye - centres[number] + ray * best, yaws[number])
        n = _normal(kinds[number], p, halves[number])
        local[i] = p
        own_normal[i] = n
        yaw = yaws[number]
        normal[i] = _turned(n, wp.vec2(yaw[0], -yaw[1]))


@no_type_check
@wp.kernel(enable_backward=False)
def light(
    position: wp.array(dtype=wp.vec3),
    normal: wp.array(dtype=wp.vec3),
    towards: wp.array(dtype=wp.vec3),
    strength: wp.array(dtype=wp.vec3),
    wide: wp.array(dtype=wp.float32),
    reach: float,
    kinds: wp.array(dtype=wp.int32),
    centres: wp.array(dtype=wp.vec3),
    halves: wp.array(dtype=wp.vec3),
    yaws: wp.array(dtype=wp.vec2),
    total: wp.array(dtype=wp.vec3),
):
    """Add up the light of lamps on points, where no solid within ``reach`` stands before them.

    Each point looks at a spot of its own on each lamp, whose radius is ``wide``: soft shadows.
    """
    i = wp.tid()
    n = normal[i]
    p = position[i] + n * 0.01
    sum = wp.vec3(0.0, 0.0, 0.0)
    for lamp in range(towards.shape[0]):
        state = wp.rand_init(lamp, i)
        aside = wp.vec3(wp.randn(state), wp.randn(state), wp.randn(state))
        to = wp.normalize(towards[lamp] + aside * (0.55 * wide[lamp]))
        cosine = wp.dot(n, towards[lamp])
        if cosine > 0.0:
            free = float(1)
            for k in range(kinds.shape[0]):
                start = _turned(p - centres[k], yaws[k])
                span = _span(kinds[k], start, _turned(to, yaws[k]), halves[k])
                if span[0] <= span[1] and span[1] > 0.0 and span[0] < reach:
                    free = 0.0
                    break
            sum += strength[lamp] * (cosine * free)
    total[i] = sum
