"""Print the error of fits against the number of optimisation steps.

    python tools/measure_fit_steps.py [--people 2] [--seed 71000] [CLIP ...]

Rendered people have a true body: the error is the mean distance of the whole surface in pixels at
256x256, after the fit and after its refinement. Of real clips it is that of the
estimator's own sure keypoints, with the silhouettes' IoU and the jitter, as in `measure_fit.py`.
Seconds are CPU time of one thread for one photo, or one clip. A person takes half a minute of it.
"""

import itertools
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from measure_fit import jitter, silhouette_iou
from measure_refining import missed

from bdmm.body.model import AnnyBody, load_body
from bdmm.data.cached_sources import as_foreground
from bdmm.errors import InputError, Notice
from bdmm.media.pixels import to_frames
from bdmm.media.video_reader import VideoReader
from bdmm.perception import body_fit
from bdmm.perception.mediapipe_pose import detect_clip, detect_photo
from bdmm.perception.person_crop import refine_seen
from bdmm.perception.pose import Detection
from bdmm.perception.refine_fit import refine_photo
from bdmm.records import Motion
from bdmm_synth.clip import ClipRequest, render_clip

FRAMES = 16
"""Of each rendered clip; the photo is the middle one."""


@dataclass
class Options:
    """What to measure."""

    clips: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Real clips; their first 96 frames are taken."""
    people: int = 2
    """How many rendered people."""
    seed: int = 71000
    """Of the first."""
    photo: tuple[int, ...] = (24, 12, 6)
    """Steps of a photo's fit."""
    shape: tuple[int, ...] = (10, 5)
    """Steps of a clip's shape, the poses' as they are."""
    clip: tuple[int, ...] = (8, 4, 2)
    """Steps of a clip's poses, the shape's as they are."""
    every: tuple[int, ...] = (4, 8)
    """Refine every N-th frame of a clip."""


Rows = dict[tuple[str, int], list[tuple[float, ...]]]


def main(options: Options) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", Notice)
    body = load_body()
    rows: Rows = defaultdict(list)
    for seed in range(options.seed, options.seed + options.people):
        try:
            rendered(rows, seed, body, options)
        except InputError as error:
            print(f"seed {seed}: {error}")
    for (kind, steps), values in rows.items():
        error, refined, seconds = np.array(values).mean(0)
        after = "" if np.isnan(refined) else f", refined {refined:.2f}"
        print(f"rendered {kind:5} {steps:4}: {error:.2f} px{after}, {seconds:.2f} s")
    for path in options.clips:
        real(path, body, options)


def rendered(rows: Rows, seed: int, body: AnnyBody, options: Options) -> None:
    """Add the errors and times of one rendered person."""
    clip = render_clip(ClipRequest(seed, frames=FRAMES), body)
    picture = clip.frames_uint8[FRAMES // 2]
    true = clip.motion[FRAMES // 2 : FRAMES // 2 + 1]
    photo = detect_photo(picture)
    image = to_frames([picture])[0]
    foreground = as_foreground(clip.foregrounds[FRAMES // 2])
    for steps in options.photo:
        fit, seconds = with_steps(
            "PHOTO_STEPS",
            steps,
            lambda: body_fit.fit_photo(photo.landmarks, body, photo.silhouettes),
        )
        refined = refine_photo(body, fit, image, foreground)
        errors = (missed(body, fit, true), missed(body, refined, true))
        rows["photo", steps].append((*errors, seconds))
    detection = detect_clip(clip.frames_uint8, clip.motion.fps, views_every=1)
    for kind, name, counts in ways(options):
        for steps in counts:
            fit, seconds = with_steps(name, steps, lambda: fitted(detection, body))
            rows[kind, steps].append((missed(body, fit, clip.motion), np.nan, seconds))
    fit = fitted(detection, body)
    for every in options.every:
        start = time.process_time()
        refined = refine_seen(body, fit, replace(detection, views=detection.views[::every]))
        seconds = time.process_time() - start
        errors = (missed(body, fit, clip.motion), missed(body, refined, clip.motion))
        rows["every", every].append((*errors, seconds))


def ways(options: Options) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    """Return kind, name in `body_fit` and numbers of steps."""
    return ("shape", "SHAPE_STEPS", options.shape), ("clip", "CLIP_STEPS", options.clip)


def real(path: Path, body: AnnyBody, options: Options) -> None:
    """Print the figures of a real clip."""
    reader = VideoReader(path, max_side=1280)
    detection = detect_clip(itertools.islice(reader, 96), reader.fps)
    for kind, name, counts in ways(options):
        for steps in counts:
            fit, seconds = with_steps(name, steps, lambda: fitted(detection, body))
            errors = body_fit.keypoint_errors(fit, detection.landmarks, body)
            print(
                f"{path.stem} {kind:5} {steps:4}: {errors.nanmean():.2f} px, "
                f"IoU {silhouette_iou(fit, detection, body):.3f}, "
                f"jitter {jitter(fit, body):.2f} px, {seconds:.2f} s",
                flush=True,
            )


def fitted(detection: Detection, body: AnnyBody) -> Motion:
    return body_fit.fit_motion(
        detection.landmarks, body, detection.silhouettes, point_tracks=detection.point_tracks
    )


def with_steps(name: str, steps: int, fit: Callable[[], Motion]) -> tuple[Motion, float]:
    """Fit with another number of steps; return the fit and the seconds."""
    kept = getattr(body_fit, name)
    setattr(body_fit, name, steps)
    try:
        start = time.process_time()
        return fit(), time.process_time() - start
    finally:
        setattr(body_fit, name, kept)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
