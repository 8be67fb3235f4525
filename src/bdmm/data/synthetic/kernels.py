"""What is computed sample by sample, as warp-lang kernels for the CPU: lamps and noise."""
# Kernels are Python only in looks: warp-lang gives types of its own to what stands in them.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false

import warp as wp

_BIAS = wp.constant(0.006)
_VEIL = wp.constant(0.016)  # depth in hair, metres, at which a third of the light is left


@wp.func
def _reach(
    point: wp.vec3,
    rotation: wp.mat33,
    centre: wp.vec3,
    scale: float,
    solid: wp.array2d(dtype=wp.float32),
    veil: wp.array2d(dtype=wp.float32),
    bias: float,
):
    """Return the part of the lamp's light that gets to a point."""
    side = solid.shape[0]
    mapped = rotation * (point - centre) * scale
    x = mapped[0] + 0.5 * float(side)
    y = mapped[1] + 0.5 * float(side)
    column = int(wp.floor(x))
    row = int(wp.floor(y))
    if column < 0 or row < 0 or column >= side or row >= side:
        return 1.0
    if mapped[2] > solid[row, column] + bias * scale:
        return 0.0
    cover = (mapped[2] - veil[row, column]) / scale - 0.002
    if cover > 0.0:
        return wp.max(wp.exp(-cover / _VEIL), 0.06)
    return 1.0


@wp.kernel(enable_backward=False)
def hair_depth(
    rotation: wp.mat33,
    centre: wp.vec3,
    scale: float,
    points: wp.array(dtype=wp.vec3),
    nearest: wp.array2d(dtype=wp.float32),
):
    """Keep the least depth of the points of hair in each cell of a lamp's map."""
    side = nearest.shape[0]
    mapped = rotation * (points[wp.tid()] - centre) * scale
    column = int(wp.floor(mapped[0] + 0.5 * float(side)))
    row = int(wp.floor(mapped[1] + 0.5 * float(side)))
    if column >= 0 and row >= 0 and column < side and row < side:
        wp.atomic_min(nearest, row, column, mapped[2])


@wp.func
def _clip(value: float):
    return wp.min(wp.max(value, 0.0), 1.0)


@wp.kernel(enable_backward=False)
def surface(
    towards: wp.vec3,
    strength: wp.vec3,
    rotation: wp.mat33,
    centre: wp.vec3,
    scale: float,
    solid: wp.array2d(dtype=wp.float32),
    veil: wp.array2d(dtype=wp.float32),
    position: wp.array(dtype=wp.vec3),
    normal: wp.array(dtype=wp.vec3),
    view: wp.array(dtype=wp.vec3),
    albedo: wp.array(dtype=wp.vec3),
    gloss: wp.array(dtype=wp.vec3),
    wrap: wp.array(dtype=wp.vec3),
    total: wp.array(dtype=wp.vec3),
):
    """Diffuse light that wraps around edges, GGX reflection, and the light edge of cloth."""
    i = wp.tid()
    n = normal[i]
    cosine = wp.dot(n, towards)
    w = wrap[i]
    if cosine < -wp.max(w[0], 0.3):
        return
    free = _reach(position[i], rotation, centre, scale, solid, veil, _BIAS)
    if free <= 0.0:
        return
    v = view[i]
    facing = wp.min(wp.max(wp.dot(n, v), 0.001), 1.0)
    lit = _clip(cosine)
    half = wp.normalize(v + towards)
    nh = _clip(wp.dot(n, half))
    vh = _clip(wp.dot(v, half))
    alpha = gloss[i][0]
    spread = nh * nh * (alpha * alpha - 1.0) + 1.0
    peak = alpha * alpha / (spread * spread)
    k = 0.5 * alpha
    blocked = 4.0 * (lit * (1.0 - k) + k) * (facing * (1.0 - k) + k)
    fresnel = gloss[i][1] + (1.0 - gloss[i][1]) * wp.pow(1.0 - vh, 5.0)
    edge = gloss[i][2] * wp.pow(1.0 - facing, 3.0) * _clip(0.5 + 0.5 * cosine) * 0.5
    shine = peak * fresnel / blocked * lit + edge
    soft = wp.vec3(
        wp.max(cosine + w[0], 0.0) / ((1.0 + w[0]) * (1.0 + w[0])),
        wp.max(cosine + w[1], 0.0) / ((1.0 + w[1]) * (1.0 + w[1])),
        wp.max(cosine + w[2], 0.0) / ((1.0 + w[2]) * (1.0 + w[2])),
    )
    light = wp.cw_mul(albedo[i], soft) + wp.vec3(shine, shine, shine)
    total[i] = total[i] + wp.cw_mul(light, strength) * free


