"""Rotations as 3x3 matrices: exponential map, its inverse, interpolation, frames, bone chains."""

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.records import BONE_PARENTS
from bdmm.shapes import Rotations

_SMALL = 1e-4
"""Squared angle under which series replace the trigonometric quotients."""


def _bone_levels() -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Return for each depth of the tree how many bones it has, and their parents' places above.

    Relies on the bones being listed level by level.
    """
    levels: list[tuple[int, tuple[int, ...]]] = [(1, (0,))]
    above, start = (0,), 1
    while start < len(BONE_PARENTS):
        bones = tuple(n for n, parent in enumerate(BONE_PARENTS) if parent in above)
        assert bones == tuple(range(start, start + len(bones)))
        levels.append((len(bones), tuple(above.index(BONE_PARENTS[n]) for n in bones)))
        above, start = bones, start + len(bones)
    return tuple(levels)


_LEVELS = _bone_levels()


def axis_angle_to_matrix(axis_angle: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Return the rotation by ``|axis_angle|`` radians about its direction (Rodrigues' formula).

    Smooth everywhere, at zero too.

    Args:
        axis_angle: ``*b 3`` radians, any length.
    """
    squared = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = squared < _SMALL
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - squared / 6 + squared**2 / 120, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - squared / 24 + squared**2 / 720, (1 - angle.cos()) / safe)
    cross = cross_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * cross + cosine * (cross @ cross)


