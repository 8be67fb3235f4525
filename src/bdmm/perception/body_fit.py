"""Fits the body to landmarks and silhouettes: shape once per clip, then the pose of every frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.body.model import BodyModel
from bdmm.body.rotations import axis_angle_to_matrix, interpolate
from bdmm.perception.inverse_kinematics import solve_rotations
from bdmm.perception.pose import Silhouette
from bdmm.perception.pose_prior import PosePrior
from bdmm.perception.silhouette import SilhouetteTerm, fade, spread_vertices
from bdmm.perception.smooth import bridge, fill_missing, require_short_gaps, smooth_landmarks
from bdmm.records import KEYPOINT_NAMES, Landmarks, Motion
from bdmm.shapes import Rotations

UNIT_HEIGHT = 160.0
"""The person's height in pixels of the fit; all weights and limits below are made for it."""
BODY_HEIGHT = 1.7
"""Metres that a person of ``UNIT_HEIGHT`` pixels is taken to have."""
KEYPOINT_SIGMA = 12.0
DEPTH_SIGMA = 25.0
WRONG = 6.0
"""Pixels of mean keypoint error from which a frame isn't trusted."""
CHUNK = 256
OVERLAP = 16


@dataclass(frozen=True)
class Evidence:
    """What the optimiser sees of ``t`` frames, in pixels of the fit.

    Attributes:
        points: ``t k 2`` keypoints.
        depth: ``t k`` their depth, 0 at the hips.
        trust: ``t k`` weights of the keypoints.
        origin: (x, y) pixels of the frame at zero of the fit's coordinates.
        unit: pixels of the frame per pixel of the fit.
    """

    points: Float[Tensor, "t k 2"]
    depth: Float[Tensor, "t k"]
    trust: Float[Tensor, "t k"]
    origin: Float[Tensor, "2"]
    unit: float

    def part(self, frames: Sequence[int] | slice) -> "Evidence":
        """Return the evidence of some of the frames."""
        index = frames if isinstance(frames, slice) else list(frames)
        return replace(
            self, points=self.points[index], depth=self.depth[index], trust=self.trust[index]
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
    smooth: float = 0.2
    prior: float = 2.0
    shape: float = 1.0
    silhouette: float = 3.0
    steady_scale: float = 2e4


def fit_motion(
    landmarks: Landmarks,
    body: BodyModel,
    silhouettes: Sequence[Silhouette] = (),
    smoothing: float = 1.0,
    steps: int = 60,
) -> Motion:
    """Fit the body to a clip: shape from a few frames, then every frame's pose, in chunks.

    Frames without a person, and frames whose pose isn't credible, are bridged from their
    neighbours and flagged.

    Args:
        landmarks: of the clip, in pixels of its frames.
        body: the body to fit.
        silhouettes: of a few frames, for the shape; without them it follows the keypoints alone.
        smoothing: standard deviation in frames of the smoothing over time; 0 for none.
        steps: of the optimiser per chunk.

    Returns:
        The motion, in pixels of the frames.

    Raises:
        InputError: nobody is seen for longer than a second, or ``smoothing`` is negative.
    """
    require_short_gaps(landmarks.found, landmarks.fps)
    calm = smooth_landmarks(fill_missing(landmarks), smoothing)
    evidence = gather(calm, body)
    shape = fit_shape(evidence, body, silhouettes)
    smooth = Weights().smooth if smoothing > 0 else 0.0
    pieces = []
    for start, end in chunk_bounds(len(calm.found)):
        part = evidence.part(slice(start, end))
        begin = analytic_start(part, body, shape)
        pieces.append((start, optimise(part, body, shape, begin, steps, Weights(smooth=smooth))[0]))
    pose = join(pieces)
    motion = to_motion(pose, shape, evidence, calm, body)
    trusted = trusted_frames(motion, landmarks, body)
    return bridge(motion, trusted) if trusted.any() else motion


def fit_photo(
    landmarks: Landmarks, body: BodyModel, silhouettes: Sequence[Silhouette] = (), steps: int = 200
) -> Motion:
    """Fit the body's shape and pose to a photo; see `fit_motion`."""
    evidence = gather(landmarks, body)
    zero = landmarks.keypoints.new_zeros(body.shape_size)
    begin = analytic_start(evidence, body, zero)
    term = SilhouetteTerm(silhouettes, evidence.origin, evidence.unit) if silhouettes else None
    pose, shape = optimise(
        evidence, body, zero, begin, steps, Weights(smooth=0.0), term, free_shape=True
    )
    return to_motion(pose, shape, evidence, landmarks, body)


def gather(landmarks: Landmarks, body: BodyModel) -> Evidence:
    """Bring landmarks to pixels of the fit, depth included."""
    points, trust = landmarks.keypoints[..., :2], landmarks.keypoints[..., 2]
    trust = trust * landmarks.found[:, None]
    deep = landmarks.keypoints_3d
    assert deep is not None
    scale = _camera_scale(points, deep, trust)
    seen = trust.max(dim=1).values > 0
    unit = float(scale[seen].median()) * BODY_HEIGHT / UNIT_HEIGHT
    origin = (points * trust[..., None]).sum((0, 1)) / trust.sum().clamp_min(1e-6)
    hips = deep[:, KEYPOINT_NAMES.index("mid_hip"), 2:]
    depth = (deep[..., 2] - hips) * scale[:, None] / unit
    return Evidence((points - origin) / unit, depth, trust, origin, unit)


def analytic_start(evidence: Evidence, body: BodyModel, shape: Float[Tensor, "s"]) -> Pose:
    """Return the pose that inverse kinematics reads off the keypoints."""
    points = torch.cat((evidence.points, evidence.depth[..., None]), dim=-1)
    rotations = solve_rotations(points, body, shape, evidence.trust)
    model = body.keypoints(shape, rotations)[..., :2]
    weight = evidence.trust[..., None] + 1e-6
    total = weight.sum(1)
    middle, seen = (model * weight).sum(1) / total, (evidence.points * weight).sum(1) / total
    apart = model - middle[:, None], evidence.points - seen[:, None]
    scale = (weight * apart[0] * apart[1]).sum((1, 2)) / (weight * apart[0] ** 2).sum((1, 2))
    typical = UNIT_HEIGHT / BODY_HEIGHT
    scale = scale.clamp(0.6 * typical, 1.7 * typical)
    return Pose(rotations, scale, seen - scale[:, None] * middle)


def fit_shape(
    evidence: Evidence, body: BodyModel, silhouettes: Sequence[Silhouette], steps: int = 150
) -> Float[Tensor, "s"]:
    """Return shape components from a few frames' keypoints and silhouettes."""
    frames = [one.frame for one in silhouettes]
    if not frames:
        frames = torch.linspace(0, len(evidence.points) - 1, 12).round().int().unique().tolist()
    part = evidence.part(frames)
    zero = evidence.points.new_zeros(body.shape_size)
    term = SilhouetteTerm(silhouettes, evidence.origin, evidence.unit) if silhouettes else None
    begin = analytic_start(part, body, zero)
    return optimise(part, body, zero, begin, steps, Weights(smooth=0.0), term, free_shape=True)[1]


def optimise(
    evidence: Evidence,
    body: BodyModel,
    shape: Float[Tensor, "s"],
    start: Pose,
    steps: int,
    weights: Weights,
    silhouette: SilhouetteTerm | None = None,
    free_shape: bool = False,
) -> tuple[Pose, Float[Tensor, "s"]]:
    """Improve a pose by Adam on all frames at once; rotations move as ``start @ exp(w)``."""
    turn = torch.zeros_like(start.rotations[..., 0]).requires_grad_()
    move = torch.zeros_like(start.translation).requires_grad_()
    grow = torch.zeros_like(start.scale).requires_grad_()
    shape = shape.clone().requires_grad_(free_shape)
    groups = [{"params": [turn], "lr": 0.02}, {"params": [move, grow], "lr": 0.01}]
    if free_shape:
        groups.append({"params": [shape], "lr": 0.05})
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, 1e-3)
    prior = PosePrior(body, shape)
    watched = spread_vertices(body.vertices(shape.detach(), start.rotations[0] * 0 + torch.eye(3)))
    pose = start
    for _ in range(steps):
        pose = Pose(
            start.rotations @ axis_angle_to_matrix(turn),
            start.scale * grow.exp(),
            start.translation + 30 * move,
        )
        loss = _pose_loss(pose, evidence, body, shape, prior, weights)
        if silhouette is not None:
            loss = loss + weights.silhouette * silhouette(_vertices(pose, body, shape, watched)).sum()
        if free_shape:
            loss = loss + weights.shape * len(turn) * shape.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    pose = Pose(pose.rotations.detach(), pose.scale.detach(), pose.translation.detach())
    return pose, shape.detach()


