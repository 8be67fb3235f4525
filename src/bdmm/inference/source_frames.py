"""A clip or a folder of a person to a few photos: frames turned to all sides, sharp, trusted."""

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import load_body
from bdmm.errors import InputError
from bdmm.inference.source_view import MOST_PHOTOS, Shot
from bdmm.media.image import IMAGE_SUFFIXES, read_image
from bdmm.media.video_reader import VideoReader
from bdmm.perception.body_fit import fit_motion, keypoint_errors
from bdmm.perception.mediapipe_pose import detect_clip
from bdmm.perception.pose import Detection
from bdmm.records import Landmarks, Motion

YAWS = (0.0, 180.0, 90.0, -90.0)
"""Degrees that the body is turned to in the frames that are wanted, the first one first."""
_LOOKED_AT = 96
"""Frames of a clip that are looked at, evenly spread."""
_FAR = 45.0
"""Degrees that a frame's turn may miss the wanted one by."""
_MISSED, _BLURRED, _UNTRUSTED = 1.0, 0.5, 0.1
"""Costs: of missing the turn by `_FAR`, of half the sharpness, of a pixel of keypoint error (person
160 pixels tall)."""


def source_shots(path: Path) -> list[Shot]:
    """Return the photos of a source: a picture, the best frames of a clip, a folder's pictures.

    Raises:
        InputError: it cannot be read, a folder holds no or too many pictures, or the clip shows
            nobody whom the body fits.
    """
    if path.is_dir():
        return _pictures(path)
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        return [Shot(read_image(path), path.name)]
    return _best_frames(path)


VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif")
"""Sources with these names are clips."""


def _pictures(folder: Path) -> list[Shot]:
    found = sorted(one for one in folder.iterdir() if one.suffix.lower() in IMAGE_SUFFIXES)
    if not 1 <= len(found) <= MOST_PHOTOS:
        raise InputError(
            f"The folder {folder} holds {len(found)} pictures; photos of a person are 1 to "
            f"{MOST_PHOTOS}."
        )
    return [Shot(read_image(one), one.name) for one in found]


def _best_frames(path: Path) -> list[Shot]:
    reader = VideoReader(path)
    step = max(1, -(-reader.frame_count // _LOOKED_AT))
    detection = detect_clip((one for i, one in enumerate(reader) if i % step == 0), reader.fps)
    motion, error = _fit(detection)
    sharp = torch.zeros(len(motion))
    for i, picture in enumerate(reader):
        if i % step == 0 and detection.landmarks.found[i // step]:
            sharp[i // step] = _sharpness(picture, detection.landmarks, i // step)
    chosen = choose_frames(motion, error, sharp)
    if not chosen:
        raise InputError(f"{path} shows nobody whom the body fits: use a clip of a whole person.")
    wanted = {number * step: place for place, number in enumerate(chosen)}
    shots = {
        wanted[i]: Shot(picture, f"{path.name}, frame {i + 1}")
        for i, picture in enumerate(reader)
        if i in wanted
    }
    return [shots[place] for place in range(len(chosen))]


def choose_frames(
    motion: Motion, error: Float[Tensor, "t"], sharp: Float[Tensor, "t"]
) -> list[int]:
    """Return the best frames for the `YAWS` that the clip shows, each once.

    Args:
        error: mean keypoint error in pixels of a person 160 pixels tall; infinite where nobody is.
        sharp: sharpness, larger is sharper.
    """
    front = motion.rotations[:, 0, :, 2]
    yaw = torch.rad2deg(torch.atan2(front[:, 0], front[:, 2]))
    best = sharp.max().clamp(min=1e-6)
    quality = _UNTRUSTED * error - _BLURRED * (sharp / best).clamp(min=1e-3).log2()
    chosen: list[int] = []
    for wanted in YAWS:
        away = ((yaw - wanted + 180) % 360 - 180).abs()
        cost = _MISSED * away / _FAR + quality
        cost[(away > _FAR) | motion.flagged] = torch.inf
        cost[chosen] = torch.inf
        if bool(cost.isfinite().any()):
            chosen.append(int(cost.argmin()))
    return chosen


def _fit(detection: Detection) -> tuple[Motion, Float[Tensor, "t"]]:
    body = load_body()
    motion = fit_motion(detection.landmarks, body, detection.silhouettes)
    error = keypoint_errors(motion, detection.landmarks, body).nanmean(dim=1)
    return motion, error.nan_to_num(torch.inf)


def _sharpness(picture: np.ndarray, landmarks: Landmarks, frame: int) -> float:
    """Return the energy of detail in the box around a person's keypoints."""
    points = landmarks.keypoints[frame]
    points = points[points[:, 2] > 0.5, :2]
    if len(points) < 2:
        return 0.0
    left, top = points.amin(dim=0).clamp(min=0).int().tolist()
    right, bottom = points.amax(dim=0).int().tolist()
    part = picture[top : bottom + 1, left : right + 1]
    if min(part.shape[:2]) < 3:
        return 0.0
    grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).std())