def matrix_to_axis_angle(matrix: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
    """Return the rotation vector of each matrix, its length in [0, pi].

    Goes through the quaternion's largest component, so it is accurate at every angle; the sign is
    arbitrary at exactly pi.
    """
    quaternion = _matrix_to_quaternion(matrix)
    real, imaginary = quaternion[..., :1], quaternion[..., 1:]
    squared = (imaginary * imaginary).sum(-1, keepdim=True)
    small = squared < _SMALL**2
    norm = torch.where(small, torch.ones_like(squared), squared).sqrt()
    factor = torch.where(small, 2 + squared / 3, 2 * torch.atan2(norm, real) / norm)
    return factor * imaginary


def interpolate(
    start: Float[Tensor, "*#b 3 3"], end: Float[Tensor, "*#b 3 3"], weight: Float[Tensor, "*#b"]
) -> Float[Tensor, "*b2 3 3"]:
    """Return the rotation at ``weight`` of the shortest way from ``start`` (0) to ``end`` (1).

    Constant angular speed along the geodesic (slerp); weights outside [0, 1] extrapolate.
    """
    step = matrix_to_axis_angle(start.mT @ end)
    return start @ axis_angle_to_matrix(weight[..., None] * step)


def angle_between(
    first: Float[Tensor, "*#b 3 3"], second: Float[Tensor, "*#b 3 3"]
) -> Float[Tensor, "*b2"]:
    """Return the angle in radians, [0, pi], of the rotation that takes one to the other."""
    return matrix_to_axis_angle(first.mT @ second).norm(dim=-1)


def rotation_between(
    start: Float[Tensor, "*#b 3"], end: Float[Tensor, "*#b 3"]
) -> Float[Tensor, "*b2 3 3"]:
    """Return the smallest rotation that turns the direction ``start`` into ``end``.

    Lengths don't matter; of opposite directions the half turn about some perpendicular is taken.
    """
    start, end = torch.broadcast_tensors(_unit(start), _unit(end))
    axis = torch.linalg.cross(start, end)
    cosine = (start * end).sum(-1)[..., None, None]
    cross = cross_matrix(axis)
    identity = torch.eye(3, dtype=start.dtype, device=start.device)
    rotation = identity + cross + cross @ cross / (1 + cosine).clamp_min(1e-6)
    side = _unit(torch.linalg.cross(start, _unlike(start)))
    half_turn = 2 * side[..., :, None] * side[..., None, :] - identity
    return torch.where(cosine < -1 + 1e-6, half_turn, rotation)


def frame(primary: Float[Tensor, "*#b 3"], secondary: Float[Tensor, "*#b 3"]) -> Tensor:
    """Return right-handed orthonormal axes as the columns of ``*b 3 3``.

    The first column is ``primary``'s direction, the second is the part of ``secondary`` that is
    perpendicular to it (Gram-Schmidt), the third their cross product. Some direction is taken for
    a ``primary`` of no length and for a ``secondary`` along it.
    """
    first, secondary = torch.broadcast_tensors(_unit(primary), secondary)
    first = torch.where(_vanishes(first), _unlike(first), first)
    second = _unit(secondary - (secondary * first).sum(-1, keepdim=True) * first)
    other = _unit(torch.linalg.cross(first, _unlike(first)))
    second = torch.where(_vanishes(second), other, second)
    return torch.stack((first, second, torch.linalg.cross(first, second)), dim=-1)


def chain(local: Rotations) -> Rotations:
    """Return each bone's orientation in the camera from the local rotations, ``*b 24 3 3``.

    ``global[bone] = global[parent] @ local[bone]``; bone 0 is its own.
    """
    groups = local.split([size for size, _ in _LEVELS], dim=-3)
    levels = [groups[0]]
    for group, (_, parents) in zip(groups[1:], _LEVELS[1:], strict=True):
        levels.append(_pick(levels[-1], parents) @ group)
    return torch.cat(levels, dim=-3)


def unchain(orientations: Rotations) -> Rotations:
    """Return local rotations from each bone's orientation in the camera: the inverse of `chain`."""
    parents = list(BONE_PARENTS[1:])
    local = orientations[..., parents, :, :].mT @ orientations[..., 1:, :, :]
    return torch.cat((orientations[..., :1, :, :], local), dim=-3)


def pose_bones(
    rotations: Float[Tensor, "*#b n 3 3"], joints: Float[Tensor, "*#b n 3"]
) -> Float[Tensor, "*b2 n 3 4"]:
    """Return each bone's posed frame: orientation and the position of its joint, side by side.

    The bone's point at rest position ``X`` goes to ``frame[:, :3] @ (X - joint) + frame[:, 3]``.
    The pelvis stays where it is at rest.

    Args:
        rotations: ``*b 24 3 3`` local rotations.
        joints: ``*b 24 3`` rest positions in metres; batch dimensions broadcast.
    """
    offsets = torch.cat((joints[..., :1, :], joints[..., 1:, :] - _parents_of(joints)), dim=-2)
    # torch's own would import SymPy, which takes half a second.
    batch = np.broadcast_shapes(rotations.shape[:-3], offsets.shape[:-2])
    offsets = offsets.expand(*batch, *offsets.shape[-2:])
    rotations = rotations.expand(*batch, *rotations.shape[-3:])
    local = torch.cat((rotations, offsets[..., None]), dim=-1)
    groups = local.split([size for size, _ in _LEVELS], dim=-3)
    levels = [groups[0]]
    for group, (_, parents) in zip(groups[1:], _LEVELS[1:], strict=True):
        parent = _pick(levels[-1], parents)
        turned = parent[..., :3] @ group
        levels.append(torch.cat((turned[..., :3], turned[..., 3:] + parent[..., 3:]), dim=-1))
    return torch.cat(levels, dim=-3)


def cross_matrix(vector: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Return the matrix that multiplies as ``cross(vector, .)`` does."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1)
    return rearrange(rows, "... (i j) -> ... i j", i=3)


def _pick(above: Tensor, places: tuple[int, ...]) -> Tensor:
    """Return the bones of one level that stand at ``places``, as a view where that is possible."""
    first, last = places[0], places[-1]
    if places == tuple(range(first, last + 1)):
        return above[..., first : last + 1, :, :]
    bones = above.unbind(dim=-3)
    return torch.stack([bones[place] for place in places], dim=-3)


def _parents_of(joints: Tensor) -> Tensor:
    return joints[..., list(BONE_PARENTS[1:]), :]


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def _vanishes(unit: Tensor) -> Tensor:
    """Return which of `_unit`'s results come from vectors of no length."""
    return unit.norm(dim=-1, keepdim=True) < 0.5


def _unlike(vector: Tensor) -> Tensor:
    """Return for each vector the coordinate axis that is most nearly perpendicular to it."""
    place: Int[Tensor, "*b"] = vector.abs().argmin(dim=-1)
    return torch.nn.functional.one_hot(place, 3).to(vector.dtype)


def _matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Return unit quaternions (w, x, y, z) with w >= 0."""
    xx, yy, zz = matrix[..., 0, 0], matrix[..., 1, 1], matrix[..., 2, 2]
    wx, wy = matrix[..., 2, 1] - matrix[..., 1, 2], matrix[..., 0, 2] - matrix[..., 2, 0]
    wz = matrix[..., 1, 0] - matrix[..., 0, 1]
    xy, xz = matrix[..., 0, 1] + matrix[..., 1, 0], matrix[..., 0, 2] + matrix[..., 2, 0]
    yz = matrix[..., 1, 2] + matrix[..., 2, 1]
    # Row i is 4 q_i q: each row is the quaternion up to scale, best where q_i is largest.
    table = torch.stack(
        (
            torch.stack((1 + xx + yy + zz, wx, wy, wz), dim=-1),
            torch.stack((wx, 1 + xx - yy - zz, xy, xz), dim=-1),
            torch.stack((wy, xy, 1 - xx + yy - zz, yz), dim=-1),
            torch.stack((wz, xz, yz, 1 - xx - yy + zz), dim=-1),
        ),
        dim=-2,
    )
    best = table.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    row = table.gather(-2, repeat(best, "... -> ... 1 c", c=4))[..., 0, :]
    quaternion = _unit(row)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
