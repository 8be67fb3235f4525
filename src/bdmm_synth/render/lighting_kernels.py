"""Shadow maps and the light of lamps, as warp-lang kernels for the CPU."""
# warp-lang compiles these functions and gives their annotations its own meaning.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import no_type_check

import warp as wp

from bdmm_synth.render.draw_kernels import edge

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
    hair: wp.array3d(dtype=wp.float32),
):
    """Draw pieces of hair, ``radius`` cells thick, into each lamp's map."""
    lamp, i = wp.tid()
    side = hair.shape[1]
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
                wp.atomic_min(hair, lamp, row, column, a[2] + (b[2] - a[2]) * part)


_HAIR_DEPTH = wp.constant(0.016)  # depth in hair, metres, at which a third of the light is left
# Taps spiral outwards, each turned by the golden angle from the one before.
_TURN_COSINE = wp.constant(-0.7373688)
_TURN_SINE = wp.constant(0.6754903)


@no_type_check
@wp.struct
class LampArrays:
    """Distant lamps.

    Attributes:
        towards: ``n`` unit directions towards them.
        strength: ``n`` RGB.
        turns: ``n`` rotations from the scene into their shadow maps.
    """

    towards: wp.array(dtype=wp.vec3)
    strength: wp.array(dtype=wp.vec3)
    turns: wp.array(dtype=wp.mat33)


@no_type_check
@wp.struct
class ShadowMaps:
    """What is nearest to each lamp.

    Attributes:
        solid: ``n side side`` metres from the lamp to the nearest face.
        hair: the same for hair; empty where there is none.
        centre: the middle of the maps in the scene.
        cell: metres along a side of a cell.
        slack: metres behind the nearest face from which on a point is in shadow.
        spread: metres by which a shadow's edge widens per metre behind what casts it.
        taps: samples of the map for a soft shadow; 1 for a hard one.
    """

    solid: wp.array3d(dtype=wp.float32)
    hair: wp.array3d(dtype=wp.float32)
    centre: wp.vec3
    cell: float
    slack: float
    spread: float
    taps: int


@no_type_check
@wp.struct
class Samples:
    """Points of a person that take light; ``n`` each.

    Attributes:
        position: in the scene.
        plain: normal of the mesh; the tangent of hair.
        normal: normal with bumps; the tangent of hair.
        albedo: RGB linear.
        gloss: squared roughness, reflectance and fuzz; the first is negative for hair.
        wrap: how far red, green and blue light creeps around an edge.
    """

    position: wp.array(dtype=wp.vec3)
    plain: wp.array(dtype=wp.vec3)
    normal: wp.array(dtype=wp.vec3)
    albedo: wp.array(dtype=wp.vec3)
    gloss: wp.array(dtype=wp.vec3)
    wrap: wp.array(dtype=wp.vec3)


@no_type_check
@wp.func
def _free(maps: ShadowMaps, lamp: int, place: wp.vec3):
    """Return the part of a lamp's light that gets to a point of its map."""
    side = maps.solid.shape[1]
    column = int(wp.floor(place[0]))
    row = int(wp.floor(place[1]))
    if column < 0 or row < 0 or column >= side or row >= side:
        return 1.0
    if place[2] > maps.solid[lamp, row, column] + maps.slack:
        return 0.0
    if maps.hair.shape[0] == 0:
        return 1.0
    cover = place[2] - maps.hair[lamp, row, column] - 0.002 - maps.slack
    if cover > 0.0:
        return wp.max(wp.exp(-cover / _HAIR_DEPTH), 0.06)
    return 1.0


