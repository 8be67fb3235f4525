"""Turns a fitted body's joints so that points of its surface come to lie where they are wanted.

Gauss-Newton on the joints' turns, size and place, and on the shape where it is free, with Geman and
McClure's robust weights and a prior that holds changes small. Frames are solved side by side.
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
"""Pixels of the fit at which a point's pull is halfway to fading out."""
TRUST = 400.0
"""What the points' mean squared distance, in pixels of the fit, weighs against squared changes."""
LOOSE_TURN, STIFF_TURN = 0.12, 0.05
"""Radians that count as a change of 1: shoulders, elbows, hips and knees, and all other joints."""
GROW, MOVE, RESHAPE = 0.02, 2.0, 0.35
"""The same for size (a share of it), place (pixels of the fit) and each shape component."""
ROUNDS = 6

_LOOSE = ("shoulder", "elbow", "hip", "knee")
_TURNS = 3 * len(BONE_NAMES)
_FIXED = _TURNS + 3


@dataclass(frozen=True)
class Pull:
    """Where points of the surface are wanted.

    Attributes:
        vertices: ``p`` indices into the body's vertices.
        shift: ``t p 2`` (x, y) from where each is to where it is wanted, in pixels of the frame.
        known: ``t p`` of which points that is known.
    """

    vertices: Int[Tensor, "p"]
    shift: Float[Tensor, "t p 2"]
    known: Bool[Tensor, "t p"]


def follow(body: SkinnedBody, motion: Motion, pull: Pull, free_shape: bool = False) -> Motion:
    """Return the motion after the pull.

    Args:
        body: that the motion belongs to.
        motion: ``t`` frames; a single one where the shape is free.
        pull: on the body's surface.
        free_shape: whether the shape may change as well.
    """
    assert len(motion) == 1 or not free_shape
    unit = (motion.scale * BODY_HEIGHT / UNIT_HEIGHT)[:, None, None]
    points = _points(body, motion, pull.vertices)
    goals = points + pull.shift
    sizes = _sizes(motion, free_shape)
    changed = torch.zeros(len(motion), sizes.shape[1]).to(sizes)
    share = TRUST / pull.known.sum(1, keepdim=True).clamp_min(1)
    for _ in range(ROUNDS):
        missed = (goals - points) / unit
        weight = share * pull.known / (1 + missed.square().sum(-1) / SIGMA**2).square()
        slopes = _slopes(body, motion, pull.vertices, free_shape) / unit[..., None]
        slopes = slopes * sizes[:, None, None]
        pulled = rearrange(slopes * weight[..., None, None], "t p xy m -> t m (p xy)")
        slopes = rearrange(slopes, "t p xy m -> t (p xy) m")
        normal = pulled @ slopes + torch.eye(slopes.shape[-1]).to(slopes)
        wish = (pulled @ rearrange(missed, "t p xy -> t (p xy) 1"))[..., 0] - changed
        step = torch.linalg.solve(normal, wish)
        changed = changed + step
        motion = _moved(motion, step * sizes, free_shape)
        points = _points(body, motion, pull.vertices)
    return motion


def _sizes(motion: Motion, free_shape: bool) -> Float[Tensor, "t m"]:
    """Return what counts as a change of 1, for turns, size, place and shape."""
    loose = torch.tensor([name.endswith(_LOOSE) for name in BONE_NAMES])
    turns = repeat(torch.where(loose, LOOSE_TURN, STIFF_TURN), "n -> (n way)", way=3)
    one = torch.cat((turns, turns.new_tensor([GROW]))).to(motion.scale)
    place = MOVE * motion.scale[:, None] * BODY_HEIGHT / UNIT_HEIGHT
    parts = [one.expand(len(motion), -1), place.expand(-1, 2)]
    if free_shape:
        parts.append(torch.full_like(motion.shape, RESHAPE).expand(len(motion), -1))
    return torch.cat(parts, dim=1)


def _moved(motion: Motion, step: Float[Tensor, "t m"], free_shape: bool) -> Motion:
    turn = rearrange(step[:, :_TURNS], "t (n way) -> t n way", way=3)
    return replace(
        motion,
        rotations=motion.rotations @ axis_angle_to_matrix(turn),
        scale=motion.scale * step[:, _TURNS].exp(),
        translation=motion.translation + step[:, _TURNS + 1 : _FIXED],
        shape=motion.shape + step[0, _FIXED:] if free_shape else motion.shape,
    )


def _points(body: SkinnedBody, motion: Motion, vertices: Int[Tensor, "p"]) -> Tensor:
    """Return ``t p 2`` where the vertices are seen, in pixels of the frame."""
    posed = body.vertices(motion.shape, motion.rotations, vertices)
    return project(posed, motion.scale, motion.translation)[..., :2]


def _slopes(
    body: SkinnedBody, motion: Motion, vertices: Int[Tensor, "p"], free_shape: bool
) -> Float[Tensor, "t p 2 m"]:
    """Return how the points move with turns, size, place and shape, in pixels of the frame."""
    joints = body.joints(motion.shape)
    bones = pose_bones(motion.rotations, joints)
    features = point_features(
        body.rest_vertices(motion.shape, vertices), body.weights[vertices], joints
    )
    # What each bone carries of each point, and of that what hangs on each joint, from the joint.
    carried = torch.einsum("tnij,pnj->tpni", bones, features)
    below = _below().to(carried)
    arms = torch.einsum("jn,tpni->tpji", below, carried)
    held = features[..., 3] @ below.mT
    arms = arms - torch.einsum("pj,tji->tpji", held, bones[..., 3])
    axes = rearrange(bones[..., :3], "t n xyz way -> t 1 n way xyz")
    swept = torch.linalg.cross(axes, arms[..., None, :], dim=-1)[..., :2]
    scale = motion.scale[:, None, None, None]
    turns = scale * rearrange(swept, "t p n way xy -> t p xy (n way)")
    grown = scale * carried.sum(dim=2)[..., :2, None]
    place = torch.eye(2).to(turns).expand(*turns.shape[:2], 2, 2)
    parts = [turns, grown, place]
    if free_shape:
        parts.append(scale * _shape_slopes(body, motion, vertices))
    return torch.cat(parts, dim=-1)


def _shape_slopes(
    body: SkinnedBody, motion: Motion, vertices: Int[Tensor, "p"]
) -> Float[Tensor, "1 p 2 s"]:
    """Return how posed points move with the shape, metres; exact, as they are linear in it."""
    ways = torch.cat(
        (torch.zeros_like(motion.shape)[None], torch.eye(body.shape_size).to(motion.shape))
    )
    posed = body.vertices(ways, motion.rotations.expand(len(ways), -1, -1, -1), vertices)
    return rearrange(posed[1:] - posed[:1], "s p xyz -> 1 p xyz s")[:, :, :2]


def _below() -> Float[Tensor, "n n"]:
    """Return for each joint 1 for the bones that turn with it."""
    below = torch.eye(len(BONE_PARENTS))
    for bone in range(len(BONE_PARENTS) - 1, 0, -1):
        below[BONE_PARENTS[bone]] += below[bone]
    return below
