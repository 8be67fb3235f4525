"""Rays against boxes, ellipsoids and cylinders, as warp-lang kernels for the CPU."""
# warp-lang compiles these functions and gives their annotations its own meaning.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import no_type_check

import warp as wp

from bdmm_synth.noise import noise_at

BOX, ELLIPSOID, CYLINDER, LEAVES = 0, 1, 2, 3
_FAR = wp.constant(1.0e9)
_BOX = wp.constant(BOX)
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
    """Return whether a ray passes through the ragged rim of a ball of leaves."""
    if kind != _LEAVES:
        return False
    facing = wp.abs(wp.dot(_normal(_LEAVES, p, half), wp.normalize(way)))
    grain = 0.16 * wp.min(half[0], half[1])
    rough = noise_at(p / grain) + 0.6 * noise_at(p / (0.4 * grain))
    return facing < 0.42 + 0.5 * rough


@no_type_check
@wp.struct
class Solids:
    """Boxes, ellipsoids and others; ``n`` each.

    Attributes:
        kinds: `BOX` and so on.
        centres: metres in the scene.
        halves: half their width, height and depth.
        yaws: cosine and sine of their turn about the upright axis.
    """

    kinds: wp.array(dtype=wp.int32)
    centres: wp.array(dtype=wp.vec3)
    halves: wp.array(dtype=wp.vec3)
    yaws: wp.array(dtype=wp.vec2)


@no_type_check
@wp.struct
class Hits:
    """What rays meet; ``n`` each.

    Attributes:
        number: of the solid; -1 for none.
        distance: metres of depth.
        local: the point in the solid's own axes.
        own_normal: the normal in the solid's own axes.
        normal: the normal in the scene.
    """

    number: wp.array(dtype=wp.int32)
    distance: wp.array(dtype=wp.float32)
    local: wp.array(dtype=wp.vec3)
    own_normal: wp.array(dtype=wp.vec3)
    normal: wp.array(dtype=wp.vec3)


@no_type_check
@wp.kernel(enable_backward=False)
def cast(eye: wp.vec3, rays: wp.array(dtype=wp.vec3), solids: Solids, hits: Hits):
    """Find the nearest solid along rays from one eye, and what is hit in its own axes."""
    i = wp.tid()
    best = float(_FAR)
    number = int(-1.0)
    ray = rays[i]
    for k in range(solids.kinds.shape[0]):
        p = _turned(eye - solids.centres[k], solids.yaws[k])
        span = _span(solids.kinds[k], p, _turned(ray, solids.yaws[k]), solids.halves[k])
        if span[0] <= span[1] and span[0] > 1.0e-3 and span[0] < best:
            way = _turned(ray, solids.yaws[k])
            here = p + way * span[0]
            if not _between_leaves(solids.kinds[k], here, way, solids.halves[k]):
                best = span[0]
                number = k
    hits.number[i] = number
    hits.distance[i] = best
    if number >= 0:
        yaw = solids.yaws[number]
        p = _turned(eye - solids.centres[number] + ray * best, yaw)
        n = _normal(solids.kinds[number], p, solids.halves[number])
        hits.local[i] = p
        hits.own_normal[i] = n
        hits.normal[i] = _turned(n, wp.vec2(yaw[0], -yaw[1]))


@no_type_check
@wp.kernel(enable_backward=False)
def light(
    position: wp.array(dtype=wp.vec3),
    normal: wp.array(dtype=wp.vec3),
    towards: wp.array(dtype=wp.vec3),
    strength: wp.array(dtype=wp.vec3),
    wide: wp.array(dtype=wp.float32),
    solids: Solids,
    reach: float,
    total: wp.array(dtype=wp.vec3),
):
    """Add up the light of lamps on points, where no solid within ``reach`` stands before them.

    Each point looks at its own random direction within ``wide`` radians: soft shadows.
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
            for k in range(solids.kinds.shape[0]):
                start = _turned(p - solids.centres[k], solids.yaws[k])
                way = _turned(to, solids.yaws[k])
                span = _span(solids.kinds[k], start, way, solids.halves[k])
                if span[0] <= span[1] and span[1] > 0.0 and span[0] < reach:
                    free = 0.0
                    break
            sum += strength[lamp] * (cosine * free)
    total[i] = sum