@no_type_check
@wp.func
def _reach(
    maps: ShadowMaps, lamp: int, turn: wp.mat33, point: wp.vec3, plain: wp.vec3, start: float
):
    """Return the part of a lamp's light that gets to a point; wide lamps have soft shadows."""
    side = maps.solid.shape[1]
    place = to_map(point, turn, maps.centre, maps.cell, side)
    if maps.taps <= 1:
        return _free(maps, lamp, place)
    # How the surface's own depth changes in the map, lest it shade itself.
    normal = turn * plain
    steep = wp.min(normal[2], -0.25)
    slope_x = wp.clamp(-normal[0] / steep, -2.0, 2.0) * maps.cell
    slope_y = wp.clamp(-normal[1] / steep, -2.0, 2.0) * maps.cell
    widest = 0.35 * maps.spread / maps.cell
    blockers = float(0)
    gap = float(0)
    fewer = maps.taps / 2 + 2
    cosine = wp.cos(start)
    sine = wp.sin(start)
    for k in range(fewer):
        radius = wp.sqrt((float(k) + 0.5) / float(fewer)) * widest
        dx = radius * cosine
        dy = radius * sine
        before = cosine
        cosine = before * _TURN_COSINE - sine * _TURN_SINE
        sine = before * _TURN_SINE + sine * _TURN_COSINE
        column = int(wp.floor(place[0] + dx))
        row = int(wp.floor(place[1] + dy))
        if column >= 0 and row >= 0 and column < side and row < side:
            depth = place[2] + dx * slope_x + dy * slope_y
            nearest = maps.solid[lamp, row, column]
            if maps.hair.shape[0] > 0:
                nearest = wp.min(nearest, maps.hair[lamp, row, column])
            if depth > nearest + maps.slack:
                blockers += 1.0
                gap += depth - nearest
    if blockers == 0.0:
        return 1.0
    if blockers > float(fewer) - 0.5 and gap / blockers * maps.spread < 0.7 * widest * maps.cell:
        return 0.0
    wide = wp.max(wp.min(gap / blockers * maps.spread / maps.cell, widest * 2.0), 0.8)
    total = float(0)
    cosine = wp.cos(start)
    sine = wp.sin(start)
    for k in range(maps.taps):
        radius = wp.sqrt((float(k) + 0.5) / float(maps.taps)) * wide
        dx = radius * cosine
        dy = radius * sine
        before = cosine
        cosine = before * _TURN_COSINE - sine * _TURN_SINE
        sine = before * _TURN_SINE + sine * _TURN_COSINE
        depth = place[2] + dx * slope_x + dy * slope_y
        total += _free(maps, lamp, wp.vec3(place[0] + dx, place[1] + dy, depth))
    return total / float(maps.taps)


@no_type_check
@wp.func
def _clip(value: float):
    return wp.min(wp.max(value, 0.0), 1.0)


@no_type_check
@wp.func
def _soft(cosine: float, part: wp.vec3, w: wp.vec3):
    """Diffuse light that wraps around edges."""
    return wp.vec3(
        wp.max(cosine + w[0], 0.0) * part[0],
        wp.max(cosine + w[1], 0.0) * part[1],
        wp.max(cosine + w[2], 0.0) * part[2],
    )


@no_type_check
@wp.func
def _gloss(towards: wp.vec3, n: wp.vec3, v: wp.vec3, gloss: wp.vec3):
    """GGX reflection, and the light edge of cloth."""
    cosine = wp.dot(n, towards)
    facing = wp.min(wp.max(wp.dot(n, v), 0.05), 1.0)
    lit = _clip(cosine)
    half = wp.normalize(v + towards)
    nh = _clip(wp.dot(n, half))
    vh = _clip(wp.dot(v, half))
    alpha = gloss[0]
    spread = nh * nh * (alpha * alpha - 1.0) + 1.0
    peak = alpha * alpha / (spread * spread)
    k = 0.5 * alpha
    blocked = 4.0 * (lit * (1.0 - k) + k) * (facing * (1.0 - k) + k)
    base = 1.0 - vh
    fresnel = gloss[1] + (1.0 - gloss[1]) * base * base * base * base * base
    rim = 1.0 - facing
    edge_light = gloss[2] * rim * rim * rim * _clip(0.5 + 0.5 * cosine) * 0.5
    shine = wp.min(peak * fresnel / blocked, 6.0) * lit + edge_light
    return wp.vec3(shine, shine, shine)