def _pose_loss(
    pose: Pose, evidence: Evidence, body: BodyModel, shape: Tensor, prior: PosePrior, weights: Weights
) -> Tensor:
    model = pose.scale[:, None, None] * body.keypoints(shape, pose.rotations)
    seen = model[..., :2] + pose.translation[:, None]
    squared = (seen - evidence.points).square().sum(-1)
    loss = (evidence.trust * fade(squared, KEYPOINT_SIGMA)).sum()
    hip = KEYPOINT_NAMES.index("mid_hip")
    depth = model[..., 2] - model[:, hip : hip + 1, 2] - evidence.depth
    loss = loss + weights.depth * (evidence.trust * fade(depth.square(), DEPTH_SIGMA)).sum()
    loss = loss + weights.prior * prior(pose.rotations).sum()
    if weights.smooth > 0 and len(model) > 2:
        points = torch.cat((seen, model[..., 2:]), dim=-1)
        loss = loss + weights.smooth * _bumps(points)
        loss = loss + weights.smooth * 100 * _bumps(pose.rotations)
        loss = loss + weights.steady_scale * pose.scale.log().diff(dim=0).square().sum()
    return loss


def _bumps(values: Tensor) -> Tensor:
    return (values[2:] - 2 * values[1:-1] + values[:-2]).square().sum()


