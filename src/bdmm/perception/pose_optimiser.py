"""Improves poses by descent on keypoints, silhouettes, smoothness over time and a prior."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.perception.point_tracks import PointTrackTerm
from bdmm.perception.pose import PointTrack, Silhouette
from bdmm.perception.pose_prior import PosePrior
from bdmm.perception.silhouette import SilhouetteTerm, fade, spread_vertices
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES
from bdmm.shapes import Rotations

UNIT_HEIGHT = 160.0
"""The person's height in pixels of the fit; all weights and limits below are made for it."""
BODY_HEIGHT = 1.7
"""Metres that a person of ``UNIT_HEIGHT`` pixels is taken to have."""
KEYPOINT_SIGMA = 12.0
DEPTH_SIGMA = 25.0
REACH = 30.0
"""Pixels of the fit by which one unit of the optimiser's step moves a body."""
ROTATION_BUMPS = 100.0
"""Squared pixels that a unit of uneven turning weighs as much as."""
RATES = {"turn": 0.02, "move": 0.01, "shape": 0.05}
_HIP = KEYPOINT_NAMES.index("mid_hip")


@dataclass(frozen=True)
class Evidence:
    """What the optimiser sees of ``t`` frames, in pixels of the fit.

    Attributes:
        points: ``t k 2`` keypoints.
        depth: ``t k`` their depth, 0 at the hips.
        trust: ``t k`` weights of the keypoints.
        silhouettes: of some of the frames, numbered within the ``t``.
        point_tracks: points followed from frame to frame, numbered within the ``t``.
        origin: (x, y) pixels of the frame at zero of the fit's coordinates.
        unit: pixels of the frame per pixel of the fit.
    """

    points: Float[Tensor, "t k 2"]
    depth: Float[Tensor, "t k"]
    trust: Float[Tensor, "t k"]
    silhouettes: tuple[Silhouette, ...]
    origin: Float[Tensor, "2"]
    unit: float
    point_tracks: tuple[PointTrack, ...] = ()

    def part(
        self,
        frames: Sequence[int],
        silhouettes: Sequence[Silhouette],
        point_tracks: Sequence[PointTrack] = (),
    ) -> "Evidence":
        """Return the evidence of some of the frames.

        Args:
            frames: their indices in the clip.
            silhouettes: of these frames, numbered in the clip.
            point_tracks: numbered in the clip; those to other frames are left out.
        """
        index = list(frames)
        places = {frame: place for place, frame in enumerate(index)}
        chosen = [replace(one, frame=places[one.frame]) for one in silhouettes]
        within = [
            replace(one, start=places[one.start], end=places[one.end])
            for one in point_tracks
            if one.start in places and one.end in places
        ]
        return replace(
            self,
            points=self.points[index],
            depth=self.depth[index],
            trust=self.trust[index],
            silhouettes=tuple(chosen),
            point_tracks=tuple(within),
        )


@dataclass(frozen=True)
class Pose:
    """Rotations and camera of ``t`` frames; scale and translation in pixels of the fit."""

    rotations: Rotations
    scale: Float[Tensor, "t"]
    translation: Float[Tensor, "t 2"]


@dataclass(frozen=True)
class Weights:
    """How much each wish counts against squared pixels of keypoint error."""

    depth: float = 0.15
    smooth: float = 0.1
    prior: float = 2.0
    shape: float = 1.0
    silhouette: float = 40.0
    tracks: float = 1.0
    steady_scale: float = 2e4


