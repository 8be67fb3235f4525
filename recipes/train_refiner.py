"""Train the network that refines fits, on people that `bdmm synth` rendered.

    python recipes/train_refiner.py samples people256/ -o samples/perturbed
    python recipes/train_refiner.py samples people256/ -o samples/estimated --estimate
    python recipes/train_refiner.py train samples/perturbed samples/estimated -o runs/refiner

Samples are fits with their truth: true fits that were perturbed, or, with ``--estimate``,
those that the pose estimator and the body fit make. Rerun either command to resume.
"""

import argparse
import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from bdmm.body.model import AnnyBody, SkinnedBody, load_body
from bdmm.body.rasterize import rasterize
from bdmm.data.cached_sources import perturb_fit
from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.errors import InputError
from bdmm.files.tensor_files import write_safetensors
from bdmm.kernels.warp import warp
from bdmm.media.pixels import to_pictures
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.fit_refiner import (
    SIDE,
    FitPicture,
    FitRefiner,
    clothed_vertices,
    crop_grid,
    drawn,
    picture_fit,
)
from bdmm.perception.mediapipe_pose import detect_clip
from bdmm.records import Motion
from bdmm.training.loop import anyone_asked, listening
from bdmm.training.run_folder import Logbook, own
from bdmm.training.run_state import (
    Checkpoint,
    load_latest,
    moving_average,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
    under,
)

ERRORS = (1.0, 5.0)
"""Least and largest error in pixels at 256 that is put into true fits."""
MORE = 2.0
"""Largest error in pixels at 256 that is put into two of five estimated fits."""
SOFT = 0.1
"""Crop pixels under which a distance counts squared."""
AVERAGED = 0.999
"""Share of the averaged weights that an update keeps."""
LEAST = 0.02
"""Share of the frame that a person must fill."""
FARTHEST = 15.0
"""Crop pixels of mean error beyond which a fit isn't to be refined but to be made again."""
_BEHIND = 0.06
"""Metres that a point may truly lie behind the surface that is drawn there and count as seen."""
_PHOTO = 4
"""The first maps: the photo and its foreground."""


