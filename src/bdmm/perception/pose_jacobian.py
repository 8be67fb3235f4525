"""Derivatives of points of a posed body by its pose and shape: applied, never built as a matrix."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TypeVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import axis_angle_to_matrix, cross_matrix, pose_bones
from bdmm.body.skinning import skin
from bdmm.records import BONE_NAMES, BONE_PARENTS, Motion
from bdmm.shapes import Rotations

TURNS = 3 * len(BONE_NAMES)
UNKNOWNS = TURNS + 3
"""Of a frame: rotation vectors of the bones, logarithm of the growth, (x, y) of the move."""


@dataclass(frozen=True)
class Pose:
    """Rotations and camera of ``t`` frames."""

    rotations: Rotations
    scale: Float[Tensor, "t"]
    translation: Float[Tensor, "t 2"]


_AnyPose = TypeVar("_AnyPose", Pose, Motion)


def apply_step(pose: _AnyPose, step: Float[Tensor, "t u"]) -> _AnyPose:
    """Return a pose changed by a step's frames."""
    turns = step[:, :TURNS].unflatten(1, (-1, 3))
    return replace(
        pose,
        rotations=pose.rotations @ axis_angle_to_matrix(turns),
        scale=pose.scale * step[:, TURNS].exp(),
        translation=pose.translation + step[:, TURNS + 1 :],
    )


class SkinnedPoints:
    """Points that a body's bones carry by linear blend skinning.

    Args:
        features: of the points for a shape, linear in it; see `bdmm.body.skinning.point_features`.
    """

    def __init__(
        self, body: SkinnedBody, features: Callable[[Float[Tensor, "s"]], Float[Tensor, "p n 4"]]
    ) -> None:
        self._body, self._features = body, features

    def jacobian(
        self, pose: Pose | Motion, shape: Float[Tensor, "s"], free_shape: bool
    ) -> "PoseJacobian":
        """Return the derivatives at a pose; those by the shape only where it is free."""
        features = self._features(shape)
        bones = pose_bones(pose.rotations, self._body.joints(shape))
        by_shape = self._by_shape(pose.rotations, features, bones) if free_shape else None
        return PoseJacobian(features, bones, pose.scale, by_shape)

    @cached_property
    def _feature_basis(self) -> Float[Tensor, "q r"]:
        """``(24 4) (p s)`` derivatives of the features by the shape."""
        zero = self._features(torch.zeros(self._body.shape_size))
        units = torch.eye(self._body.shape_size)
        basis = torch.stack([self._features(one) - zero for one in units], dim=-1)
        return rearrange(basis, "p n j s -> (n j) (p s)")

    def _by_shape(
        self,
        rotations: Rotations,
        features: Float[Tensor, "p n 4"],
        bones: Float[Tensor, "t n 3 4"],
    ) -> Float[Tensor, "t p 3 s"]:
        units = torch.eye(self._body.shape_size)
        still, placed = (
            pose_bones(rotations, self._body.joints(shapes)[:, None])[..., 3]
            for shapes in (torch.zeros_like(units[:1]), units)
        )
        turned = rearrange(bones, "t n i j -> (t i) (n j)") @ self._feature_basis
        turned = rearrange(turned, "(t i) (p s) -> t p i s", i=3, s=len(units))
        return turned + torch.einsum("pn,stni->tpis", features[..., 3], placed - still)


