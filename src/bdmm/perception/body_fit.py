"""Fits the body to landmarks and silhouettes: shape once per clip, then the pose of every frame."""

from bisect import bisect_left
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import interpolate
from bdmm.errors import InputError
from bdmm.media.prefetch import mapped
from bdmm.perception.initial_pose import lift, solve_rotations
from bdmm.perception.pose import PointTrack, Silhouette
from bdmm.perception.pose_jacobian import Pose
from bdmm.perception.pose_optimiser import (
    BODY_HEIGHT,
    UNIT_HEIGHT,
    Observations,
    PoseOptimiser,
    TermWeights,
)
from bdmm.perception.smooth import bridge, fill_missing, require_short_gaps, smooth_landmarks
from bdmm.records import KEYPOINT_NAMES, Landmarks, Motion
from bdmm.shapes import Flags

SHAPE_FRAMES = 12
"""Frames, spread over the clip, that the body's shape is fitted to."""
SHAPE_STEPS, CLIP_STEPS, PHOTO_STEPS = 5, 4, 12
"""Gauss-Newton steps: twice as many move neither keypoint errors nor the truth's by 2 %."""
WRONG = 6.0
"""Pixels of mean keypoint error (person 160 tall) from which a pose isn't trusted: three times the
mean error of good fits, 1.9 pixels."""
CHUNK, OVERLAP = 128, 16
"""Frames that are fitted at once, for bounded memory, and shared by neighbours to cross-fade. Two
chunks are fitted side by side."""


def fit_motion(
    landmarks: Landmarks,
    body: SkinnedBody,
    silhouettes: Sequence[Silhouette] = (),
    smoothing: float = 1.0,
    point_tracks: Sequence[PointTrack] = (),
    shape: Float[Tensor, "s"] | None = None,
) -> Motion:
    """Fit the body to a clip: shape from a few frames, then every frame's pose, in chunks.

    Frames without a person, and frames whose pose isn't credible, are bridged from their
    neighbours and flagged.

    Args:
        silhouettes: of all, some or none of the frames, in their order.
        smoothing: standard deviation in frames of the smoothing over time; 0 for none.
        point_tracks: in the order of their ends.

    Returns:
        The motion, in pixels of the frames.

    Raises:
        InputError: nobody is seen for longer than a second, the keypoints are nobody's, or
            ``smoothing`` is negative.
    """
    require_short_gaps(landmarks.found, landmarks.fps)
    smooth = smooth_landmarks(fill_missing(landmarks), smoothing)
    observations = gather(smooth, body)
    shape = fit_shape(observations, body, silhouettes) if shape is None else shape
    weights = TermWeights() if smoothing > 0 else TermWeights(smooth=0.0)

    def fitted(bounds: tuple[int, int]) -> tuple[int, Pose]:
        start, end = bounds
        first, last = (bisect_left(silhouettes, at, key=_frame) for at in bounds)
        first_track, last_track = (bisect_left(point_tracks, at, key=_end) for at in bounds)
        part = observations.part(
            range(start, end), silhouettes[first:last], point_tracks[first_track:last_track]
        )
        start_pose = analytic_start(part, body, shape)
        return start, PoseOptimiser(part, body, shape, weights).run(start_pose, CLIP_STEPS)

    pieces = list(mapped(fitted, chunk_bounds(len(smooth.found))))
    motion = to_motion(join(pieces), shape, observations, smooth, body)
    trusted = trusted_frames(motion, landmarks, body)
    return bridge(motion, trusted) if trusted.any() else motion


def fit_photo(
    landmarks: Landmarks,
    body: SkinnedBody,
    silhouettes: Sequence[Silhouette] = (),
) -> Motion:
    """Fit the body's shape and pose to a photo; see `fit_motion`.

    Raises:
        InputError: the keypoints are nobody's.
    """
    observations = gather(landmarks, body)
    part = observations.part([0], silhouettes)
    zero = landmarks.keypoints.new_zeros(body.shape_size)
    optimiser = PoseOptimiser(part, body, zero, TermWeights(smooth=0.0))
    pose = optimiser.run(analytic_start(part, body, zero), PHOTO_STEPS, free_shape=True)
    return to_motion(pose, optimiser.shape, observations, landmarks, body)


def gather(landmarks: Landmarks, body: SkinnedBody) -> Observations:
    """Return landmarks in pixels of the fit, depth included, without silhouettes."""
    points, trust = landmarks.keypoints[..., :2], landmarks.keypoints[..., 2]
    trust = trust * landmarks.found[:, None]
    points_3d = landmarks.keypoints_3d
    points_3d = lift(landmarks, body) if points_3d is None else points_3d
    scale = _camera_scale(points, points_3d, trust)
    seen = trust.max(dim=1).values > 0
    unit = float(scale[seen].median()) * BODY_HEIGHT / UNIT_HEIGHT
    origin = (points * trust[..., None]).sum((0, 1)) / trust.sum().clamp_min(1e-6)
    hips = points_3d[:, KEYPOINT_NAMES.index("mid_hip"), 2:]
    depth = (points_3d[..., 2] - hips) * scale[:, None] / unit
    return Observations((points - origin) / unit, depth, trust, (), origin, unit)


