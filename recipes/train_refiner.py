"""Train the network that refines fits, on people that `bdmm synth` rendered.

    python recipes/train_refiner.py samples people256/ -o samples/perturbed
    python recipes/train_refiner.py samples people256/ -o samples/estimated --estimate
    python recipes/train_refiner.py train samples/perturbed samples/estimated -o runs/refiner

Samples are fits with their truth: true fits that were perturbed, or, with ``--estimate``,
those that the pose estimator and the body fit make. Rerun either command to resume.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from bdmm.body.model import AnnyBody, load_body
from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.data.fit_error import spoil_fit
from bdmm.data.fit_samples import FitSample, augmented, estimated_motion, make_sample
from bdmm.errors import InputError
from bdmm.perception.fit_refiner import FitRefiner
from bdmm.records import Motion

ERRORS = (1.0, 5.0)
"""Pixels at 256 that are put into true fits."""
MORE = 2.0
"""Pixels at 256 that are put, at most, into two of five estimated fits."""
SOFT = 0.1
"""Crop pixels under which a distance counts squared."""
AVERAGED = 0.999


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
            part = file.with_suffix(".part")
            save_file(
                {name: torch.stack([one[name] for one in samples]) for name in samples[0]}, part
            )
            part.replace(file)
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
            fit = spoil_fit(fit, body, pixel * float(random.uniform(*ERRORS)), random)
        elif random.random() < 0.4:
            fit = spoil_fit(fit, body, pixel * float(random.uniform(0, MORE)), random)
        sample = make_sample(body, fit, true[frame : frame + 1], clip, frame)
        if sample is not None:
            yield sample.packed()


def train(options: argparse.Namespace) -> None:
    """Train; Adam along a cosine, averaged weights are what counts."""
    fabric = Fabric(
        accelerator="gpu" if options.gpu else "cpu",
        devices=options.devices,
        precision="bf16-mixed",
        strategy="ddp" if options.devices > 1 else "auto",
    )
    fabric.launch()
    torch.manual_seed(0)
    network, mean = FitRefiner(), FitRefiner()
    if options.init_weights:
        network.load_state_dict(load_file(options.init_weights))
    mean.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=1e-3)
    model, optimiser = fabric.setup(network.to(memory_format=torch.channels_last), optimiser)
    state, done = options.output / "state.pt", 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        network.load_state_dict(saved["network"])
        mean.load_state_dict(saved["mean"])
        optimiser.load_state_dict(saved["optimiser"])
        done = saved["step"]
    options.output.mkdir(parents=True, exist_ok=True)
    mean.to(fabric.device)
    for step, sample in zip(
        range(done, options.steps), batches(options, fabric.global_rank, done), strict=False
    ):
        rate = options.rate * min(1, (step + 1) / 100) * cosine(step / options.steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        sample = FitSample(*(part.to(fabric.device) for part in (sample.maps, sample.flow)))
        found = model(sample.maps).float()
        loss, share = errors(found, sample)
        optimiser.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(model, optimiser, max_norm=1.0)
        optimiser.step()
        keep = min(AVERAGED, (1 + step) / (10 + step))
        with torch.no_grad():
            for old, new in zip(mean.parameters(), network.parameters(), strict=True):
                old.lerp_(new, 1 - keep)
        if fabric.is_global_zero and ((step + 1) % 100 == 0 or step + 1 == options.steps):
            print(
                json.dumps({"step": step + 1, "loss": float(loss.detach()), "left": share}),
                flush=True,
            )
            save(options.output, network, mean, optimiser, step + 1)


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


def save(
    folder: Path, network: FitRefiner, mean: FitRefiner, optimiser: torch.optim.Optimizer, step: int
) -> None:
    """Write the state and the averaged weights; each appears whole or not at all."""
    content = {
        "network": network.state_dict(),
        "mean": mean.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
    }
    torch.save(content, folder / "state.part")
    (folder / "state.part").replace(folder / "state.pt")
    save_file(mean.state_dict(), folder / "refiner.part")
    (folder / "refiner.part").replace(folder / "refiner.safetensors")


if __name__ == "__main__":
    main()
