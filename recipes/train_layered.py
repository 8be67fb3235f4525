"""Train the shipped weights on people that `bdmm synth` rendered: small frames, then large ones.

    bdmm synth -o people128/ --clips 360 --size 128 --frames 24 --seed 1000 --no-truth
    bdmm synth -o people256/ --clips 120 --size 256 --frames 24 --seed 5000 --no-truth
    python recipes/train_layered.py people128/ people256/ -o runs/layered --vgg VGG19

Rerun the same command to resume. On a GPU: --gpu, and a bigger batch.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from bdmm.data.augment import Augmentation
from bdmm.data.clip_dataset import ClipDataset, Sampling
from bdmm.training.feature_extractor import with_measured_divisors
from bdmm.training.settings import TRAIN_PRESETS
from bdmm.training.start import Machine, Material, start

CROPS = {128: (112, 80), 256: (224, 160)}
"""Size of the frames -> the part around the person."""


def main() -> None:
    """Train through both stages."""
    options = parse()
    torch.set_num_threads(options.threads)
    if options.small is not None:
        small = round(options.share * options.steps)
        run_stage(options, options.small, steps=small, final_rate=3e-4)
    run_stage(options, options.large, steps=options.steps, final_rate=1e-4)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the shipped weights.")
    parser.add_argument("small", type=Path, nargs="?", help="clips of 128x128")
    parser.add_argument("large", type=Path, help="clips of 256x256")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--vgg", type=Path, required=True, help="file of VGG-19's weights")
    parser.add_argument("--steps", type=int, default=8000, help="in all")
    parser.add_argument("--share", type=float, default=0.8, help="of the steps, on small clips")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--window", type=int, default=3, help="frames of a window")
    parser.add_argument("--windows", type=int, default=1, help="that follow each other")
    parser.add_argument("--devices", type=int, default=1, help="processes, or GPUs")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--workers", type=int, default=0, help="processes that read ahead")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--init-weights", type=Path, help="start from these weights")
    parser.add_argument("--forward-only", action="store_true", help="without the backward branch")
    parser.add_argument("--flow-jitter", type=float, default=0.0, help="pixels at 256, each frame")
    return parser.parse_args()


def run_stage(options: argparse.Namespace, clips: Path, steps: int, final_rate: float) -> None:
    """Train on one folder of clips until so many steps are done, earlier stages' among them."""
    preset = TRAIN_PRESETS["layered"]
    network = replace(preset.network, backward_branch=not options.forward_only)
    dataset = ClipDataset([clips], Sampling(), split="train")
    settings = replace(
        preset,
        network=network,
        losses=replace(with_measured_divisors(preset.losses, options.vgg, dataset), frames_seen=1),
        window=options.window,
        windows=options.windows,
        betas=(0.9, 0.999),
        gradient_limit=2.0,
        steps=steps,
        batch=options.batch,
        learning_rate=options.rate,
        final_rate=final_rate,
        precision="bf16-mixed" if options.gpu else "32-true",
        crop=CROPS[dataset.clips[0].info.size[0]],
        save_every=100,
    )
    machine = Machine("cuda" if options.gpu else "cpu", options.devices, workers=options.workers)
    poses = Augmentation(drop_outs=0.1, jitter=2.0, flow_error=0.5, flow_jitter=options.flow_jitter)
    material = Material(clips=[clips], vgg=options.vgg, augmentation=poses)
    outcome = start(settings, material, options.output, machine, init_weights=options.init_weights)
    if outcome.leads:
        print(f"{options.output}: {outcome.step} steps done.")
    if not outcome.finished:
        raise SystemExit(0)


if __name__ == "__main__":
    main()
