"""Print what the rasteriser and the mesh flow cost, and how well a clip's first frame warps.

    python tools/measure_flow.py                      # speed only
    python tools/measure_flow.py drive.mp4 other.mp4  # speed, then quality on these clips

Speed is measured at 256x256 on the shipped body (26.7k faces), in processor time of one thread.

Quality is self-reenactment: the clip's first frame is the source, its fitted motion drives it, and
each frame is compared with the true one. *Visible error* is the mean RGB difference (0..255) on
pixels that the flow calls visible, next to that of the first frame copied; *cover* is the
share of the person's foreground that is visible, with extension, and with what is filled.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.mesh_flow import mesh_flow, plane_turns
from bdmm.body.model import AnnyBody, load_body
from bdmm.body.rasterize import rasterize
from bdmm.body.rotations import axis_angle_to_matrix, chain
from bdmm.body.source_geometry import prepare_geometry
from bdmm.conditioning import condition
from bdmm.inference.renderers import coarse_frames
from bdmm.media.pixels import to_frames
from bdmm.media.video_reader import VideoReader
from bdmm.perception.background import remove_person
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.mediapipe_pose import detect_clip, detect_photo
from bdmm.perception.silhouette import clean_foreground
from bdmm.records import Conditions, Motion, PixelState, Source


@dataclass(frozen=True)
class Clip:
    """Some frames of a clip with their foregrounds, and the motion fitted to all of it.

    Attributes:
        frames: ``t 3 h w`` RGB in [-1, 1].
        people: ``t 1 h w`` foregrounds in [0, 1].
        motion: of these frames.
        pictures: the same frames in 0..255.
    """

    frames: Tensor
    people: Tensor
    motion: Motion
    pictures: list


def main(
    clips: Annotated[tuple[Path, ...], tyro.conf.Positional] = (), size: int = 256, every: int = 6
) -> None:
    """Print the numbers.

    Args:
        clips: videos to measure the quality on.
        size: longer side that they are brought to.
        every: measure one of so many frames.
    """
    torch.set_num_threads(1)
    body = load_body()
    print_speed(body)
    for path in clips:
        print_quality(path, body, size, every)


def print_speed(body: AnnyBody, frames: int = 12) -> None:
    """Print milliseconds per frame for a person who turns once about the vertical axis."""
    motion = turning(body, frames)
    pose = motion[:1]
    vertices = project(
        body.vertices(motion.shape, motion.rotations), motion.scale, motion.translation
    )
    faces = body.faces.to(torch.int32)
    foreground = (rasterize(vertices[:1], faces, motion.size).face >= 0).float()
    image = torch.zeros(3, *motion.size)
    source = Source(image, foreground, image, pose)
    geometry = prepare_geometry(body, pose, foreground)
    conditions = condition(body, geometry, motion)
    rasters = [rasterize(one[None], faces, motion.size) for one in vertices]
    turns = plane_turns(geometry.orientations, chain(motion.rotations), motion.scale / pose.scale)
    print(f"{motion.size[1]}x{motion.size[0]}, {len(faces)} faces, ms per frame:")
    report("rasterise, warp-lang", lambda: rasterize(vertices, faces, motion.size), frames)
    report(
        "mesh flow",
        lambda: [mesh_flow(geometry, rasters[t], turns[t : t + 1]) for t in range(frames)],
        frames,
    )
    report("all conditions", lambda: condition(body, geometry, motion), frames)
    report("coarse picture", lambda: coarse_frames(source, conditions, image), frames)


def turning(body: AnnyBody, frames: int) -> Motion:
    """Return a motion of the mean body that turns once, three quarters of the picture tall."""
    turns = torch.zeros(frames, 24, 3)
    turns[:, 0, 1] = torch.arange(frames) / frames * 2 * torch.pi
    return Motion(
        rotations=axis_angle_to_matrix(turns),
        scale=torch.full((frames,), 115.0),
        translation=torch.tensor([128.0, 110.0]).repeat(frames, 1),
        shape=torch.zeros(body.shape_size),
        flagged=torch.zeros(frames, dtype=torch.bool),
        size=(256, 256),
        fps=Fraction(25),
    )


def report(name: str, work: Callable[[], object], frames: int, repeats: int = 5) -> None:
    """Print the least processor time of several runs, divided by the frames."""
    work()
    least = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        least = min(least, time.process_time() - start)
    print(f"  {name:<22} {1000 * least / frames:6.2f}")


def print_quality(path: Path, body: AnnyBody, size: int, every: int) -> None:
    """Print visible error and cover of one clip."""
    clip = read_clip(path, body, size, every)
    person = clean_foreground(clip.people[0, 0].numpy())
    background = to_frames([remove_person(clip.pictures[0], person)])[0]
    foreground = torch.from_numpy(person)[None]
    source = Source(clip.frames[0], foreground, background, clip.motion[:1])
    geometry = prepare_geometry(body, source.pose, source.foreground, source.image)
    conditions = condition(body, geometry, clip.motion[1:])
    frames = coarse_frames(source, conditions, background)
    truth, people = clip.frames[1:], clip.people[1:, 0] > 0.5
    error, copy = (
        127.5 * (picture - truth).abs().mean(dim=1)[conditions.visible[0]].mean()
        for picture in (frames, clip.frames[:1])
    )
    shares = ", ".join(f"{name} {share:.1%}" for name, share in cover(conditions, people).items())
    assert conditions.segment is not None
    body_only = conditions.segment[0] >= 0
    overlap = ((body_only & people).sum((1, 2)) / (body_only | people).sum((1, 2))).mean()
    print(f"{path.name}, {len(frames)} frames of {frames.shape[3]}x{frames.shape[2]}:")
    print(f"  visible error {error:.1f} (first frame unchanged {copy:.1f})")
    print(f"  cover: {shares}; overlap of body and foreground {overlap:.3f}")


def cover(conditions: Conditions, people: Tensor) -> dict[str, float]:
    """Return which shares of the people's pixels are known how."""
    visible = conditions.visible[0]
    extended = visible | (conditions.state[0] == PixelState.EXTENDED)
    fallback = extended | conditions.fallback[0]
    regions = {"visible": visible, "with extension": extended, "with fallback": fallback}
    return {name: float((region & people).sum() / people.sum()) for name, region in regions.items()}


def read_clip(path: Path, body: AnnyBody, size: int, every: int) -> Clip:
    """Read, segment and fit a clip; frames in which the estimator finds nobody are left out."""
    reader = VideoReader(path, max_side=size)
    detection = detect_clip(reader, reader.fps)
    motion = fit_motion(
        detection.landmarks, body, detection.silhouettes, point_tracks=detection.point_tracks
    )
    pictures, people, chosen = [], [], []
    for index, picture in enumerate(VideoReader(path, max_side=size)):
        if index % every == 0 and detection.landmarks.found[index]:
            pictures.append(picture)
            people.append(detect_photo(picture).silhouettes[0].foreground)
            chosen.append(index)
    part = replace(
        motion,
        rotations=motion.rotations[chosen],
        scale=motion.scale[chosen],
        translation=motion.translation[chosen],
        flagged=motion.flagged[chosen],
    )
    people = [one[:, : part.size[0], : part.size[1]] for one in people]
    return Clip(to_frames(pictures), torch.stack(people), part, pictures)


if __name__ == "__main__":
    tyro.cli(main)