class PoseOptimiser:
    """Adam on all frames at once; rotations move as ``start @ exp(w)``.

    Args:
        evidence: of ``t`` frames.
        body: the body.
        shape: its shape components; the optimisation's start where it is free.
        weights: of the wishes.
    """

    def __init__(
        self,
        evidence: Evidence,
        body: SkinnedBody,
        shape: Float[Tensor, "s"],
        weights: Weights,
    ) -> None:
        self.evidence, self.body, self.shape, self.weights = evidence, body, shape, weights
        self.prior = PosePrior(body, shape)
        rest = torch.eye(3, dtype=shape.dtype, device=shape.device).expand(len(BONE_NAMES), 3, 3)
        self.watched = spread_vertices(body.vertices(shape, rest))
        self.outlined = [one.frame for one in evidence.silhouettes]
        self.outline = None
        if evidence.silhouettes:
            self.outline = SilhouetteTerm(evidence.silhouettes, evidence.origin, evidence.unit)
        self.tracks = None
        if evidence.point_tracks:
            self.tracks = PointTrackTerm(evidence.point_tracks, evidence.origin, evidence.unit)

    def run(self, start: Pose, steps: int, free_shape: bool = False) -> Pose:
        """Return the improved pose; the improved shape is left in ``shape``."""
        turn = torch.zeros_like(start.rotations[..., 0]).requires_grad_()
        move = torch.zeros_like(start.translation).requires_grad_()
        grow = torch.zeros_like(start.scale).requires_grad_()
        shape = self.shape.clone().requires_grad_(free_shape)
        optimiser = torch.optim.Adam(
            [
                {"params": [turn], "lr": RATES["turn"]},
                {"params": [move, grow], "lr": RATES["move"]},
                {"params": [shape] if free_shape else [], "lr": RATES["shape"]},
            ],
            betas=(0.9, 0.99),
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, 1e-3)
        pose = start
        for _ in range(steps):
            pose = _moved(start, turn, grow, move)
            loss = self._loss(pose, shape)
            if free_shape:
                loss = loss + self.weights.shape * len(turn) * shape.square().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        self.shape = shape.detach()
        with torch.no_grad():
            return _moved(start, turn, grow, move)

    def _loss(self, pose: Pose, shape: Float[Tensor, "s"]) -> Tensor:
        evidence, weights = self.evidence, self.weights
        model = rearrange(pose.scale, "t -> t 1 1") * self.body.keypoints(shape, pose.rotations)
        seen = model[..., :2] + pose.translation[:, None]
        squared = (seen - evidence.points).square().sum(-1)
        loss = (evidence.trust * fade(squared, KEYPOINT_SIGMA)).sum()
        depth = model[..., 2] - model[:, _HIP : _HIP + 1, 2] - evidence.depth
        loss = loss + weights.depth * (evidence.trust * fade(depth.square(), DEPTH_SIGMA)).sum()
        loss = loss + weights.prior * self.prior(pose.rotations).sum()
        if weights.smooth > 0 and len(model) > 2:
            points = torch.cat((seen, model[..., 2:]), dim=-1)
            loss = loss + weights.smooth * _bumps(points)
            loss = loss + weights.smooth * ROTATION_BUMPS * _bumps(pose.rotations)
            loss = loss + weights.steady_scale * pose.scale.log().diff(dim=0).square().sum()
        if self.outline is None and self.tracks is None:
            return loss
        return loss + self._surface_loss(self._vertices(pose, shape))

    def _surface_loss(self, vertices: Float[Tensor, "t p 3"]) -> Tensor:
        loss = vertices.new_zeros(())
        if self.outline is not None:
            outline = self.outline(vertices[self.outlined, :, :2])
            loss = loss + self.weights.silhouette * outline.sum()
        if self.tracks is not None:
            loss = loss + self.weights.tracks * self.tracks(vertices)
        return loss

    def _vertices(self, pose: Pose, shape: Float[Tensor, "s"]) -> Float[Tensor, "t p 3"]:
        points = self.body.vertices(shape, pose.rotations, self.watched)
        return project(points, pose.scale, pose.translation)


def _moved(start: Pose, turn: Tensor, grow: Tensor, move: Tensor) -> Pose:
    return Pose(
        start.rotations @ axis_angle_to_matrix(turn),
        start.scale * grow.exp(),
        start.translation + REACH * move,
    )


def _bumps(values: Float[Tensor, "t *c"]) -> Tensor:
    """Return the sum of squared second differences over time."""
    return (values[2:] - 2 * values[1:-1] + values[:-2]).square().sum()