class PoseJacobian:
    """Derivatives of points on posed bones by the unknowns of all frames, and by the shape.

    A step is a vector: `UNKNOWNS` of each frame, then the shape's. Rotations change from the right,
    ``rotation @ exp(turn)``.

    Args:
        features: ``p 24 4`` of the points; see `bdmm.body.skinning.point_features`.
        bones: ``t 24 3 4`` posed frames, metres.
        scale: ``t`` pixels per metre.
        by_shape: ``t p 3 s`` derivatives by the shape, metres; none where it is fixed.
    """

    def __init__(
        self,
        features: Float[Tensor, "p n 4"],
        bones: Float[Tensor, "t n 3 4"],
        scale: Float[Tensor, "t"],
        by_shape: Float[Tensor, "t p 3 s"] | None = None,
    ) -> None:
        self._features = features.flatten(1)
        self._carriers = features.norm(dim=2).argmax(dim=1)
        # 1 for a point, which moves with its bones; 0 for a direction, which only turns.
        self._fixed = features[..., 3].sum(dim=1)
        self._axes = bones[..., :3]
        self._frames = scale[:, None, None, None] * bones
        self._joints = self._frames[..., 3]
        self.arms = skin(features, self._frames)
        """``t p 3`` points in pixels from the body's origin."""
        none = self.arms.new_zeros(*self.arms.shape, 0)
        self._by_shape = none if by_shape is None else scale[:, None, None, None] * by_shape
        self._above = _above()

    @property
    def count(self) -> int:
        """Length of a step."""
        return len(self.arms) * UNKNOWNS + self._by_shape.shape[-1]

    def points(self, translation: Float[Tensor, "t 2"]) -> Float[Tensor, "t p 3"]:
        """Return the points in pixels of the frame; directions stay where they are."""
        moves = self._fixed[:, None] * translation[:, None]
        return torch.cat((self.arms[..., :2] + moves, self.arms[..., 2:]), dim=2)

    def split(self, step: Float[Tensor, "m"]) -> tuple[Float[Tensor, "t u"], Float[Tensor, "s"]]:
        """Return a step's frames and its shape."""
        frames, shape = step.split([len(self.arms) * UNKNOWNS, self._by_shape.shape[-1]])
        return frames.view(-1, UNKNOWNS), shape

    def velocities(self, step: Float[Tensor, "m"]) -> Float[Tensor, "t p 3"]:
        """Return ``J @ step``: how the points move."""
        frames, shape = self.split(step)
        turns = (self._axes @ rearrange(frames[:, :TURNS], "t (n i) -> t n i 1", i=3))[..., 0]
        moments = torch.linalg.cross(self._joints, turns)
        turns, moments = (self._above @ torch.cat((turns, moments), dim=2)).split(3, dim=2)
        moved = cross_matrix(turns) @ self._frames
        moved[..., 3] += moments
        moved += frames[:, TURNS, None, None, None] * self._frames
        flat = rearrange(moved, "t n i j -> (t i) (n j)") @ self._features.T
        velocities = rearrange(flat, "(t i) p -> t p i", i=3).contiguous()
        velocities[..., :2] += self._fixed[:, None] * frames[:, None, TURNS + 1 :]
        return velocities + self._by_shape @ shape

    def gradient(self, forces: Float[Tensor, "t p 3"]) -> Float[Tensor, "m"]:
        """Return ``J' @ forces``."""
        flat = rearrange(forces, "t p i -> (t i) p") @ self._features
        pulls = rearrange(flat, "(t i) (n j) -> t n i j", i=3, j=4).contiguous()
        torques = torch.linalg.cross(self._frames, pulls, dim=2).sum(dim=3)
        both = self._above.T @ torch.cat((torques, pulls[..., 3]), dim=2)
        torques, pushes = both.split(3, dim=2)
        turns = torques + torch.linalg.cross(pushes, self._joints)
        turns = (self._axes.mT @ turns[..., None]).flatten(1)
        growth = (pulls * self._frames).sum(dim=(1, 2, 3))
        moves = (self._fixed[:, None] * forces[..., :2]).sum(dim=1)
        frames = torch.cat((turns, growth[:, None], moves), dim=1)
        shape = torch.einsum("tpis,tpi->s", self._by_shape, forces)
        return torch.cat((frames.flatten(), shape))

    def blocks(
        self, weights: Float[Tensor, "t p 3 3"]
    ) -> tuple[Float[Tensor, "t u u"], Float[Tensor, "s s"]]:
        """Return the diagonal blocks of ``J' W J`` of each frame and of the shape, nearly.

        Each point counts with the bone that carries it most. Then the bones' matrices add up
        along the tree (composite rigid bodies: Featherstone, Rigid Body Dynamics Algorithms, 2008).
        """
        order = self._carriers.argsort()
        counts = self._carriers.bincount(minlength=len(BONE_NAMES)).tolist()
        arms = self.arms[:, order]
        fixed = (self._fixed[order, None, None] * torch.eye(3)).expand(len(arms), -1, -1, -1)
        parts = (-cross_matrix(arms), fixed, arms[..., None], fixed[..., :2])
        motions = torch.cat(parts, dim=3)
        weighted = weights[:, order] @ motions
        of_bones = zip(motions.split(counts, dim=1), weighted.split(counts, dim=1), strict=True)
        bodies = torch.stack([a.flatten(1, 2).mT @ b.flatten(1, 2) for a, b in of_bones], dim=1)
        bodies = (self._above.T @ bodies.flatten(2)).unflatten(2, (9, 9))
        joints = torch.linalg.cross(self._joints[..., None], self._axes, dim=2)
        motions = torch.cat((self._axes, joints), dim=2)
        moved = bodies[..., :6] @ motions
        by_turns = torch.einsum("tiak,tjal->tikjl", motions, moved[..., :6, :])
        below = self._above.T[:, None, :, None]
        strictly = below - torch.eye(len(BONE_NAMES))[:, None, :, None]
        strictly = (by_turns * strictly).reshape(-1, TURNS, TURNS)
        by_turns = (by_turns * below).reshape(-1, TURNS, TURNS)
        blocks = weights.new_empty(len(self.arms), UNKNOWNS, UNKNOWNS)
        blocks[:, :TURNS, :TURNS] = by_turns + strictly.mT
        blocks[:, TURNS:, :TURNS] = rearrange(moved[..., 6:, :], "t n i j -> t i (n j)")
        blocks[:, :TURNS, TURNS:] = blocks[:, TURNS:, :TURNS].mT
        blocks[:, TURNS:, TURNS:] = bodies[:, 0, 6:, 6:]
        weighted = torch.einsum("tpij,tpjs->tpis", weights, self._by_shape)
        return blocks, torch.einsum("tpir,tpis->rs", self._by_shape, weighted)


@cache
def _above() -> Float[Tensor, "n n"]:
    """Return a row for each bone: 1 for the joints that carry it, its own included."""
    above = torch.eye(len(BONE_PARENTS))
    for bone, parent in enumerate(BONE_PARENTS[1:], start=1):
        above[bone] += above[parent]
    return above
