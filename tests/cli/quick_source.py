"""In place of perception on a photo, so that the rest of the path can be tested in seconds."""

from fractions import Fraction

import numpy as np
import torch

from bdmm.body.camera import project
from bdmm.body.model import load_body
from bdmm.body.rasterize import rasterize
from bdmm.media.pixels import to_frames
from bdmm.perception.pose import Detection, Silhouette
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES, Landmarks, Motion, Source


def find_quickly(photo: np.ndarray, person: int | None = None) -> Detection:
    """Take it that a person stands in the middle of any photo."""
    height, width = photo.shape[:2]
    keypoints = torch.zeros(1, len(KEYPOINT_NAMES), 3)
    foreground = torch.zeros(1, height, width)
    top, bottom, left, right = height // 3, height * 3 // 5, width * 2 // 5, width * 3 // 5
    foreground[:, top:bottom, left:right] = 1
    found = torch.ones(1, dtype=torch.bool)
    landmarks = Landmarks(keypoints, None, found, (height, width), Fraction(1))
    return Detection(landmarks, (Silhouette(0, foreground, (0.0, 0.0), 1.0),))


def prepare_all_quickly(
    images: list[np.ndarray], detections: list[Detection], names: list[str]
) -> list[Source]:
    """Take several photos for the same."""
    return [prepare_quickly(*one) for one in zip(images, detections, strict=True)]


def prepare_quickly(image: np.ndarray, detection: Detection) -> Source:
    """Take it that a person of mean shape stands in the middle of any picture."""
    height, width = image.shape[:2]
    body = load_body()
    pose = Motion(
        rotations=torch.eye(3).expand(1, len(BONE_NAMES), 3, 3).clone(),
        scale=torch.tensor([0.48 * height]),
        translation=torch.tensor([[width / 2, 0.47 * height]]),
        shape=torch.zeros(body.shape_size),
        flagged=torch.zeros(1, dtype=torch.bool),
        size=(height, width),
        fps=Fraction(1),
    )
    vertices = project(body.vertices(pose.shape, pose.rotations), pose.scale, pose.translation)
    covered = rasterize(vertices, body.faces, (height, width)).face >= 0
    (frame,) = to_frames([image])
    return Source(frame, covered.float(), torch.zeros_like(frame), pose)
