"""Print how well people are known from one, two and four photos: prepared clips in which they turn.

    python tools/measure_person.py people/ real/ --vgg vgg19.pth

Source frames are those turned to 0, 180, 90 and -90 degrees; the person of the first one is shown
in every N-th other frame. Printed for each clip: PSNR on the person and on its hidden pixels (body
that the one front photo does not show), and VGG-19's relative L1 on the person. *blurred* is the
control: one photo, hidden pixels blurred by a Gaussian of 3 pixels; PSNR rewards haze.

With ``--neighbours N`` two more columns, of N frames in a row around the one turned by 90 degrees:
the largest jump between neighbouring frames in those of the true ones, and the flicker of hidden
pixels, how many levels of 255 the colour of a point of the body changes from frame to frame.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import tyro
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from bdmm.appearance.person import build_person, view_person
from bdmm.appearance.photo_choice import shares_shown
from bdmm.body.camera import project
from bdmm.body.model import load_body
from bdmm.body.rasterize import rasterize
from bdmm.conditioning import condition_person
from bdmm.config import LossConfig
from bdmm.data.clip_store import TRUTH, PreparedClip, find_clips
from bdmm.errors import InputError
from bdmm.inference.renderers import coarse_frames
from bdmm.losses.vgg19 import Vgg19, load_vgg19
from bdmm.media.image import write_image
from bdmm.media.pixels import to_pictures
from bdmm.records import Motion, PixelState, Source
from bdmm.shapes import Frames

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
YAWS = (0.0, 180.0, 90.0, -90.0)
_RUN = 8
_RIM = 2
"""Pixels at rims, where frames mix colours."""
_SLACK = 0.02
"""Metres behind the z-buffer within which a vertex is seen."""


@dataclass(frozen=True)
class Score:
    """Means over the frames of a clip."""

    person: float
    hidden: float
    vgg: float


def main(
    folders: Annotated[tuple[Path, ...], tyro.conf.Positional],
    vgg: Path | None = None,
    every: int = 16,
    limit: int | None = None,
    true_poses: bool = False,
    sheet: Path | None = None,
    neighbours: int = 0,
) -> None:
    """Print the table.

    Args:
        vgg: weights of VGG-19; without them that column is left out.
        every: measure every N-th frame; 0: only neighbours.
        limit: at most so many clips of each folder.
        true_poses: take rendered people's true motion.
    """
    torch.set_num_threads(1)
    losses = LossConfig(
        perceptual=1.0, style=0.0, contextual=0.0, perceptual_layers=LAYERS, imagenet_input=True
    )
    eye = None if vgg is None else load_vgg19(vgg, losses)
    for folder in folders:
        for path in find_clips(folder)[:limit]:
            clip, part = PreparedClip(path), TRUTH if true_poses else ""
            sources = turned_frames(clip.motion(part))
            if sources is None:
                print(f"{clip.info.name}: the person does not turn all around")
                continue
            try:
                if every:
                    report(clip, eye, every, part, sheet)
                if neighbours:
                    report_neighbours(clip, neighbours, part)
            except InputError as error:
                print(f"{clip.info.name}: {error}")


def report(
    clip: PreparedClip, eye: Vgg19 | None, every: int, part: str, sheet: Path | None = None
) -> None:
    """Print one clip's rows."""
    motion = clip.motion(part)
    sources = turned_frames(motion)
    assert sources is not None
    photos = [photo_of(clip, motion, number) for number in sources]
    frames = [n for n in range(0, len(clip), every) if n not in sources]
    shown = picked(motion, frames)
    targets = torch.cat([clip.frames(n, n + 1) for n in frames])
    people = torch.cat([clip.foregrounds(n, n + 1) for n in frames])[:, 0] > 0.5
    one, hidden = rendered(photos[:1], shown)
    rows = {
        "one photo": one,
        "one, blurred": blurred(one, hidden, 3.0),
        "two photos": rendered(photos[:2], shown)[0],
        "four photos": rendered(photos, shown)[0],
    }
    if sheet is not None:
        save_sheet(sheet / f"{clip.info.name}.png", targets, rows)
    print(f"{clip.info.name}: frames {sources} as photos, {len(frames)} shown")
    for name, made in rows.items():
        score = scored(made, targets, people, hidden & people, eye)
        print(f"  {name:<12} {score.person:6.2f} {score.hidden:6.2f} {score.vgg:6.3f}", flush=True)


