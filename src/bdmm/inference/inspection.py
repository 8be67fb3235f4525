"""What the system saw in a photo or a video, as pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import load_body
from bdmm.errors import InputError
from bdmm.inference.driving import Progress, VideoDriver
from bdmm.inference.overlay import draw_body, draw_keypoints, mark_flagged, tint_foreground
from bdmm.inference.scene import bounded
from bdmm.kernels.warp import warp
from bdmm.media.image import Picture, picture_size, read_image
from bdmm.perception.body_fit import fit_photo
from bdmm.perception.mediapipe_pose import MediaPipePose
from bdmm.perception.pose import Silhouette
from bdmm.perception.silhouette import clean_foreground

SIDE = 720
"""Longer side of a picture of an inspection."""


def inspect_photo(path: str | Path, person: int | None = None) -> tuple[Picture, Sequence[str]]:
    """Look at a photo as `animate` would.

    Args:
        path: the photo.
        person: which of several people, from the left from 1 on; the largest if None.

    Returns:
        Four pictures beside each other, the photo, the foreground, the keypoints and the fitted
        body; and sentences for the user.

    Raises:
        InputError: the photo cannot be read, or shows nobody.
    """
    photo = bounded(read_image(path), SIDE)
    if min(picture_size(photo)) < 32:
        raise InputError(f"The photo {path} is too small to show anybody.")
    sighting = MediaPipePose().detect_photo(photo, person)
    body = load_body()
    pose = fit_photo(sighting.landmarks, body, sighting.silhouettes)
    foreground = torch.from_numpy(clean_foreground(sighting.silhouettes[0].foreground[0].numpy()))
    pictures = (
        photo,
        tint_foreground(photo, foreground),
        draw_keypoints(photo, sighting.landmarks.keypoints[0]),
        draw_body(photo, pose, body),
    )
    return np.concatenate(pictures, axis=1), sighting.notes


class VideoInspection:
    """What was seen in a video, as pictures: foreground and keypoints left, body right.

    Frames whose pose was bridged have a red rim.

    Args:
        driver: the opened video.
        progress: is told how many pictures are made.

    Raises:
        InputError: nobody is seen, or for more than a second.
    """

    def __init__(self, driver: VideoDriver, progress: Progress) -> None:
        self.fps = driver.frames.fps
        self.frame_count = len(driver.frames)
        self._frames = driver.frames
        self._sighting = driver.look()
        self.motion = driver.fit(self._sighting)
        self._progress = progress

    def __iter__(self) -> Iterator[Picture]:
        """Decode the video again and draw on it."""
        body = load_body()
        keypoints = self._sighting.landmarks.keypoints
        silhouettes = iter(self._sighting.silhouettes)
        silhouette = next(silhouettes, None)
        for i, frame in enumerate(self._frames):
            left = frame
            if silhouette is not None and silhouette.frame == i:
                left = tint_foreground(left, on_frame(silhouette, picture_size(frame)))
                silhouette = next(silhouettes, None)
            left = draw_keypoints(left, keypoints[i])
            right = draw_body(frame, self.motion[i : i + 1], body)
            picture = np.concatenate([left, right], axis=1)
            yield mark_flagged(picture) if self.motion.flagged[i] else picture
            self._progress("Drawing", i + 1, self.frame_count)


def on_frame(silhouette: Silhouette, size: tuple[int, int]) -> Float[Tensor, "h w"]:
    """Lay a silhouette's foreground onto its whole frame, 0 outside of the cutting.

    Args:
        silhouette: the cutting.
        size: (height, width) of the frame.
    """
    height, width = size
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    points = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    places = silhouette.to_cutting(points)
    cut_height, cut_width = silhouette.foreground.shape[-2:]
    grid = 2 * places / torch.tensor([cut_width, cut_height]) - 1
    return warp(silhouette.foreground[None], grid[None])[0, 0]
