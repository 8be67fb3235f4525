"""Print how far the flow of estimated poses is from the true flow, on rendered people.

    python tools/measure_chain.py [--clips 12] [--frames 48] [--seed 1000] [--sheet chain.png]

The whole chain is measured: the estimator looks at the rendered frames, the body is fitted, the
mesh flow is worked out from a source frame of the clip to the others. End-point errors are in
pixels at 256x256, on pixels that both the estimated and the true flow call visible, averaged over
frames first. Sources are the frames that face the camera, its left, its right and its back most.

Rows are views of the target: from the front, from the side and from behind (within 45, 45 to 135
and beyond 135 degrees), and side-on with a knee bent by more than 60 degrees. *Refined* is the fit
after refinement. *True pose* is the same mesh flow from the true body parameters: what is left is
due to the clothes.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from torch import Tensor

from bdmm.body.model import AnnyBody, load_body
from bdmm.body.source_geometry import prepare_geometry
from bdmm.conditioning import condition
from bdmm.media.pixels import to_frames
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.mediapipe_pose import detect_clip
from bdmm.perception.refine_fit import FrameView, refine_motion
from bdmm.perception.silhouette import clean_foreground
from bdmm.records import BONE_NAMES, Conditions, Motion
from bdmm.shapes import Foreground, Image
from bdmm_synth.clip import ClipRequest, RenderedClip, render_clip
from bdmm_synth.render.truth import TrueFlow

_KNEES = [BONE_NAMES.index(name) for name in ("left_knee", "right_knee")]
_VIEWS = ("front", "side", "behind", "crouched side-on", "all")


@dataclass
class Options:
    """What to measure."""

    clips: int = 12
    """How many rendered people."""
    frames: int = 48
    """Frames of each."""
    every: int = 4
    """Measure one of so many frames."""
    seed: int = 1000
    """Of the first clip."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="PNG")] = None
    """Also write a picture of frames and errors."""


@dataclass(frozen=True)
class Errors:
    """End-point errors of some target frames from one source, by way of making the flow.

    Attributes:
        views: of each target.
        errors: by way, each target's ``n`` errors in pixels.
    """

    views: list[list[str]]
    errors: dict[str, list[np.ndarray]]


def main(options: Options) -> None:
    torch.set_num_threads(1)
    body = load_body()
    table: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    spent = time.process_time()
    for seed in range(options.seed, options.seed + options.clips):
        clip = render_clip(ClipRequest(seed, frames=options.frames), body)
        estimated = estimate(clip, body)
        refined = refine_motion(body, estimated, looks(clip))
        motions = {"fitted": estimated, "refined": refined, "true pose": clip.motion}
        for source in sources(clip.motion):
            found = compare(clip, motions, source, body, options.every)
            for way, errors in found.errors.items():
                for views, error in zip(found.views, errors, strict=True):
                    for view in views:
                        table[way, view].append(error)
        print_table(table, options.seed, seed, time.process_time() - spent)


def estimate(clip: RenderedClip, body: AnnyBody) -> Motion:
    """Run the estimator and the fit on a clip."""
    detection = detect_clip(clip.frames_uint8, clip.motion.fps)
    return fit_motion(
        detection.landmarks, body, detection.silhouettes, point_tracks=detection.point_tracks
    )


def looks(clip: RenderedClip) -> Iterator[FrameView]:
    """Yield what makes frames and foregrounds for fit refinement."""

    def look(number: int) -> tuple[Image, Foreground]:
        soft = clean_foreground(clip.foregrounds[number] / np.float32(255))
        return to_frames([clip.frames_uint8[number]])[0], torch.from_numpy(soft)[None]

    for number in range(len(clip.frames_uint8)):
        yield partial(look, number)


def yaw(motion: Motion) -> Tensor:
    """Return ``t`` angles in degrees in [-180, 180] by which the body is turned from the camera."""
    facing = motion.rotations[:, 0, :, 2]
    return torch.rad2deg(torch.atan2(facing[:, 0], facing[:, 2]))


def sources(motion: Motion) -> list[int]:
    """Return the frames seen most from the front, the sides and behind, each at most once."""
    angles = yaw(motion)
    away = [((angles - towards + 180) % 360 - 180).abs() for towards in (0, 90, 180, -90)]
    return sorted({int(one.argmin()) for one in away})


def views_of(motion: Motion) -> list[list[str]]:
    """Return the rows of the table that each frame counts for."""
    bent = torch.stack([_angle(motion.rotations[:, knee]) for knee in _KNEES]).amax(0)
    rows = []
    for angle, knee in zip(yaw(motion).abs().tolist(), bent.tolist(), strict=True):
        row = ["front" if angle < 45 else "behind" if angle > 135 else "side", "all"]
        if row[0] == "side" and knee > 60:
            row.append("crouched side-on")
        rows.append(row)
    return rows


def _angle(rotation: Tensor) -> Tensor:
    trace = rotation.diagonal(dim1=-2, dim2=-1).sum(-1)
    return torch.rad2deg(((trace - 1) / 2).clamp(-1, 1).acos())


def compare(
    clip: RenderedClip, motions: dict[str, Motion], source: int, body: AnnyBody, every: int
) -> Errors:
    """Return the errors of one source frame."""
    targets = [t for t in range(0, len(clip.motion), every) if t != source]
    truth = clip.flow(source)
    views = views_of(clip.motion)
    errors = {
        name: [
            end_point_errors(flow_of(clip, motion, source, target, body), truth, target)
            for target in targets
        ]
        for name, motion in motions.items()
    }
    return Errors([views[target] for target in targets], errors)


def flow_of(
    clip: RenderedClip, motion: Motion, source: int, target: int, body: AnnyBody
) -> Conditions:
    """Return the conditions of one target frame."""
    soft = torch.from_numpy(clean_foreground(clip.foregrounds[source] / np.float32(255)))
    geometry = prepare_geometry(body, motion[source : source + 1], soft[None])
    return condition(body, geometry, motion[target : target + 1])


def end_point_errors(found: Conditions, truth: TrueFlow, target: int) -> np.ndarray:
    """Return ``n`` distances in pixels where both flows see the same."""
    height, width = truth.visible.shape[1:]
    size = torch.tensor([width, height])
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    here = torch.stack([columns, rows], dim=-1) + 0.5
    flow = (found.source_grid[0, 0] + 1) / 2 * size - here
    both = found.visible[0, 0] & truth.visible[target]
    return (flow - truth.flow[target])[both].norm(dim=-1).numpy()


def print_table(table: dict, first: int, last: int, seconds: float) -> None:
    """Print mean, median and share under 4 pixels by view."""
    print(f"seeds {first} to {last}, {seconds:.0f} CPU s")
    for way in ("fitted", "refined", "true pose"):
        for view in _VIEWS:
            errors = [one for one in table[way, view] if len(one) >= 50]
            if not errors:
                continue
            mean = np.mean([one.mean() for one in errors])
            every = np.concatenate(errors)
            print(
                f"  {way:<10} {view:<17} {len(errors):5} frames: mean {mean:5.2f}, median "
                f"{np.median(every):5.2f}, under 4 px {np.mean(every < 4):.0%}"
            )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