def report_neighbours(clip: PreparedClip, count: int, part: str) -> None:
    """Print one clip's rows of changes from frame to frame."""
    motion = clip.motion(part)
    sources = turned_frames(motion)
    assert sources is not None
    photos = [photo_of(clip, motion, number) for number in sources]
    start = max(min(sources[2] - count // 2, len(clip) - count), 0)
    stop = min(start + count, len(clip))
    run = motion[start:stop]
    people = clip.foregrounds(start, stop)[:, 0] > 0.5
    true = largest_jump(clip.frames(start, stop), people)
    print(f"{clip.info.name}: frames {start} to {stop - 1}, true jump {true:.1f} levels")
    hidden = None
    for name, some in (("one photo", photos[:1]), ("two photos", photos[:2]), ("four", photos)):
        made, unseen = rendered(some, run, together=True)
        hidden = unseen if hidden is None else hidden
        jump, change = largest_jump(made, people), flicker(made, run, hidden)
        print(f"  {name:<12} jump {jump / true:5.2f}   flicker {change:5.2f}", flush=True)


def largest_jump(frames: Frames, people: Bool[Tensor, "t h w"]) -> float:
    """Return the largest mean change between neighbouring frames where both show the person."""
    changes = (frames[1:] - frames[:-1]).abs().mean(dim=1) * 127.5
    both = people[1:] & people[:-1]
    return max(float(one[where].mean()) for one, where in zip(changes, both, strict=True))


def flicker(frames: Frames, motion: Motion, hidden: Bool[Tensor, "t h w"]) -> float:
    """Return the mean change, in levels of 255, at points of the body that stay hidden.

    Pixels at the rim of what is hidden are left out.

    Args:
        hidden: pixels of the body that the photo does not show.
    """
    rim = functional.max_pool2d((~hidden)[:, None].float(), 2 * _RIM + 1, stride=1, padding=_RIM)
    hidden = rim[:, 0] < 0.5
    body = load_body(motion.body)
    posed = body.vertices(motion.shape[None], motion.rotations)
    points = project(posed, motion.scale, motion.translation)
    depth = rasterize(points, body.faces, motion.size).depth
    height, width = motion.size
    grid = 2 * points[..., :2] / points.new_tensor([width, height]) - 1
    colours = functional.grid_sample(frames, grid[:, None], align_corners=False)[:, :, 0]
    x, y = points[..., 0].long().clamp(0, width - 1), points[..., 1].long().clamp(0, height - 1)
    frame = torch.arange(len(motion))[:, None]
    shown = hidden[frame, y, x] & (
        points[..., 2] < depth[frame, y, x] + _SLACK * motion.scale[:, None]
    )
    both = shown[1:] & shown[:-1]
    change = (colours[1:] - colours[:-1]).abs().mean(dim=1) * 127.5
    return float(change[both].mean())


def save_sheet(path: Path, targets: Frames, rows: Mapping[str, Frames]) -> None:
    """Write some frames of every row in one picture, the true ones on top."""
    chosen = slice(None, None, max(1, len(targets) // 8))
    lines = [torch.cat(list(frames[chosen]), dim=2) for frames in (targets, *rows.values())]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, to_pictures(torch.cat(lines, dim=1)[None])[0])


def turned_frames(motion: Motion) -> list[int] | None:
    """Return the trusted frames turned to each of `YAWS`; None if one is farther than 40 degrees.

    Yaw is the direction of the body's front, 0 to the camera.
    """
    front = motion.rotations[:, 0, :, 2]
    yaw = torch.rad2deg(torch.atan2(front[:, 0], front[:, 2]))
    chosen = []
    for wanted in YAWS:
        away = ((yaw - wanted + 180) % 360 - 180).abs()
        away[motion.flagged] = 360
        if float(away.min()) > 40:
            return None
        chosen.append(int(away.argmin()))
    return chosen


def picked(motion: Motion, frames: Sequence[int]) -> Motion:
    """Return some frames of a motion."""
    index = list(frames)
    return replace(
        motion,
        rotations=motion.rotations[index],
        scale=motion.scale[index],
        translation=motion.translation[index],
        flagged=motion.flagged[index],
    )


def photo_of(clip: PreparedClip, motion: Motion, number: int) -> Source:
    """Return a frame of a clip as a photo."""
    return Source(
        clip.frames(number, number + 1)[0],
        clip.foregrounds(number, number + 1)[0],
        clip.background(),
        motion[number : number + 1],
    )


def rendered(
    photos: Sequence[Source], motion: Motion, together: bool = False
) -> tuple[Frames, Bool[Tensor, "t h w"]]:
    """Return coarse frames, and which pixels of the body no photo shows.

    Args:
        together: frames follow each other, so that photos change smoothly; else each one stands
            alone.
    """
    person = view_person(build_person(photos))
    first = person.views[0]
    timed = motion if together else replace(motion, fps=motion.fps / 100)
    shares = shares_shown(first.geometry.body, person.views, timed)
    frames, hidden = [], []
    for part in runs(len(motion)):
        conditions = condition_person(person, motion[part], shares[part])
        frames.append(coarse_frames(first.source, conditions, first.source.background))
        hidden.append(conditions.state[0] == PixelState.HIDDEN)
    return torch.cat(frames), torch.cat(hidden)


def runs(count: int) -> Iterator[slice]:
    """Yield slices of some frames each."""
    for start in range(0, count, _RUN):
        yield slice(start, min(start + _RUN, count))


def blurred(frames: Frames, region: Bool[Tensor, "t h w"], sigma: float) -> Frames:
    """Return frames with a region blurred from its own pixels."""
    reach = round(3 * sigma)
    steps = torch.arange(-reach, reach + 1)
    kernel = torch.softmax(-0.5 * (steps / sigma).square(), dim=0)
    inside = region[:, None].float()
    joined = torch.cat((frames * inside, inside), dim=1)
    for shape, pad in (((1, -1), (reach, reach, 0, 0)), ((-1, 1), (0, 0, reach, reach))):
        taps = kernel.view(1, 1, *shape).expand(4, 1, -1, -1) if shape[0] == 1 else None
        taps = kernel.view(1, 1, -1, 1).expand(4, 1, -1, -1) if taps is None else taps
        joined = functional.conv2d(functional.pad(joined, pad), taps, groups=4)
    mean = joined[:, :3] / joined[:, 3:].clamp(min=1e-6)
    return torch.where(region[:, None], mean, frames)


def scored(
    made: Frames,
    targets: Frames,
    people: Bool[Tensor, "t h w"],
    hidden: Bool[Tensor, "t h w"],
    eye: Vgg19 | None,
) -> Score:
    """Score frames against the true ones, on the person."""
    distances = [
        0.0 if eye is None else feature_distance(eye, *one)
        for one in zip(made, targets, people, strict=True)
    ]
    return Score(
        psnr(made, targets, people), psnr(made, targets, hidden), sum(distances) / len(distances)
    )


def psnr(made: Frames, targets: Frames, region: Bool[Tensor, "t h w"]) -> float:
    """Return the mean over frames of the PSNR in a region."""
    values = []
    for one, true, where in zip(made, targets, region, strict=True):
        if where.sum() >= 50:
            error = (one - true)[:, where].square().mean() / 4
            values.append(-10 * math.log10(float(error)))
    return sum(values) / max(len(values), 1)


@torch.no_grad()
def feature_distance(
    eye: Vgg19,
    made: Float[Tensor, "3 h w"],
    true: Float[Tensor, "3 h w"],
    person: Bool[Tensor, "h w"],
) -> float:
    """Return the relative L1 of features on the person, summed over the layers."""
    pair = eye(torch.stack((torch.where(person, made, true), true)))
    total = 0.0
    for value in pair.values():
        size = (value.shape[2], value.shape[3])
        weight = functional.interpolate(person[None, None].float(), size, mode="area")[0]
        apart = ((value[0] - value[1]).abs() * weight).sum()
        total += float(apart / (value[1].abs() * weight).sum().clamp(min=1e-6))
    return total


if __name__ == "__main__":
    tyro.cli(main)