def analytic_start(
    observations: Observations, body: SkinnedBody, shape: Float[Tensor, "s"]
) -> Pose:
    """Return the pose that inverse kinematics finds from the keypoints."""
    points = torch.cat((observations.points, observations.depth[..., None]), dim=-1)
    rotations = solve_rotations(points, body, shape, observations.trust)
    model = body.keypoints(shape, rotations)[..., :2]
    weight = observations.trust[..., None] + 1e-6
    total = weight.sum(1)
    middle, observed = (
        (model * weight).sum(1) / total,
        (observations.points * weight).sum(1) / total,
    )
    centred, target = model - middle[:, None], observations.points - observed[:, None]
    extent = (weight * centred**2).sum((1, 2)).clamp_min(1e-9)
    scale = (weight * centred * target).sum((1, 2)) / extent
    # Keypoints that nearly coincide give no scale: keep it around the typical one.
    typical = UNIT_HEIGHT / BODY_HEIGHT
    scale = scale.clamp(0.6 * typical, 1.7 * typical)
    return Pose(rotations, scale, observed - scale[:, None] * middle)


def fit_shape(
    observations: Observations, body: SkinnedBody, silhouettes: Sequence[Silhouette]
) -> Float[Tensor, "s"]:
    """Return shape components from a few well-spread frames' keypoints and silhouettes."""
    count = len(silhouettes) or len(observations.points)
    picks = torch.linspace(0, count - 1, min(SHAPE_FRAMES, count)).round().int().tolist()
    chosen = [silhouettes[pick] for pick in picks] if silhouettes else []
    part = observations.part([one.frame for one in chosen] or picks, chosen)
    zero = observations.points.new_zeros(body.shape_size)
    optimiser = PoseOptimiser(part, body, zero, TermWeights(smooth=0.0))
    optimiser.run(analytic_start(part, body, zero), SHAPE_STEPS, free_shape=True)
    return optimiser.shape


def chunk_bounds(count: int) -> list[tuple[int, int]]:
    """Return (first, one past the last) frames of overlapping chunks of nearly equal length."""
    pieces = max(1, -(-(count - OVERLAP) // (CHUNK - OVERLAP)))
    length = -(-(count + (pieces - 1) * OVERLAP) // pieces)
    starts = [round(i * (count - length) / max(1, pieces - 1)) for i in range(pieces)]
    return [(start, min(start + length, count)) for start in starts]


def join(pieces: Sequence[tuple[int, Pose]]) -> Pose:
    """Join chunks of (first frame, pose), cross-fading where they overlap."""
    parts: list[Pose] = []
    done, pose = 0, pieces[0][1]  # the frames before `pose`
    for start, piece in pieces[1:]:
        alone, shared = start - done, done + len(pose.scale) - start
        weight = torch.linspace(0, 1, shared + 2)[1:-1]
        turned = interpolate(
            pose.rotations[alone:], piece.rotations[:shared], weight[:, None].expand(-1, 24)
        )
        scale = torch.lerp(pose.scale[alone:], piece.scale[:shared], weight)
        translation = torch.lerp(
            pose.translation[alone:], piece.translation[:shared], weight[:, None]
        )
        parts += [_frames(pose, slice(alone)), Pose(turned, scale, translation)]
        done, pose = start + shared, _frames(piece, slice(shared, None))
    parts.append(pose)
    return Pose(
        torch.cat([one.rotations for one in parts]),
        torch.cat([one.scale for one in parts]),
        torch.cat([one.translation for one in parts]),
    )


def _frames(pose: Pose, frames: slice) -> Pose:
    return Pose(pose.rotations[frames], pose.scale[frames], pose.translation[frames])


def to_motion(
    pose: Pose,
    shape: Float[Tensor, "s"],
    observations: Observations,
    landmarks: Landmarks,
    body: SkinnedBody,
) -> Motion:
    """Bring a pose back to pixels of the frame.

    Raises:
        InputError: it is no usable motion, as from keypoints that lie on one spot.
    """
    motion = Motion(
        rotations=pose.rotations,
        scale=pose.scale * observations.unit,
        translation=pose.translation * observations.unit + observations.origin,
        shape=shape,
        flagged=~landmarks.found,
        size=landmarks.size,
        fps=landmarks.fps,
        body=body.name,
    )
    flaw = motion.flaw()
    if flaw is not None:
        raise InputError(f"No body can be fitted to the keypoints: {flaw}.")
    return motion


def keypoint_errors(
    motion: Motion, landmarks: Landmarks, body: SkinnedBody
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


def trusted_frames(motion: Motion, landmarks: Landmarks, body: SkinnedBody) -> Flags:
    """Return ``t``: found, with at least a few sure keypoints, which the body meets."""
    errors = keypoint_errors(motion, landmarks, body)
    enough = errors.isfinite().sum(dim=1) >= 6
    return landmarks.found & enough & (errors.nanmean(dim=1).nan_to_num(torch.inf) < WRONG)


def _frame(one: Silhouette) -> int:
    return one.frame


def _end(one: PointTrack) -> int:
    return one.end


def _camera_scale(points: Tensor, points_3d: Tensor, trust: Tensor) -> Float[Tensor, "t"]:
    """Return pixels per metre of each frame, by least squares between 2-D and 3-D keypoints."""
    weight = trust[..., None] + 1e-6
    total = weight.sum(1, keepdim=True)
    flat = points - (points * weight).sum(1, keepdim=True) / total
    world = points_3d[..., :2] - (points_3d[..., :2] * weight).sum(1, keepdim=True) / total
    return (weight * flat * world).sum((1, 2)) / (weight * world**2).sum((1, 2)).clamp_min(1e-9)
