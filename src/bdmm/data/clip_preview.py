"""A picture of a prepared clip, that shows its fit and its warps at a glance."""

from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import torch

from bdmm.data.clip_background import spread
from bdmm.data.clip_store import PreparedClip
from bdmm.data.warp_codec import RUN, Warps
from bdmm.kernels.warp import warp
from bdmm.media.image import Picture, write_image
from bdmm.media.pixels import to_pictures
from bdmm.records import COCO18, KEYPOINT_NAMES, PixelState

SHOWN = 8
_LIMBS = (
    ("nose", "neck"), ("neck", "right_shoulder"), ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"), ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"), ("neck", "right_hip"), ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"), ("neck", "left_hip"), ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
)  # fmt: skip
_RIGHT, _LEFT, _RIM, _ALARM = (235, 110, 40), (30, 130, 235), (40, 200, 90), (220, 30, 30)
_QUALITY = 80


def write_preview(path: Path, clip: PreparedClip) -> None:
    """Write a sheet of frames spread over a clip.

    The first row has the outline of the foreground and the skeleton, flagged frames a red rim; the
    second row the first stored source warped onto each frame, over the background.
    """
    rows: list[list[Picture]] = [[], []]
    keypoints, background = clip.keypoints(), clip.background()
    source = _cut_out(clip) if clip.info.sources else None
    # Frames of one block are read at once: a block of warps is unpacked as a whole.
    for _, near in groupby(spread(len(clip), SHOWN), lambda t: t // RUN):
        chosen = list(near)
        start, stop = chosen[0], chosen[-1] + 1
        at = [t - start for t in chosen]
        pictures = to_pictures(clip.frames(start, stop)[at])
        outlines = clip.foregrounds(start, stop)[at, 0].numpy() > 0.5
        for t, frame, outline in zip(chosen, pictures, outlines, strict=True):
            seen = _draw_skeleton(_draw_outline(frame, outline), keypoints[t].numpy())
            rows[0].append(_mark(seen) if t in clip.info.flagged else seen)
        if source is not None:
            rows[1] += _warped(clip.warps(0, start, stop), at, source, background)
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows if row])
    write_image(path, sheet, quality=_QUALITY)


def _cut_out(clip: PreparedClip) -> torch.Tensor:
    """Return ``4 h w``: the first source frame and its foreground."""
    frame = clip.info.sources[0].frame
    return torch.cat([clip.frames(frame, frame + 1)[0], clip.foregrounds(frame, frame + 1)[0]])


def _warped(
    warps: Warps, frames: list[int], source: torch.Tensor, background: torch.Tensor
) -> list[Picture]:
    state, fallback = warps.state[frames], warps.fallback[frames]
    known = (state != PixelState.NONE) & ((state != PixelState.HIDDEN) | fallback)
    moved = warp(source.expand(len(frames), -1, -1, -1), warps.source_grid[frames])
    share = moved[:, 3:] * known[:, None]
    return list(to_pictures(background + (moved[:, :3] - background) * share))


def _draw_outline(frame: Picture, inside: np.ndarray) -> Picture:
    kind = cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    lines, _ = cv2.findContours(inside.astype(np.uint8), *kind)
    return cv2.drawContours(frame.copy(), lines, -1, _RIM, 1)


def _draw_skeleton(frame: Picture, keypoints: np.ndarray) -> Picture:
    # OpenCV puts (0, 0) at the first pixel's centre
    places = [(round(float(x) - 0.5), round(float(y) - 0.5)) for x, y, _ in keypoints]
    for names in _LIMBS:
        start, end = (KEYPOINT_NAMES.index(name) for name in names)
        colour = _RIGHT if names[1].startswith("right") else _LEFT
        cv2.line(frame, places[start], places[end], colour, 1, cv2.LINE_AA)
    for joint in COCO18:
        if keypoints[joint, 2] > 0:
            cv2.circle(frame, places[joint], 2, (245, 215, 60), -1, cv2.LINE_AA)
    return frame


def _mark(frame: Picture) -> Picture:
    height, width = frame.shape[:2]
    return cv2.rectangle(frame, (0, 0), (width - 1, height - 1), _ALARM, 3)
