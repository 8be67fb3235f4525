"""Several photos of one person, fitted together: a pose for each and one common shape."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from bdmm.body.model import SkinnedBody
from bdmm.perception.body_fit import PHOTO_STEPS, analytic_start, fit_photo, gather, to_motion
from bdmm.perception.pose import Detection
from bdmm.perception.pose_jacobian import Pose
from bdmm.perception.pose_optimiser import Observations, PoseOptimiser, TermWeights
from bdmm.perception.refine_fit import refine_photo
from bdmm.records import Motion
from bdmm.shapes import Foreground, Image


def fit_photos(detections: Sequence[Detection], body: SkinnedBody) -> list[Motion]:
    """Fit the body to photos of one person, of any sizes.

    Returns:
        A motion of one frame for each photo, in its pixels; all have the same shape.
    """
    if len(detections) == 1:
        return [fit_photo(detections[0].landmarks, body, detections[0].silhouettes)]
    alone = [gather(one.landmarks, body) for one in detections]
    joined = _joined(alone, detections)
    zero = joined.points.new_zeros(body.shape_size)
    optimiser = PoseOptimiser(joined, body, zero, TermWeights(smooth=0.0))
    pose = optimiser.run(analytic_start(joined, body, zero), PHOTO_STEPS, free_shape=True)
    return [
        to_motion(_frame(pose, i), optimiser.shape, observations, detections[i].landmarks, body)
        for i, observations in enumerate(alone)
    ]


def refine_photos(
    body: SkinnedBody,
    poses: Sequence[Motion],
    images: Sequence[Image],
    foregrounds: Sequence[Foreground],
) -> list[Motion]:
    """Return refined fits of photos of one person: each one's pose, and the mean of the shapes."""
    pictures = list(zip(images, foregrounds, strict=True))
    refined = [
        refine_photo(body, pose, *picture) for pose, picture in zip(poses, pictures, strict=True)
    ]
    if len(refined) == 1:
        return refined
    shape = torch.stack([pose.shape for pose in refined]).mean(dim=0)
    return [
        refine_photo(body, replace(pose, shape=shape), *picture, free_shape=False)
        for pose, picture in zip(refined, pictures, strict=True)
    ]


def _joined(alone: Sequence[Observations], detections: Sequence[Detection]) -> Observations:
    """Return the observations of all photos as frames of a clip whose pixels are the fit's."""
    silhouettes = [
        replace(
            one,
            frame=i,
            origin=tuple(((torch.tensor(one.origin) - own.origin) / own.unit).tolist()),
            scale=one.scale * own.unit,
        )
        for i, (own, detection) in enumerate(zip(alone, detections, strict=True))
        for one in detection.silhouettes
    ]
    return Observations(
        points=torch.cat([one.points for one in alone]),
        depth=torch.cat([one.depth for one in alone]),
        trust=torch.cat([one.trust for one in alone]),
        silhouettes=tuple(silhouettes),
        origin=torch.zeros_like(alone[0].origin),
        unit=1.0,
    )


def _frame(pose: Pose, index: int) -> Pose:
    part = slice(index, index + 1)
    return Pose(pose.rotations[part], pose.scale[part], pose.translation[part])
