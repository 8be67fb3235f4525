"""Which photo shows a moving person best: for each frame of a motion, smooth in time."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.appearance.photo_view import PhotoView
from bdmm.body.clothed_body import vertex_normals
from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import chain
from bdmm.records import Motion

SMOOTHING = 0.12
"""Seconds, standard deviation of the smoothing over time."""
_EVERY = 8
"""Every N-th vertex counts: a thousand and more."""
_RUN = 256


def shares_shown(
    body: SkinnedBody, views: Sequence[PhotoView], motion: Motion
) -> Float[Tensor, "t k"]:
    """Return the share of each frame's visible surface that each photo shows, in [0, 1].

    Limbs that hide each other in the frame don't matter. Smooth over time, whatever the windows in
    which the motion is rendered.

    Args:
        body: in the person's clothes.
        motion: all of the frames, retargeted.
    """
    chosen = slice(None, None, _EVERY)
    area = vertex_areas(body.rest_vertices(motion.shape), body)[chosen]
    trust = torch.stack([view.trust[chosen] for view in views], dim=1)
    runs = []
    for start in range(0, len(motion), _RUN):
        facing = vertex_facing(body, motion[start : start + _RUN], chosen)
        seen = facing.clamp(min=0) * area
        runs.append((seen @ trust) / seen.sum(dim=1, keepdim=True).clamp(min=1e-9))
    return smooth_in_time(torch.cat(runs), SMOOTHING * float(motion.fps))


def vertex_facing(
    body: SkinnedBody, motion: Motion, chosen: slice = slice(None)
) -> Float[Tensor, "t v"]:
    """Return the cosine between each vertex's normal and the direction to the camera.

    Normals turn with the vertex's first bone.
    """
    normals = vertex_normals(body.rest_vertices(motion.shape), body.faces)[chosen]
    forward = chain(motion.rotations)[:, body.vertex_bones[chosen], 2]
    return -(forward * normals).sum(dim=-1)


def smooth_in_time(values: Float[Tensor, "t k"], deviation: float) -> Float[Tensor, "t k"]:
    """Return Gaussian means over time; the ends are repeated beyond the clip."""
    reach = max(1, round(3 * deviation))
    steps = torch.arange(-reach, reach + 1).to(values)
    kernel = torch.softmax(-0.5 * (steps / max(deviation, 1e-3)).square(), dim=0)
    padded = torch.cat((values[:1].expand(reach, -1), values, values[-1:].expand(reach, -1)))
    return torch.nn.functional.conv1d(padded.T[:, None], kernel[None, None])[:, 0].T


def vertex_areas(vertices: Float[Tensor, "v 3"], body: SkinnedBody) -> Float[Tensor, "v"]:
    """Return a third of the area of the faces around each vertex."""
    first, second, third = vertices[body.faces].unbind(dim=1)
    area = torch.linalg.cross(second - first, third - first).norm(dim=1) / 6
    total = vertices.new_zeros(len(vertices))
    for corner in range(3):
        total = total.index_add(0, body.faces[:, corner], area)
    return total
