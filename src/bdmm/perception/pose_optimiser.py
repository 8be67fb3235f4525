"""Gradient descent on poses: keypoints, silhouettes, point tracks, smoothness in time, a prior."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.perception.descent import Descent
from bdmm.perception.point_tracks import PointTrackTerm
from bdmm.perception.pose import PointTrack, Silhouette
from bdmm.perception.pose_prior import PosePrior
from bdmm.perception.silhouette import SilhouetteTerm, geman_mcclure, spread_vertices
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES
from bdmm.shapes import Rotations

UNIT_HEIGHT = 160.0
"""The person's height in pixels of the fit; all weights and limits below are made for it."""
BODY_HEIGHT = 1.7
"""Metres that a person of ``UNIT_HEIGHT`` pixels is taken to have."""
KEYPOINT_SIGMA, DEPTH_SIGMA = 12.0, 25.0
"""Pixels of the fit at which the robust loss is half its limit: six times the detector's error of
two pixels, and twice that for depth."""
REACH = 30.0
"""Pixels of the fit by which one unit of the optimiser's step moves a body."""
ROTATION_ACCELERATION = 100.0
"""Squared pixels that a unit of angular acceleration counts for: 10 pixels is a hand's lever."""
RATES = {"turn": 0.02, "move": 0.01, "shape": 0.05}
"""Learning rates: radians, units of `REACH` and of log scale, shape components per step."""
_HIP = KEYPOINT_NAMES.index("mid_hip")


@dataclass(frozen=True)
class Observations:
    """The observations of ``t`` frames, in pixels of the fit.

    Attributes:
        points: ``t k 2`` keypoints.
        depth: ``t k`` their depth, 0 at the hips.
        trust: ``t k`` weights of the keypoints.
        silhouettes: of some of the frames, numbered within the ``t``.
        point_tracks: points tracked from frame to frame, numbered within the ``t``.
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
    ) -> "Observations":
        """Return the observations of some of the frames.

        Args:
            point_tracks: numbered in the clip; those to frames outside are dropped.
        """
        index = list(frames)
        number = {frame: new for new, frame in enumerate(index)}
        chosen = [replace(one, frame=number[one.frame]) for one in silhouettes]
        within = [
            replace(one, start=number[one.start], end=number[one.end])
            for one in point_tracks
            if one.start in number and one.end in number
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
class TermWeights:
    """Weight of each term of the loss against squared pixels of keypoint error.

    Tuned on rendered people and real clips by keypoint error, overlap and jitter: ``docs/log.md``.
    """

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
        shape: its shape components; the optimisation's start where it is free.
    """

    def __init__(
        self,
        observations: Observations,
        body: SkinnedBody,
        shape: Float[Tensor, "s"],
        weights: TermWeights,
    ) -> None:
        self.observations, self.body, self.shape, self.weights = observations, body, shape, weights
        self.prior = PosePrior(body, shape)
        rest = torch.eye(3, dtype=shape.dtype, device=shape.device).expand(len(BONE_NAMES), 3, 3)
        self.surface = body.part(spread_vertices(body.vertices(shape, rest)))
        frames = [one.frame for one in observations.silhouettes]
        all_frames = frames == list(range(len(observations.points)))
        self.silhouette_frames = slice(None) if all_frames else frames
        self.silhouette_term = None
        if observations.silhouettes:
            self.silhouette_term = SilhouetteTerm(
                observations.silhouettes, observations.origin, observations.unit
            )
        self.track_term = None
        if observations.point_tracks:
            self.track_term = PointTrackTerm(
                observations.point_tracks, observations.origin, observations.unit
            )

    def run(self, start: Pose, steps: int, free_shape: bool = False) -> Pose:
        """Return the improved pose; the improved shape is left in ``shape``."""
        turn = torch.zeros_like(start.rotations[..., 0]).requires_grad_()
        move = torch.zeros_like(start.translation).requires_grad_()
        grow = torch.zeros_like(start.scale).requires_grad_()
        shape = self.shape.clone().requires_grad_(free_shape)
        rates = [(turn, RATES["turn"]), (move, RATES["move"]), (grow, RATES["move"])]
        descent = Descent(rates + [(shape, RATES["shape"])] * free_shape, steps)
        pose = start
        for _ in range(steps):
            pose = _moved(start, turn, grow, move)
            loss = self._loss(pose, shape)
            if free_shape:
                loss = loss + self.weights.shape * len(turn) * shape.square().sum()
            loss.backward()
            descent.step()
        self.shape = shape.detach()
        with torch.no_grad():
            return _moved(start, turn, grow, move)

    def _loss(self, pose: Pose, shape: Float[Tensor, "s"]) -> Tensor:
        observations, weights = self.observations, self.weights
        model = rearrange(pose.scale, "t -> t 1 1") * self.body.keypoints(shape, pose.rotations)
        projected = model[..., :2] + pose.translation[:, None]
        squared = (projected - observations.points).square().sum(-1)
        loss = (observations.trust * geman_mcclure(squared, KEYPOINT_SIGMA)).sum()
        depth = model[..., 2] - model[:, _HIP : _HIP + 1, 2] - observations.depth
        loss = (
            loss
            + weights.depth
            * (observations.trust * geman_mcclure(depth.square(), DEPTH_SIGMA)).sum()
        )
        loss = loss + weights.prior * self.prior(pose.rotations).sum()
        if weights.smooth > 0 and len(model) > 2:
            points = torch.cat((projected, model[..., 2:]), dim=-1)
            loss = loss + weights.smooth * _acceleration(points)
            loss = loss + weights.smooth * ROTATION_ACCELERATION * _acceleration(pose.rotations)
            loss = loss + weights.steady_scale * pose.scale.log().diff(dim=0).square().sum()
        if self.silhouette_term is None and self.track_term is None:
            return loss
        return loss + self._surface_loss(self._project(pose, shape))

    def _surface_loss(self, vertices: Float[Tensor, "t p 3"]) -> Tensor:
        loss = vertices.new_zeros(())
        if self.silhouette_term is not None:
            penalty = self.silhouette_term(vertices[self.silhouette_frames, :, :2])
            loss = loss + self.weights.silhouette * penalty.sum()
        if self.track_term is not None:
            loss = loss + self.weights.tracks * self.track_term(vertices)
        return loss

    def _project(self, pose: Pose, shape: Float[Tensor, "s"]) -> Float[Tensor, "t p 3"]:
        points = self.surface.vertices(shape, pose.rotations)
        return project(points, pose.scale, pose.translation)


def _moved(start: Pose, turn: Tensor, grow: Tensor, move: Tensor) -> Pose:
    return Pose(
        start.rotations @ axis_angle_to_matrix(turn),
        start.scale * grow.exp(),
        start.translation + REACH * move,
    )


def _acceleration(values: Float[Tensor, "t *c"]) -> Tensor:
    """Return the sum of squared second differences over time."""
    return (values[2:] - 2 * values[1:-1] + values[:-2]).square().sum()