def main() -> None:
    """Make samples or train."""
    parser = argparse.ArgumentParser(description="Train the network that refines fits.")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("samples", help="make samples of prepared clips")
    making.add_argument("clips", type=Path, nargs="+")
    making.add_argument("-o", "--output", type=Path, required=True)
    making.add_argument("--estimate", action="store_true", help="fits of the whole chain")
    making.add_argument("--every", type=int, default=1, help="one of so many frames")
    making.add_argument("--seed", type=int, default=0)
    making.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("I", "N"))
    training = commands.add_parser("train", help="train on samples")
    training.add_argument("samples", type=Path, nargs="+")
    training.add_argument("-o", "--output", type=Path, required=True)
    training.add_argument("--init-weights", type=Path, help="start from these weights")
    training.add_argument("--steps", type=int, default=6000)
    training.add_argument("--batch", type=int, default=8, help="of each process")
    training.add_argument("--devices", type=int, default=1)
    training.add_argument("--rate", type=float, default=1e-3)
    training.add_argument("--gpu", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    make(options) if options.command == "samples" else train(options)


def make(options: argparse.Namespace) -> None:
    """Write one file of samples for each clip."""
    options.output.mkdir(parents=True, exist_ok=True)
    body, (first, parts) = load_body(), options.part
    clips = [clip for folder in options.clips for clip in find_clips(folder)]
    for folder in clips[first::parts]:
        file = options.output / f"{folder.name}.safetensors"
        if file.exists():
            continue
        samples = list(samples_of(PreparedClip(folder), body, options))
        if samples:
            names = samples[0]
            write_safetensors(
                file, {name: torch.stack([one[name] for one in samples]) for name in names}, {}
            )
        print(f"{file}: {len(samples)} samples", flush=True)


def samples_of(
    clip: PreparedClip, body: AnnyBody, options: argparse.Namespace
) -> Iterator[dict[str, Tensor]]:
    """Yield the samples of a clip, in small numbers."""
    true, pixel = clip.motion(), clip.info.size[0] / 256
    random = np.random.default_rng([options.seed, *clip.info.name.encode()])
    try:
        fits = estimated_motion(clip, body) if options.estimate else true
    except InputError as error:
        print(f"{clip.info.name}: {error}")
        return
    for frame in range(int(random.integers(options.every)), len(clip), options.every):
        if bool(fits.flagged[frame]):
            continue
        fit: Motion = fits[frame : frame + 1]
        if not options.estimate:
            fit = perturb_fit(fit, body, pixel * float(random.uniform(*ERRORS)), random)
        elif random.random() < 0.4:
            fit = perturb_fit(fit, body, pixel * float(random.uniform(0, MORE)), random)
        sample = make_sample(body, fit, true[frame : frame + 1], clip, frame)
        if sample is not None:
            yield sample.packed()


@dataclass(frozen=True)
class FitSample:
    """Pictures of fits, and the flow from each body point to where the photo shows it.

    Attributes:
        maps: ``b 12 h w`` `FitPicture.maps`.
        flow: ``b 3 h1 w1`` at half the resolution: (x, y) in crop pixels, and 1 where the body is
            and the photo shows that point.
    """

    maps: Float[Tensor, "b 12 h w"]
    flow: Float[Tensor, "b 3 h1 w1"]

    def packed(self) -> dict[str, Tensor]:
        """Return the only sample of a batch in small numbers."""
        photo = ((self.maps[0, :_PHOTO] + 1) * 127.5).round().byte()
        return {"photo": photo, "body": self.maps[0, _PHOTO:].half(), "flow": self.flow[0].half()}

    @classmethod
    def unpacked(cls, parts: dict[str, Tensor]) -> "FitSample":
        """Return a batch of what `packed` gave, stacked."""
        photo = parts["photo"].float() / 127.5 - 1
        return cls(torch.cat((photo, parts["body"].float()), dim=1), parts["flow"].float())


def estimated_motion(clip: PreparedClip, body: SkinnedBody) -> Motion:
    """Return what the estimator and the fit make of a clip's frames.

    Raises:
        InputError: nobody is seen, or not for longer than a second.
    """
    detection = detect_clip(to_pictures(clip.frames()), clip.info.fps)
    return fit_motion(
        detection.landmarks, body, detection.silhouettes, point_tracks=detection.point_tracks
    )


def make_sample(
    body: SkinnedBody, fit: Motion, true: Motion, clip: PreparedClip, frame: int
) -> FitSample | None:
    """Return the sample of one frame of a clip, or None for one that nothing can be learned from.

    Args:
        body: that both poses belong to.
        fit: the pose that the network is shown.
        true: the true one.
        clip: that the frame belongs to.
        frame: its number.
    """
    foreground = clip.foregrounds(frame, frame + 1)[0]
    if float((foreground > 0.5).float().mean()) < LEAST:
        return None
    picture = picture_fit(body, fit, clip.frames(frame, frame + 1)[0], foreground)
    vertices = clothed_vertices(body, true, foreground)
    there = picture.face >= 0
    place = drawn(picture.face, picture.barycentric, body.faces, vertices)
    height, width = true.size
    column = place[..., 0].long().clamp(0, width - 1)
    row = place[..., 1].long().clamp(0, height - 1)
    front = rasterize(vertices[None], body.faces, true.size).depth[0][row, column]
    known = there & (place[..., 2] < front + _BEHIND * float(true.scale[0]))
    if not known.any():
        return None
    shift = drawn(picture.face, picture.barycentric, body.faces, vertices - picture.vertices)[
        ..., :2
    ]
    shift = shift * (picture.maps.shape[-1] / picture.side)
    if float(shift[known].norm(dim=-1).mean()) > FARTHEST:
        return None
    flow = torch.cat((shift, known[..., None].float()), dim=-1)
    return FitSample(picture.maps[None], cropped(picture, flow)[None])


def cropped(picture: FitPicture, values: Tensor) -> Tensor:
    """Return the crop of nearest ``h w c`` values of the picture, at half its resolution."""
    size = values.shape[0], values.shape[1]
    grid = crop_grid(picture.corner, picture.side, size, SIDE // 2)
    return warp(values.permute(2, 0, 1)[None], grid, "nearest", "border")[0]


def train(options: argparse.Namespace) -> None:
    """Train with Adam along half a cosine; what counts is the averaged weights."""
    fabric = Fabric(
        accelerator="gpu" if options.gpu else "cpu",
        devices=options.devices,
        precision="bf16-mixed",
        strategy="ddp" if options.devices > 1 else "auto",
    )
    fabric.launch()
    torch.manual_seed(0)
    network, run = FitRefiner(), options.output
    if options.init_weights:
        network.load_state_dict(load_file(options.init_weights))
    mean = moving_average(network, AVERAGED).to(fabric.device)
    optimiser = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=1e-3)
    model, stepper = fabric.setup(network.to(memory_format=torch.channels_last), optimiser)
    with ExitStack() as stack:
        if fabric.is_global_zero:
            stack.enter_context(own(run))
        fabric.barrier()
        checkpoint = load_latest(run)
        if checkpoint is not None:
            network.load_state_dict(under("network.", checkpoint.tensors))
            mean.module.load_state_dict(under("average.", checkpoint.tensors))
            restore_optimiser(optimiser, under("optimiser.", checkpoint.tensors))
        done = 0 if checkpoint is None else checkpoint.step
        mean.n_averaged.fill_(done)
        request = stack.enter_context(listening())
        book = stack.enter_context(Logbook(run, done)) if fabric.is_global_zero else None
        feed = batches(options, fabric.global_rank, done)
        for step, sample in zip(range(done, options.steps), feed, strict=False):
            rate = options.rate * min(1, (step + 1) / 100) * cosine(step / options.steps)
            for group in stepper.param_groups:
                group["lr"] = rate
            sample = FitSample(*(part.to(fabric.device) for part in (sample.maps, sample.flow)))
            loss, share = errors(model(sample.maps).float(), sample)
            stepper.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, stepper, max_norm=1.0)
            stepper.step()
            mean.update_parameters(network)
            stopped = anyone_asked(request, fabric)
            ends = stopped or step + 1 == options.steps
            if book is not None and (ends or (step + 1) % 100 == 0):
                book.note(step + 1, {"loss": float(loss.detach()), "left": share}, {})
                save(run, network, mean.module, optimiser, step + 1)
            if stopped:
                break