def _vertices(pose: Pose, body: BodyModel, shape: Tensor, watched: Int[Tensor, "p"]) -> Tensor:
    points = body.vertices(shape, pose.rotations, watched)
    return pose.scale[:, None, None] * points[..., :2] + pose.translation[:, None]


def chunk_bounds(count: int) -> list[tuple[int, int]]:
    """Return (first, one past the last) frames of overlapping chunks of nearly equal length."""
    pieces = max(1, -(-(count - OVERLAP) // (CHUNK - OVERLAP)))
    length = -(-(count + (pieces - 1) * OVERLAP) // pieces)
    starts = [round(i * (count - length) / max(1, pieces - 1)) for i in range(pieces)]
    return [(start, min(start + length, count)) for start in starts]


def join(pieces: Sequence[tuple[int, Pose]]) -> Pose:
    """Join chunks of (first frame, pose), cross-fading where they overlap."""
    pose = pieces[0][1]
    for start, piece in pieces[1:]:
        shared = len(pose.scale) - start
        weight = torch.linspace(0, 1, shared + 2)[1:-1]
        turned = interpolate(
            pose.rotations[start:], piece.rotations[:shared], weight[:, None].expand(-1, 24)
        )
        scale = torch.lerp(pose.scale[start:], piece.scale[:shared], weight)
        place = torch.lerp(pose.translation[start:], piece.translation[:shared], weight[:, None])
        pose = Pose(
            torch.cat((pose.rotations[:start], turned, piece.rotations[shared:])),
            torch.cat((pose.scale[:start], scale, piece.scale[shared:])),
            torch.cat((pose.translation[:start], place, piece.translation[shared:])),
        )
    return pose


def to_motion(
    pose: Pose, shape: Float[Tensor, "s"], evidence: Evidence, landmarks: Landmarks, body: BodyModel
) -> Motion:
    """Bring a pose back to pixels of the frame."""
    return Motion(
        rotations=pose.rotations,
        scale=pose.scale * evidence.unit,
        translation=pose.translation * evidence.unit + evidence.origin,
        shape=shape,
        flagged=~landmarks.found,
        size=landmarks.size,
        fps=landmarks.fps,
        body=body.name,
    )


def keypoint_errors(
    motion: Motion, landmarks: Landmarks, body: BodyModel
) -> Float[Tensor, "t k"]:
    """Return distances of the body's keypoints from the landmarks for a person 160 pixels tall.

    NaN where a landmark's confidence is under a half.
    """
    model = body.keypoints(motion.shape, motion.rotations)[..., :2]
    seen = motion.scale[:, None, None] * model + motion.translation[:, None]
    error = (seen - landmarks.keypoints[..., :2]).norm(dim=-1)
    error = error * UNIT_HEIGHT / (BODY_HEIGHT * motion.scale[:, None])
    sure = (landmarks.keypoints[..., 2] > 0.5) & landmarks.found[:, None]
    return torch.where(sure, error, torch.full_like(error, torch.nan))


def trusted_frames(motion: Motion, landmarks: Landmarks, body: BodyModel) -> Tensor:
    """Return ``t``: found, with at least a few sure keypoints, which the body meets."""
    errors = keypoint_errors(motion, landmarks, body)
    enough = errors.isfinite().sum(dim=1) >= 6
    return landmarks.found & enough & (errors.nanmean(dim=1).nan_to_num(torch.inf) < WRONG)


def _camera_scale(points: Tensor, deep: Tensor, trust: Tensor) -> Float[Tensor, "t"]:
    """Return pixels per metre of each frame, by least squares between 2-D and 3-D keypoints."""
    weight = trust[..., None] + 1e-6
    total = weight.sum(1, keepdim=True)
    flat = points - (points * weight).sum(1, keepdim=True) / total
    world = deep[..., :2] - (deep[..., :2] * weight).sum(1, keepdim=True) / total
    return (weight * flat * world).sum((1, 2)) / (weight * world**2).sum((1, 2)).clamp_min(1e-9)


