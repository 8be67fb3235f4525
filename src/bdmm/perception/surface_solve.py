"""Solves for the pose that moves points of a fitted body's surface to displacement targets.

Gauss-Newton on joint rotations, scale and translation, and on the shape where it is free, with
robust weights and a Gaussian prior on changes. Frames are solved in a batch.
"""

from dataclasses import dataclass, replace

import torch
from einops import repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.body.model import SkinnedBody
from bdmm.perception.gauss_newton import Residuals, robust_weight, solve_step
from bdmm.perception.pose_jacobian import SkinnedPoints, apply_step
from bdmm.perception.pose_optimiser import BODY_HEIGHT, UNIT_HEIGHT
from bdmm.records import BONE_NAMES, Motion

SIGMA = 6.0
"""Pixels of the fit (person 160 tall) at which the robust loss is half its limit."""
TRUST = 400.0
"""Weight of the mean squared residual (pixels of the fit) against the prior's squared changes."""
LOOSE_SIGMA, STIFF_SIGMA = 0.12, 0.05
"""Prior's standard deviation in radians: shoulders, elbows, hips and knees; all other joints."""
SCALE_SIGMA, TRANSLATION_SIGMA, SHAPE_SIGMA = 0.02, 2.0, 0.35
"""The same for scale (relative), translation (pixels of the fit) and each shape component."""
ITERATIONS = 3
"""Gauss-Newton steps: three more move the surface by 0.006 pixels of the fit, 0.07 at most."""

_LOOSE = ("shoulder", "elbow", "hip", "knee")


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
    skinned = SkinnedPoints(body, body.part(targets.vertices).vertex_features)
    prior_weights = _prior_weights(motion, free_shape)
    changed = torch.zeros_like(prior_weights)
    share = TRUST * targets.known / targets.known.sum(1, keepdim=True).clamp_min(1)
    start = skinned.jacobian(motion, motion.shape, free_shape=False)
    goals = start.points(motion.translation)[..., :2] + targets.shift
    for _ in range(ITERATIONS):
        jacobian = skinned.jacobian(motion, motion.shape, free_shape)
        points = jacobian.points(motion.translation)
        gap = points[..., :2] - goals
        weight = robust_weight((gap / unit).square().sum(-1), SIGMA) * share
        weight = (weight[..., None] / unit.square()).expand_as(gap)
        coordinates = torch.arange(points.numel()).view_as(points)[..., :2]
        displacement = Residuals.single(coordinates, gap, weight)
        prior = Residuals.single(torch.arange(jacobian.count), changed, prior_weights)
        step = solve_step(jacobian, [displacement], [prior])
        frames, shape = jacobian.split(step)
        changed = changed + step
        motion = apply_step(motion, frames)
        if free_shape:
            motion = replace(motion, shape=motion.shape + shape)
    return motion


def _prior_weights(motion: Motion, free_shape: bool) -> Float[Tensor, "m"]:
    """Return the prior's weights of rotations, scale and translation of each frame, and shape."""
    loose = torch.tensor([name.endswith(_LOOSE) for name in BONE_NAMES])
    turns = repeat(torch.where(loose, LOOSE_SIGMA, STIFF_SIGMA), "n -> (n i)", i=3)
    one = torch.cat((turns, turns.new_tensor([SCALE_SIGMA]))).to(motion.scale)
    translation = TRANSLATION_SIGMA * motion.scale[:, None] * BODY_HEIGHT / UNIT_HEIGHT
    frames = torch.cat((one.expand(len(motion), -1), translation.expand(-1, 2)), dim=1)
    shape = torch.full_like(motion.shape if free_shape else motion.shape[:0], SHAPE_SIGMA)
    return torch.cat((frames.flatten(), shape)) ** -2