def cosine(share: float) -> float:
    """Return the factor on the learning rate, 1 to .01."""
    return max(0.01, 0.5 * (1 + math.cos(math.pi * share)))


def errors(found: Tensor, sample: FitSample) -> tuple[Tensor, float]:
    """Return the mean distance from the truth, and what share of the fits' own error that is."""
    flow, known = sample.flow[:, :2], sample.flow[:, 2:]
    distance = ((found - flow).square().sum(1, keepdim=True) + SOFT**2).sqrt() * known
    loss = distance.sum() / known.sum()
    before = (flow.norm(dim=1, keepdim=True) * known).sum() / known.sum()
    return loss, float(loss.detach() / before)


def batches(options: argparse.Namespace, rank: int, done: int) -> Iterator[FitSample]:
    """Yield augmented batches for ever."""
    files = sorted(file for folder in options.samples for file in folder.glob("*.safetensors"))
    parts = [safe_open(file, framework="pt") for file in files]
    names = ("photo", "body", "flow")
    places = [(part, i) for part in parts for i in range(part.get_slice("flow").get_shape()[0])]
    if not places:
        raise SystemExit("These folders hold no samples: make some first.")
    random = np.random.default_rng([rank, done])
    while True:
        chosen = [places[int(i)] for i in random.integers(len(places), size=options.batch)]
        packed = {
            name: torch.stack([part.get_slice(name)[i] for part, i in chosen]) for name in names
        }
        yield augmented(FitSample.unpacked(packed), random)


