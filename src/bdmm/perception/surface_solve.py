"""Solves for the pose that moves points of a fitted body's surface to displacement targets.

Gauss-Newton on joint rotations, scale and translation, and on the shape where it is free, with
Geman and McClure's robust weights and a Gaussian prior on changes. Frames are solved in a batch.
"""

from dataclasses import dataclass, replace

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import axis_angle_to_matrix, pose_bones
from bdmm.body.skinning import point_features
from bdmm.perception.pose_optimiser import BODY_HEIGHT, UNIT_HEIGHT
from bdmm.records import BONE_NAMES, BONE_PARENTS, Motion

SIGMA = 6.0
"""Pixels of the fit (person 160 tall) at which the robust loss is half its limit."""
TRUST = 400.0
"""Weight of the mean squared residual (pixels of the fit) against the prior's squared changes."""
LOOSE_SIGMA, STIFF_SIGMA = 0.12, 0.05
"""Prior's standard deviation in radians: shoulders, elbows, hips and knees; all other joints."""
SCALE_SIGMA, TRANSLATION_SIGMA, SHAPE_SIGMA = 0.02, 2.0, 0.35
"""The same for scale (relative), translation (pixels of the fit) and each shape component."""
ITERATIONS = 4
"""Gauss-Newton steps: two more move the surface by 0.001 pixels of the fit, 0.02 at most."""

_LOOSE = ("shoulder", "elbow", "hip", "knee")
_TURNS = 3 * len(BONE_NAMES)
_FIXED = _TURNS + 3


@dataclass(frozen=True)
class DisplacementTargets:
    """Where points of the surface shall move.

    Attributes:
        shift: ``t p 2`` (x, y) displacement of each in pixels of the frame.
        known: ``t p`` for which points the displacement is known.
    """

    vertices: Int[Tensor, "p"]
    shift: Float[Tensor, "t p 2"]
    known: Bool[Tensor, "t p"]


def solve(
    body: SkinnedBody, motion: Motion, targets: DisplacementTargets, free_shape: bool = False
) -> Motion:
    """Return the motion that brings the points to their targets, as far as the prior allows.

    Args:
        motion: ``t`` frames; a single one where the shape is free.
    """
    assert len(motion) == 1 or not free_shape
    unit = (motion.scale * BODY_HEIGHT / UNIT_HEIGHT)[:, None, None]
    surface = body.part(targets.vertices)
    points = _points(surface, motion)
    goals = points + targets.shift
    deviations = _deviations(motion, free_shape)
    changed = torch.zeros(len(motion), deviations.shape[1]).to(deviations)
    share = TRUST / targets.known.sum(1, keepdim=True).clamp_min(1)
    for _ in range(ITERATIONS):
        residual = (goals - points) / unit
        weight = share * targets.known / (1 + residual.square().sum(-1) / SIGMA**2).square()
        jacobian = _jacobian(surface, motion, free_shape) / unit[..., None]
        jacobian = jacobian * deviations[:, None, None]
        weighted = rearrange(jacobian * weight[..., None, None], "t p xy m -> t m (p xy)")
        jacobian = rearrange(jacobian, "t p xy m -> t (p xy) m")
        normal = weighted @ jacobian + torch.eye(jacobian.shape[-1]).to(jacobian)
        gradient = (weighted @ rearrange(residual, "t p xy -> t (p xy) 1"))[..., 0] - changed
        step = torch.linalg.solve(normal, gradient)
        changed = changed + step
        motion = _moved(motion, step * deviations, free_shape)
        points = _points(surface, motion)
    return motion


def _deviations(motion: Motion, free_shape: bool) -> Float[Tensor, "t m"]:
    """Return the prior's standard deviations of rotations, scale, translation and shape."""
    loose = torch.tensor([name.endswith(_LOOSE) for name in BONE_NAMES])
    turns = repeat(torch.where(loose, LOOSE_SIGMA, STIFF_SIGMA), "n -> (n i)", i=3)
    one = torch.cat((turns, turns.new_tensor([SCALE_SIGMA]))).to(motion.scale)
    translation = TRANSLATION_SIGMA * motion.scale[:, None] * BODY_HEIGHT / UNIT_HEIGHT
    parts = [one.expand(len(motion), -1), translation.expand(-1, 2)]
    if free_shape:
        parts.append(torch.full_like(motion.shape, SHAPE_SIGMA).expand(len(motion), -1))
    return torch.cat(parts, dim=1)


def _moved(motion: Motion, step: Float[Tensor, "t m"], free_shape: bool) -> Motion:
    turn = rearrange(step[:, :_TURNS], "t (n i) -> t n i", i=3)
    return replace(
        motion,
        rotations=motion.rotations @ axis_angle_to_matrix(turn),
        scale=motion.scale * step[:, _TURNS].exp(),
        translation=motion.translation + step[:, _TURNS + 1 : _FIXED],
        shape=motion.shape + step[0, _FIXED:] if free_shape else motion.shape,
    )


def _points(surface: SkinnedBody, motion: Motion) -> Tensor:
    """Return ``t p 2`` projected vertices in pixels of the frame."""
    posed = surface.vertices(motion.shape, motion.rotations)
    return project(posed, motion.scale, motion.translation)[..., :2]


def _jacobian(surface: SkinnedBody, motion: Motion, free_shape: bool) -> Float[Tensor, "t p 2 m"]:
    """Return derivatives of the points, in pixels of the frame, by the unknowns of `solve`."""
    joints = surface.joints(motion.shape)
    bones = pose_bones(motion.rotations, joints)
    features = point_features(surface.rest_vertices(motion.shape), surface.weights, joints)
    # Each bone's share of each point; summed over the bones below a joint: the joint's lever arms.
    carried = torch.einsum("tnij,pnj->tpni", bones, features)
    below = _below().to(carried)
    arms = torch.einsum("jn,tpni->tpji", below, carried)
    held = features[..., 3] @ below.mT
    arms = arms - torch.einsum("pj,tji->tpji", held, bones[..., 3])
    axes = rearrange(bones[..., :3], "t n xyz i -> t 1 n i xyz")
    swept = torch.linalg.cross(axes, arms[..., None, :], dim=-1)[..., :2]
    scale = motion.scale[:, None, None, None]
    turns = scale * rearrange(swept, "t p n i xy -> t p xy (n i)")
    scaled = scale * carried.sum(dim=2)[..., :2, None]
    translation = torch.eye(2).to(turns).expand(*turns.shape[:2], 2, 2)
    parts = [turns, scaled, translation]
    if free_shape:
        parts.append(scale * _shape_jacobian(surface, motion))
    return torch.cat(parts, dim=-1)


def _shape_jacobian(surface: SkinnedBody, motion: Motion) -> Float[Tensor, "1 p 2 s"]:
    """Return derivatives of posed points by the shape, metres; exact, as they are linear in it."""
    directions = torch.cat(
        (torch.zeros_like(motion.shape)[None], torch.eye(surface.shape_size).to(motion.shape))
    )
    posed = surface.vertices(directions, motion.rotations.expand(len(directions), -1, -1, -1))
    return rearrange(posed[1:] - posed[:1], "s p xyz -> 1 p xyz s")[:, :, :2]


def _below() -> Float[Tensor, "n n"]:
    """Return a row for each joint: 1 for the bones that turn with it."""
    below = torch.eye(len(BONE_PARENTS))
    for bone in range(len(BONE_PARENTS) - 1, 0, -1):
        below[BONE_PARENTS[bone]] += below[bone]
    return below
