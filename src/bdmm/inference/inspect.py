"""What perception finds in a photo or a video, as pictures."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bdmm.body.model import load_body
from bdmm.errors import Progress
from bdmm.inference.driving import KeptFrames
from bdmm.inference.source_view import DETAIL, SIZES, bounded, check_photo
from bdmm.media.image import Picture, picture_size, read_image
from bdmm.media.overlay import draw_body, draw_keypoints, mark_flagged, tint_foreground
from bdmm.perception.mediapipe_pose import detect_photo
from bdmm.perception.pose import Detection
from bdmm.perception.source import prepare_source
from bdmm.records import Motion

SIDE = 720
"""Longer side of a picture of an inspection."""


def inspect_photo(path: str | Path, person: int | None = None) -> Picture:
    """Find and fit the person of a photo as `animate` does, and draw the results.

    Args:
        person: which of several people, from the left from 1 on; the largest if None.

    Returns:
        Four pictures in a row: the photo, the foreground, the keypoints and the fitted body.

    Raises:
        InputError: the photo cannot be read, shows nobody, or does not suit `animate`.
    """
    photo = read_image(path)
    working = bounded(photo, SIDE)
    check_photo(working, SIZES[0])
    detection = detect_photo(bounded(photo, DETAIL), person)
    source = prepare_source(working, detection)
    height, width = picture_size(working)
    seen = detection.landmarks
    factor = seen.keypoints.new_tensor([width / seen.size[1], height / seen.size[0], 1.0])
    pictures = (
        working,
        tint_foreground(working, source.foreground[0]),
        draw_keypoints(working, seen.keypoints[0] * factor),
        draw_body(working, source.pose, load_body()),
    )
    return np.concatenate(pictures, axis=1)


def inspect_video(
    frames: KeptFrames, detection: Detection, motion: Motion, progress: Progress
) -> Iterator[Picture]:
    """Yield what was seen in a video: foreground and keypoints left, the fitted body right.

    Frames whose pose was interpolated have a red rim.
    """
    body = load_body()
    factor = min(SIDE / max(frames.size), 1.0)
    keypoints = detection.landmarks.keypoints * torch.tensor([factor, factor, 1.0])
    scaled = replace(motion, scale=motion.scale * factor, translation=motion.translation * factor)
    places = {one.frame: place for place, one in enumerate(detection.silhouettes)}
    for i, frame in enumerate(frames):
        frame = bounded(frame, SIDE)
        left = frame
        if i in places:
            silhouette = detection.silhouettes[places[i]]
            seen = silhouette.on((0.0, 0.0), 1 / factor, picture_size(frame))
            left = tint_foreground(left, torch.from_numpy(seen))
        left = draw_keypoints(left, keypoints[i])
        right = draw_body(frame, scaled[i : i + 1], body)
        picture = np.concatenate([left, right], axis=1)
        yield mark_flagged(picture) if motion.flagged[i] else picture
        progress("Drawing", i + 1, len(frames))