def augmented(sample: FitSample, random: np.random.Generator) -> FitSample:
    """Return a batch in other colours, sharpness and places, some of it mirrored."""
    photo = _other_colours(sample.maps[:, :3], random)
    maps = torch.cat((photo, sample.maps[:, 3:]), dim=1)
    mirrored = torch.from_numpy(random.random(len(maps)) < 0.5)[:, None, None, None]
    maps = torch.where(mirrored, _mirrored(maps, (4, 7)), maps)
    flow = torch.where(mirrored, _mirrored(sample.flow, (0,)), sample.flow)
    return _turned(maps, flow, random)


def _other_colours(photo: Float[Tensor, "b 3 h w"], random: np.random.Generator) -> Tensor:
    def uniform(least: float, most: float, channels: int) -> Tensor:
        values = random.uniform(least, most, (len(photo), channels, 1, 1))
        return torch.from_numpy(values).float()

    photo = photo * uniform(0.7, 1.3, 3) * uniform(0.6, 1.3, 1) + uniform(-0.2, 0.2, 3)
    if random.random() < 0.3:
        share = float(random.uniform(0.35, 0.9))
        small = functional.interpolate(photo, scale_factor=share, mode="bilinear", antialias=True)
        photo = functional.interpolate(small, size=photo.shape[-2:], mode="bilinear")
    grain = random.normal(0, float(random.uniform(0, 0.06)), tuple(photo.shape))
    return (photo + torch.from_numpy(grain).float()).clamp(-1, 1)


def _mirrored(maps: Float[Tensor, "b c h w"], sideways: tuple[int, ...]) -> Tensor:
    """Return mirrored maps; channels that point sideways change their sign."""
    maps = maps.flip(-1)
    maps[:, sideways] *= -1
    return maps


def _turned(
    maps: Float[Tensor, "b 12 h w"], flow: Float[Tensor, "b 3 h1 w1"], random: np.random.Generator
) -> FitSample:
    """Turn, enlarge and shift all of it a little."""

    def uniform(least: float, most: float) -> Tensor:
        return torch.from_numpy(random.uniform(least, most, len(maps))).float()

    angle, larger = uniform(-0.3, 0.3), uniform(0.85, 1.1)
    cosine, sine = angle.cos(), angle.sin()
    rows = (
        torch.stack((cosine / larger, -sine / larger, uniform(-0.08, 0.08)), dim=1),
        torch.stack((sine / larger, cosine / larger, uniform(-0.08, 0.08)), dim=1),
    )
    back = torch.stack(rows, dim=1)

    def grid(values: Tensor) -> Tensor:
        return functional.affine_grid(back, list(values.shape), align_corners=False)

    turn = torch.stack((torch.stack((cosine, sine), 1), torch.stack((-sine, cosine), 1)), dim=1)
    photo = warp(maps[:, :_PHOTO], grid(maps), beyond="border")
    body = warp(maps[:, _PHOTO:], grid(maps), "nearest", "border")
    normal = torch.einsum("bij,bjhw->bihw", turn, body[:, 3:5])
    body = torch.cat((body[:, :3], normal, body[:, 5:]), dim=1)
    flow = warp(flow, grid(flow), "nearest")
    larger = rearrange(larger, "b -> b 1 1")
    pointed = torch.einsum("bij,bjhw->bihw", larger * turn, flow[:, :2])
    return FitSample(torch.cat((photo, body), dim=1), torch.cat((pointed, flow[:, 2:]), dim=1))


def save(
    run: Path, network: nn.Module, mean: nn.Module, optimiser: torch.optim.Optimizer, step: int
) -> None:
    """Write a checkpoint and the averaged weights; each appears whole or not at all."""
    tensors = {
        f"{name}.{key}": value
        for name, one in (("network", network), ("average", mean))
        for key, value in one.state_dict().items()
    }
    tensors |= optimiser_tensors("optimiser", optimiser)
    save_checkpoint(run, Checkpoint(step, tensors, {}))
    write_safetensors(run / "refiner.safetensors", mean.state_dict(), {})


if __name__ == "__main__":
    main()
