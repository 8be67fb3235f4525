"""Print how exactly the body is fitted to clips.

    python tools/measure_fit.py clip.mp4 [...] [--frames N] [--smooth 1.0] [--sheet sheet.png]

Errors are in pixels for a person 160 pixels tall (about what a frame of 256 shows), against the
estimator's own unsmoothed keypoints of at least half confidence; jitter is the mean second
difference over time of the fitted keypoints. The silhouette IoU is that of the drawn body and the
estimator's foreground, held things, hair and loose clothes included. Times are CPU seconds of one
thread.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody, load_body
from bdmm.body.rasterize import rasterize
from bdmm.media.video_reader import VideoReader
from bdmm.perception import body_fit
from bdmm.perception.mediapipe_pose import detect_clip
from bdmm.perception.pose import Detection, Silhouette
from bdmm.records import Motion
from bdmm.shapes import Faces

SHEET_FRAMES = 8
SHEET_HEIGHT = 320


@dataclass
class Options:
    """What to measure."""

    clips: tyro.conf.Positional[tuple[Path, ...]]
    """Videos."""
    frames: int | None = None
    """Only the first so many frames."""
    smooth: float = 1.0
    """Smoothing over time in frames, as for ``bdmm animate``."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="PNG")] = None
    """Also write a picture of the body over some frames of the last clip."""


def main(options: Options) -> None:
    torch.set_num_threads(1)
    body = load_body()
    for clip in options.clips:
        reader = VideoReader(clip)
        seconds = time.process_time()
        detection = detect_clip(itertools.islice(reader, options.frames), reader.fps)
        seconds = time.process_time() - seconds
        motion = report(clip.stem, detection, body, options.smooth, seconds)
        if options.sheet is not None:
            draw_sheet(options.sheet, reader, motion, body)


def report(
    name: str, detection: Detection, body: SkinnedBody, smooth: float, seconds: float
) -> Motion:
    """Fit, print a line of figures, and return the motion."""
    landmarks = detection.landmarks
    count = len(landmarks.found)
    once = time.process_time()
    observations = body_fit.gather(landmarks, body)
    body_fit.fit_shape(observations, body, detection.silhouettes)
    once = time.process_time() - once
    fit = time.process_time()
    motion = body_fit.fit_motion(
        landmarks,
        body,
        detection.silhouettes,
        smoothing=smooth,
        point_tracks=detection.point_tracks,
    )
    fit = time.process_time() - fit - once
    errors = body_fit.keypoint_errors(motion, landmarks, body)
    print(
        f"{name}: found {int(landmarks.found.sum())} of {count} frames, "
        f"keypoint error {errors.nanmedian():.2f} px median {errors.nanmean():.2f} mean, "
        f"silhouette IoU {silhouette_iou(motion, detection, body):.3f}, "
        f"jitter {jitter(motion, body):.2f} px, flagged {motion.flagged.float().mean():.1%}, "
        f"detection {seconds / count * 1e3:.0f} ms/frame, fit {fit / count * 1e3:.0f} ms/frame "
        f"and {once:.1f} s once",
        flush=True,
    )
    return motion


def silhouette_iou(motion: Motion, detection: Detection, body: SkinnedBody) -> float:
    """Return the mean over at most 60 frames."""
    every = max(1, len(detection.silhouettes) // 60)
    chosen = detection.silhouettes[::every]
    frames = [one.frame for one in chosen]
    vertices = body.vertices(motion.shape, motion.rotations[frames])
    vertices = project(vertices, motion.scale[frames], motion.translation[frames])
    return float(overlap(vertices, body.faces, chosen).mean())


def overlap(
    vertices: Float[Tensor, "m v 3"], faces: Faces, silhouettes: Sequence[Silhouette]
) -> Float[Tensor, "m"]:
    """Return intersection over union of the drawn body and each silhouette.

    Args:
        vertices: projected vertices (x, y, depth) in pixels of the frame.
    """
    scores = []
    for points, one in zip(vertices, silhouettes, strict=True):
        flat = (points[:, :2] - torch.tensor(one.origin)) * one.scale
        there = torch.cat((flat, points[:, 2:] * one.scale), dim=-1)[None]
        height, width = one.foreground.shape[1:]
        drawn = rasterize(there, faces, (height, width)).face[0] >= 0
        scores.append(_intersection_over_union(drawn, one.foreground[0] > 0.5))
    return torch.stack(scores)


def _intersection_over_union(one: Bool[Tensor, "h w"], other: Bool[Tensor, "h w"]) -> Tensor:
    return (one & other).sum() / (one | other).sum().clamp_min(1)


def jitter(motion: Motion, body: SkinnedBody) -> float:
    """Return the mean second difference of the body's keypoints, for a person of 160 pixels."""
    points = body.keypoints(motion.shape, motion.rotations)[..., :2]
    points = points * motion.scale[:, None, None] + motion.translation[:, None]
    unit = body_fit.UNIT_HEIGHT / (body_fit.BODY_HEIGHT * motion.scale.median())
    bumps = points[2:] - 2 * points[1:-1] + points[:-2]
    return float(bumps.norm(dim=-1).mean() * unit)


def draw_sheet(path: Path, reader: VideoReader, motion: Motion, body: SkinnedBody) -> None:
    """Write the body, shaded, over some frames, next to the frames themselves."""
    wanted = set(np.linspace(0, len(motion) - 1, SHEET_FRAMES).round().astype(int).tolist())
    columns = []
    for index, frame in enumerate(itertools.islice(reader, len(motion))):
        if index in wanted:
            half = 1.1 * float(motion.scale[index])
            zoom = SHEET_HEIGHT / 2 / half
            shift = SHEET_HEIGHT / 2 - zoom * motion.translation[index].numpy()
            to_tile = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
            tile = cv2.warpAffine(frame, to_tile, (SHEET_HEIGHT, SHEET_HEIGHT))
            columns.append(np.vstack([tile, shade(tile, motion, index, to_tile, body)]))
    cv2.imwrite(str(path), np.hstack(columns)[..., ::-1])


def shade(
    tile: np.ndarray, motion: Motion, index: int, to_tile: np.ndarray, body: SkinnedBody
) -> np.ndarray:
    """Lay the shaded body half transparent over a picture."""
    zoom = float(to_tile[0, 0])
    points = body.vertices(motion.shape, motion.rotations[index])
    place = motion.translation[index] * zoom + torch.from_numpy(to_tile[:, 2]).float()
    points = project(points, motion.scale[index] * zoom, place)
    corners = points[body.faces]
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    light = (-normals[:, 2] / normals.norm(dim=-1).clamp_min(1e-9)).clamp(0, 1) * 200 + 40
    face = rasterize(points[None], body.faces, (SHEET_HEIGHT, SHEET_HEIGHT)).face[0]
    inside = (face >= 0).numpy()
    result = tile.astype(np.float32)
    result[inside] = 0.4 * result[inside] + 0.6 * light[face.clamp_min(0)].numpy()[inside, None]
    return result.astype(np.uint8)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
