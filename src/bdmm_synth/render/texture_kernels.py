"""What a drawn sample is made of, looked up in baked textures: a warp-lang kernel."""
# warp-lang compiles these functions and gives their annotations its own meaning.
# pyright: reportInvalidTypeForm=false, reportOperatorIssue=false, reportIndexIssue=false
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false

from typing import no_type_check

import warp as wp

from bdmm_synth.render.draw_kernels import edge, part_along
from bdmm_synth.render.lighting_kernels import Samples

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
@wp.struct
class Shown:
    """The person's samples in a picture.

    Attributes:
        sample: ``n`` indices into the box around the person.
        number: ``n`` the face or segment that each shows.
        width: samples across the box.
        left, top: the box's first sample.
        seen: ``v`` vertices: x, y in samples of the picture, metres of depth.
    """

    sample: wp.array(dtype=wp.int32)
    number: wp.array(dtype=wp.int32)
    width: int
    left: int
    top: int
    seen: wp.array(dtype=wp.vec3)


@no_type_check
@wp.struct
class Posed:
    """A posed mesh.

    Attributes:
        posed: ``v`` vertices in the scene.
        normals: ``v`` outward, of any length.
        faces: ``f`` corners.
        segments: ``s`` ends of the pieces of hair.
        tint: ``s`` their RGB linear albedo.
    """

    posed: wp.array(dtype=wp.vec3)
    normals: wp.array(dtype=wp.vec3)
    faces: wp.array(dtype=wp.vec3i)
    segments: wp.array(dtype=wp.vec2i)
    tint: wp.array(dtype=wp.vec3)


@no_type_check
@wp.struct
class Texels:
    """Baked textures.

    Attributes:
        first: ``f`` each face's first texel.
        steps: ``f`` texels along its sides.
        values: ``3 n`` albedo; squared roughness, reflectance, fuzz; wrap.
        height: ``n`` metres out of the mesh.
    """

    first: wp.array(dtype=wp.int32)
    steps: wp.array(dtype=wp.int32)
    values: wp.array2d(dtype=wp.vec3)
    height: wp.array(dtype=wp.float32)


@no_type_check
@wp.kernel(enable_backward=False)
def look_up(shown: Shown, eye: wp.vec3, mesh: Posed, texels: Texels, samples: Samples):
    """Find place, normals and material of samples; hair has its tangent for a normal."""
    k = wp.tid()
    x = float(shown.left + shown.sample[k] % shown.width) + 0.5
    y = float(shown.top + shown.sample[k] / shown.width) + 0.5
    face = shown.number[k]
    if face >= mesh.faces.shape[0]:
        ends = mesh.segments[face - mesh.faces.shape[0]]
        part = part_along(shown.seen[ends[0]], shown.seen[ends[1]], x, y)
        way = mesh.posed[ends[1]] - mesh.posed[ends[0]]
        tangent = wp.normalize(way)
        samples.position[k] = mesh.posed[ends[0]] + way * part
        samples.plain[k] = tangent
        samples.normal[k] = tangent
        samples.albedo[k] = mesh.tint[face - mesh.faces.shape[0]]
        samples.gloss[k] = wp.vec3(-1.0, 0.0, 0.0)
        return
    corner = mesh.faces[face]
    a = shown.seen[corner[0]]
    b = shown.seen[corner[1]]
    c = shown.seen[corner[2]]
    area = edge(a, b, c[0], c[1])
    u = wp.clamp(edge(b, c, x, y) / area, 0.0, 1.0)
    v = wp.clamp(edge(c, a, x, y) / area, 0.0, 1.0)
    w = wp.max(1.0 - u - v, 0.0)
    pa = mesh.posed[corner[0]]
    pb = mesh.posed[corner[1]]
    pc = mesh.posed[corner[2]]
    samples.position[k] = pa * u + pb * v + pc * w
    smooth = wp.normalize(
        mesh.normals[corner[0]] * u + mesh.normals[corner[1]] * v + mesh.normals[corner[2]] * w
    )
    most = texels.steps[face]
    s = v * float(most)
    t = w * float(most)
    i = wp.min(int(s), most - 1)
    j = wp.min(int(t), most - 1 - i)
    s = s - float(i)
    t = t - float(j)
    right = _texel(texels.first[face], most, i + 1, j)
    below = _texel(texels.first[face], most, i, j + 1)
    rise_s = float(0)
    rise_t = float(0)
    at = wp.vec3i(_texel(texels.first[face], most, i, j), right, below)
    mixed = wp.vec3(1.0 - s - t, s, t)
    if s + t > 1.0 and i + j < most - 1:
        opposite = _texel(texels.first[face], most, i + 1, j + 1)
        at = wp.vec3i(opposite, below, right)
        mixed = wp.vec3(s + t - 1.0, 1.0 - s, 1.0 - t)
        rise_s = texels.height[opposite] - texels.height[below]
        rise_t = texels.height[opposite] - texels.height[right]
    else:
        rise_s = texels.height[right] - texels.height[at[0]]
        rise_t = texels.height[below] - texels.height[at[0]]
    edge_s = (pb - pa) / float(most)
    edge_t = (pc - pa) / float(most)
    across = wp.cross(edge_s, edge_t)
    size = wp.max(wp.dot(across, across), 1.0e-16)
    slope = (wp.cross(edge_t, across) * rise_s + wp.cross(across, edge_s) * rise_t) / size
    # Bumps finer than texels come out too steep: the steeper, the more they are flattened.
    bumped = wp.normalize(smooth - slope / (1.0 + wp.length(slope) / _STEEPEST))
    tone = _mix(texels.values[0], at, mixed)
    # At its rim, faces of a layer's far side stick out: they are no lining yet.
    if area > 0.0 and wp.dot(smooth, wp.normalize(eye - samples.position[k])) < -_TURNED:
        bumped = -bumped
        smooth = -smooth
        tone = tone * _LINING
    samples.plain[k] = smooth
    samples.normal[k] = bumped
    samples.albedo[k] = tone
    samples.gloss[k] = _mix(texels.values[1], at, mixed)
    samples.wrap[k] = _mix(texels.values[2], at, mixed)
