"""What a drawn sample is made of, looked up in baked textures: a warp-lang kernel."""
# Kernels are Python only in looks: warp-lang gives types of its own to what stands in them.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import no_type_check

import warp as wp

from bdmm_synth.render.draw_kernels import edge

_STEEPEST = wp.constant(0.6)
_TURNED = wp.constant(0.15)
_LINING = wp.constant(0.5)


@no_type_check
@wp.func
def _texel(first: int, finest: int, i: int, j: int):
    """Return the index of a face's texel ``i`` steps towards corner b and ``j`` towards c."""
    return first + j * (finest + 1) - (j * (j - 1)) / 2 + i


@no_type_check
@wp.func
def _mix(values: wp.array(dtype=wp.vec3), at: wp.vec3i, part: wp.vec3):
    return values[at[0]] * part[0] + values[at[1]] * part[1] + values[at[2]] * part[2]


@no_type_check
@wp.kernel(enable_backward=False)
def look_up(
    sample: wp.array(dtype=wp.int32),
    number: wp.array(dtype=wp.int32),
    width: int,
    left: int,
    top: int,
    eye: wp.vec3,
    seen: wp.array(dtype=wp.vec3),
    posed: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    segments: wp.array(dtype=wp.vec2i),
    tint: wp.array(dtype=wp.vec3),
    first: wp.array(dtype=wp.int32),
    finest: wp.array(dtype=wp.int32),
    texels: wp.array2d(dtype=wp.vec3),
    height: wp.array(dtype=wp.float32),
    position: wp.array(dtype=wp.vec3),
    plain: wp.array(dtype=wp.vec3),
    normal: wp.array(dtype=wp.vec3),
    albedo: wp.array(dtype=wp.vec3),
    gloss: wp.array(dtype=wp.vec3),
    wrap: wp.array(dtype=wp.vec3),
):
    """Find place, normals and material of samples; hair has its tangent for a normal."""
    k = wp.tid()
    x = float(left + sample[k] % width) + 0.5
    y = float(top + sample[k] / width) + 0.5
    face = number[k]
    if face >= faces.shape[0]:
        ends = segments[face - faces.shape[0]]
        a = seen[ends[0]]
        b = seen[ends[1]]
        along = wp.vec2(b[0] - a[0], b[1] - a[1])
        away = wp.vec2(x - a[0], y - a[1])
        part = wp.clamp(wp.dot(away, along) / wp.max(wp.dot(along, along), 1.0e-6), 0.0, 1.0)
        tangent = wp.normalize(posed[ends[1]] - posed[ends[0]])
        position[k] = posed[ends[0]] + (posed[ends[1]] - posed[ends[0]]) * part
        plain[k] = tangent
        normal[k] = tangent
        albedo[k] = tint[face - faces.shape[0]]
        gloss[k] = wp.vec3(-1.0, 0.0, 0.0)
        return
    corner = faces[face]
    a = seen[corner[0]]
    b = seen[corner[1]]
    c = seen[corner[2]]
    area = edge(a, b, c[0], c[1])
    u = wp.clamp(edge(b, c, x, y) / area, 0.0, 1.0)
    v = wp.clamp(edge(c, a, x, y) / area, 0.0, 1.0)
    w = wp.max(1.0 - u - v, 0.0)
    pa = posed[corner[0]]
    pb = posed[corner[1]]
    pc = posed[corner[2]]
    position[k] = pa * u + pb * v + pc * w
    smooth = wp.normalize(normals[corner[0]] * u + normals[corner[1]] * v + normals[corner[2]] * w)
    most = finest[face]
    s = v * float(most)
    t = w * float(most)
    i = wp.min(int(s), most - 1)
    j = wp.min(int(t), most - 1 - i)
    s = s - float(i)
    t = t - float(j)
    right = _texel(first[face], most, i + 1, j)
    below = _texel(first[face], most, i, j + 1)
    rise_s = float(0)
    rise_t = float(0)
    at = wp.vec3i(_texel(first[face], most, i, j), right, below)
    mixed = wp.vec3(1.0 - s - t, s, t)
    if s + t > 1.0 and i + j < most - 1:
        opposite = _texel(first[face], most, i + 1, j + 1)
        at = wp.vec3i(opposite, below, right)
        mixed = wp.vec3(s + t - 1.0, 1.0 - s, 1.0 - t)
        rise_s = height[opposite] - height[below]
        rise_t = height[opposite] - height[right]
    else:
        rise_s = height[right] - height[at[0]]
        rise_t = height[below] - height[at[0]]
    edge_s = (pb - pa) / float(most)
    edge_t = (pc - pa) / float(most)
    across = wp.cross(edge_s, edge_t)
    size = wp.max(wp.dot(across, across), 1.0e-16)
    slope = (wp.cross(edge_t, across) * rise_s + wp.cross(across, edge_s) * rise_t) / size
    # Bumps finer than texels come out too steep: the steeper, the more they are flattened.
    bumped = wp.normalize(smooth - slope / (1.0 + wp.length(slope) / _STEEPEST))
    tone = _mix(texels[0], at, mixed)
    # At its rim, faces of a layer's far side stick out: they are no lining yet.
    if area > 0.0 and wp.dot(smooth, wp.normalize(eye - position[k])) < -_TURNED:
        bumped = -bumped
        smooth = -smooth
        tone = tone * _LINING
    plain[k] = smooth
    normal[k] = bumped
    albedo[k] = tone
    gloss[k] = _mix(texels[1], at, mixed)
    wrap[k] = _mix(texels[2], at, mixed)
