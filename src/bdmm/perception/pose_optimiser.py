"""Fits poses to keypoints, silhouettes and point tracks, smooth in time, with a prior."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.body.model import SkinnedBody
from bdmm.perception.gauss_newton import Residuals, robust_weight, solve_step
from bdmm.perception.point_tracks import PointTrackTerm
from bdmm.perception.pose import PointTrack, Silhouette
from bdmm.perception.pose_jacobian import TURNS, UNKNOWNS, Pose, SkinnedPoints, apply_step
from bdmm.perception.pose_prior import PosePrior
from bdmm.perception.silhouette import SilhouetteTerm, spread_vertices
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES

UNIT_HEIGHT = 160.0
"""The person's height in pixels of the fit; all weights and limits below are made for it."""
BODY_HEIGHT = 1.7
"""Metres that a person of ``UNIT_HEIGHT`` pixels is taken to have."""
KEYPOINT_SIGMA, DEPTH_SIGMA = 12.0, 25.0
"""Pixels of the fit at which the robust loss is half its limit: six times the detector's error of
two pixels, and twice that for depth."""
LEVER = 0.1
"""Metres at which a bone's turning counts as motion: a hand's lever, 10 pixels of the fit."""
DAMPING = 1e-2
"""Weight of every step's own square: radians, log scale, pixels of the fit, shape components."""
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
class TermWeights:
    """Weight of each term of the loss against squared pixels of keypoint error.

    Tuned on rendered people and real clips by keypoint error, overlap and jitter: ``docs/log.md``.
    """

    depth: float = 0.15
    smooth: float = 0.2
    prior: float = 4.0
    shape: float = 1.0
    silhouette: float = 20.0
    tracks: float = 1.0
    steady_scale: float = 2e4


class PoseOptimiser:
    """Gauss-Newton steps on all frames at once.

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
        self._prior = PosePrior(body, shape)
        rest = torch.eye(3, dtype=shape.dtype, device=shape.device).expand(len(BONE_NAMES), 3, 3)
        self._surface = body.part(spread_vertices(body.vertices(shape, rest)))
        self._smooth = weights.smooth > 0 and len(observations.points) > 2
        self._points = SkinnedPoints(body, self._features)
        frames = [one.frame for one in observations.silhouettes]
        all_frames = frames == list(range(len(observations.points)))
        self._silhouette_frames = slice(None) if all_frames else frames
        place = (observations.origin, observations.unit)
        self._silhouettes = self._tracks = None
        if observations.silhouettes:
            self._silhouettes = SilhouetteTerm(observations.silhouettes, *place)
        if observations.point_tracks:
            self._tracks = PointTrackTerm(observations.point_tracks, *place)

    @torch.no_grad()
    def run(self, pose: Pose, steps: int, free_shape: bool = False) -> Pose:
        """Return the improved pose; the improved shape is left in ``shape``."""
        for _ in range(steps):
            jacobian = self._points.jacobian(pose, self.shape, free_shape)
            frames, shape = jacobian.split(
                solve_step(
                    jacobian,
                    self._on_points(jacobian.points(pose.translation)),
                    self._on_unknowns(pose, jacobian.count),
                )
            )
            pose = apply_step(pose, frames)
            if free_shape:
                self.shape = self.shape + shape
        return pose

    def _features(self, shape: Float[Tensor, "s"]) -> Float[Tensor, "p n 4"]:
        """Return those of keypoints, levers and surface."""
        keypoints = self.body.keypoint_features(shape)
        levers = _levers().to(keypoints) if self._smooth else keypoints[:0]
        return torch.cat((keypoints, levers, self._surface.vertex_features(shape)))

    def _on_points(self, points: Float[Tensor, "t p 3"]) -> Iterator[Residuals]:
        observations, weights = self.observations, self.weights
        numbers = torch.arange(points.numel()).view_as(points)
        count = observations.trust.shape[1]
        keypoints, of_keypoints = points[:, :count], numbers[:, :count]
        gap = keypoints[..., :2] - observations.points
        weight = observations.trust * robust_weight(gap.square().sum(-1), KEYPOINT_SIGMA)
        yield Residuals.single(of_keypoints[..., :2], gap, weight[..., None].expand_as(gap))
        depth = keypoints[..., 2] - keypoints[:, _HIP : _HIP + 1, 2] - observations.depth
        weight = weights.depth * observations.trust * robust_weight(depth.square(), DEPTH_SIGMA)
        hips = of_keypoints[:, _HIP : _HIP + 1, 2].expand_as(depth)
        yield _differences((of_keypoints[..., 2], hips), (1.0, -1.0), depth, weight)
        rest = count
        if self._smooth:
            rest += TURNS
            yield _acceleration(points[:, :rest], numbers[:, :rest], weights.smooth)
        surface, of_surface = points[:, rest:], numbers[:, rest:]
        if self._silhouettes is not None:
            seen = (self._silhouette_frames, slice(None), slice(2))
            for term in self._silhouettes.residuals(surface[seen], of_surface[seen]):
                yield replace(term, weights=weights.silhouette * term.weights)
        if self._tracks is not None:
            term = self._tracks.residuals(surface, of_surface)
            yield replace(term, weights=weights.tracks * term.weights)

    def _on_unknowns(self, pose: Pose, count: int) -> Iterator[Residuals]:
        numbers = torch.arange(count)
        yield Residuals.single(numbers, torch.zeros(count), torch.full((count,), DAMPING))
        frames, shape = numbers.split([len(pose.scale) * UNKNOWNS, count % UNKNOWNS])
        frames = frames.view(-1, UNKNOWNS)
        turns = frames[:, :TURNS].unflatten(1, (-1, 3))
        yield from self._prior.residuals(pose.rotations, turns, self.weights.prior)
        if self._smooth:
            growth, sizes = frames[:, TURNS], pose.scale.log()
            steady = torch.full_like(sizes[1:], self.weights.steady_scale)
            yield _differences((growth[1:], growth[:-1]), (1.0, -1.0), sizes.diff(), steady)
        if len(shape):
            weight = self.weights.shape * len(pose.scale)
            yield Residuals.single(shape, self.shape, torch.full_like(self.shape, weight))


def _acceleration(
    points: Float[Tensor, "t p 3"], numbers: Int[Tensor, "t p 3"], weight: float
) -> Residuals:
    """Return second differences over time."""
    second = points[2:] - 2 * points[1:-1] + points[:-2]
    places = (numbers[2:], numbers[1:-1], numbers[:-2])
    return _differences(places, (1.0, -2.0, 1.0), second, torch.full_like(second, weight))


def _differences(
    numbers: tuple[Tensor, ...], factors: tuple[float, ...], values: Tensor, weights: Tensor
) -> Residuals:
    places = torch.stack(numbers, dim=-1).flatten(0, -2)
    rows = values.new_tensor(factors).expand(len(places), -1)
    return Residuals(places, rows, values.flatten(), weights.flatten())


@cache
def _levers() -> Float[Tensor, "a n 4"]:
    """Return the features of three directions on each bone: they turn with it."""
    levers = torch.zeros(len(BONE_NAMES), 3, len(BONE_NAMES), 4)
    for bone in range(len(BONE_NAMES)):
        levers[bone, :, bone, :3] = LEVER * torch.eye(3)
    return levers.flatten(0, 1)