@wp.kernel(enable_backward=False)
def strand(
    towards: wp.vec3,
    strength: wp.vec3,
    rotation: wp.mat33,
    centre: wp.vec3,
    scale: float,
    solid: wp.array2d(dtype=wp.float32),
    veil: wp.array2d(dtype=wp.float32),
    position: wp.array(dtype=wp.vec3),
    tangent: wp.array(dtype=wp.vec3),
    view: wp.array(dtype=wp.vec3),
    albedo: wp.array(dtype=wp.vec3),
    total: wp.array(dtype=wp.vec3),
):
    """Hair after Kajiya and Kay: diffuse by the sine to the lamp, a white and a coloured gleam."""
    i = wp.tid()
    free = _reach(position[i], rotation, centre, scale, solid, veil, 0.012)
    if free <= 0.0:
        return
    t = tangent[i]
    along = wp.dot(t, towards)
    across = wp.sqrt(wp.max(1.0 - along * along, 0.0))
    seen = wp.dot(t, view[i])
    sine = wp.sqrt(wp.max(1.0 - seen * seen, 0.0))
    mirror = wp.max(across * sine - along * seen, 0.0)
    white = 0.045 * wp.pow(mirror, 60.0)
    warm = 0.65 * wp.pow(mirror, 14.0)
    light = albedo[i] * (0.55 * across + warm) + wp.vec3(white, white, white)
    total[i] = total[i] + wp.cw_mul(light, strength) * free


@wp.kernel(enable_backward=False)
def floor(
    towards: wp.vec3,
    strength: wp.vec3,
    rotation: wp.mat33,
    centre: wp.vec3,
    scale: float,
    solid: wp.array2d(dtype=wp.float32),
    veil: wp.array2d(dtype=wp.float32),
    position: wp.array(dtype=wp.vec3),
    total: wp.array(dtype=wp.vec3),
):
    """What a level floor gets."""
    i = wp.tid()
    cosine = -towards[1]
    if cosine > 0.0:
        free = _reach(position[i], rotation, centre, scale, solid, veil, _BIAS)
        total[i] = total[i] + strength * (cosine * free)


@wp.func
def _corner(cell: wp.vec3i, part: wp.vec3, x: int, y: int, z: int):
    """Return one corner's gradient along the way to the point, by its weight."""
    mixed = wp.uint32(cell[0] + x) * wp.uint32(73856093)
    mixed = mixed ^ (wp.uint32(cell[1] + y) * wp.uint32(19349663))
    mixed = mixed ^ (wp.uint32(cell[2] + z) * wp.uint32(83492791))
    mixed = (mixed ^ (mixed >> wp.uint32(15))) * wp.uint32(2246822519)
    mixed = (mixed ^ (mixed >> wp.uint32(13))) * wp.uint32(3266489917)
    mixed = mixed ^ (mixed >> wp.uint32(16))
    height = float(mixed & wp.uint32(1023)) / 511.5 - 1.0
    turn = float((mixed >> wp.uint32(10)) & wp.uint32(4095)) * 0.00153398
    ring = wp.sqrt(wp.max(1.0 - height * height, 0.0))
    away = wp.vec3(part[0] - float(x), part[1] - float(y), part[2] - float(z))
    slope = ring * wp.cos(turn) * away[0] + ring * wp.sin(turn) * away[1] + height * away[2]
    weight = float(1)
    for axis in range(3):
        p = 1.0 - wp.abs(away[axis])
        weight *= p * p * p * (10.0 - 15.0 * p + 6.0 * p * p)
    return slope * weight


@wp.kernel(enable_backward=False)
def noise(points: wp.array(dtype=wp.vec3), values: wp.array(dtype=wp.float32)):
    """Gradient noise with a grain of 1: a random slope in each corner of the unit cells."""
    i = wp.tid()
    point = points[i]
    low = wp.vec3(wp.floor(point[0]), wp.floor(point[1]), wp.floor(point[2]))
    cell = wp.vec3i(int(low[0]), int(low[1]), int(low[2]))
    total = float(0)
    for x in range(2):
        for y in range(2):
            for z in range(2):
                total += _corner(cell, point - low, x, y, z)
    values[i] = 1.5 * total