@no_type_check
@wp.func
def _on_hair(towards: wp.vec3, tangent: wp.vec3, v: wp.vec3, albedo: wp.vec3):
    """Hair after Kajiya and Kay: diffuse by the sine to the lamp, a white and a coloured gleam."""
    along = wp.dot(tangent, towards)
    across = wp.sqrt(wp.max(1.0 - along * along, 0.0))
    seen = wp.dot(tangent, v)
    sine = wp.sqrt(wp.max(1.0 - seen * seen, 0.0))
    mirror = wp.max(across * sine - along * seen, 0.0)
    squared = mirror * mirror
    fourth = squared * squared
    fifteenth = fourth * fourth * fourth * squared * mirror
    thirtieth = fifteenth * fifteenth
    white = 0.045 * thirtieth * thirtieth
    warm = 0.65 * fourth * fourth * fourth * squared
    return albedo * (0.55 * across + warm) + wp.vec3(white, white, white)


@no_type_check
@wp.kernel(enable_backward=False)
def light_samples(
    lamps: LampArrays,
    maps: ShadowMaps,
    eye: wp.vec3,
    samples: Samples,
    sheen: int,
    total: wp.array(dtype=wp.vec3),
):
    """Add the lamps' light on samples of surfaces and of hair (whose gloss is negative)."""
    i = wp.tid()
    n = samples.normal[i]
    plain = samples.plain[i]
    albedo = samples.albedo[i]
    p = samples.position[i]
    v = wp.normalize(eye - p)
    g = samples.gloss[i]
    w = samples.wrap[i]
    edge = -wp.max(w[0], 0.1)
    part = wp.cw_div(albedo, wp.cw_mul(wp.vec3(1.0) + w, wp.vec3(1.0) + w))
    start = float(0)
    if maps.taps > 1:
        start = wp.randf(wp.rand_init(17, i)) * 6.2831853
    light = wp.vec3(0.0, 0.0, 0.0)
    for lamp in range(lamps.towards.shape[0]):
        to = lamps.towards[lamp]
        cosine = wp.dot(n, to)
        if g[0] < 0.0:
            free = _reach(maps, lamp, lamps.turns[lamp], p + to * 0.012, -to, start)
            if free > 0.0:
                light += wp.cw_mul(_on_hair(to, n, v, albedo), lamps.strength[lamp]) * free
        elif cosine > edge:
            point = p + plain * (0.003 + 0.4 * maps.slack)
            free = _reach(maps, lamp, lamps.turns[lamp], point, plain, start)
            if free > 0.0:
                shine = _soft(cosine, part, w)
                if sheen != 0:
                    shine += _gloss(to, n, v, g)
                light += wp.cw_mul(shine, lamps.strength[lamp]) * free
    total[i] = total[i] + light


@no_type_check
@wp.kernel(enable_backward=False)
def light_ground(
    lamps: LampArrays,
    maps: ShadowMaps,
    position: wp.array(dtype=wp.vec3),
    normal: wp.array(dtype=wp.vec3),
    total: wp.array(dtype=wp.vec3),
):
    """Add what level and upright flat surfaces get from the lamps."""
    i = wp.tid()
    p = position[i]
    n = normal[i]
    start = wp.randf(wp.rand_init(17, i)) * 6.2831853
    light = wp.vec3(0.0, 0.0, 0.0)
    for lamp in range(lamps.towards.shape[0]):
        cosine = wp.dot(n, lamps.towards[lamp])
        if cosine > 0.0:
            free = _reach(maps, lamp, lamps.turns[lamp], p, n, start)
            light += lamps.strength[lamp] * (cosine * free)
    total[i] = total[i] + light
