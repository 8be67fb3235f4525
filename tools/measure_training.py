"""Time a training step, and generating, of presets side by side.

    python tools/measure_training.py [--presets layered paper] [--vgg FILE] [--device cuda]

One clip, one window of six frames, all of the preset's losses (those that read VGG-19 only with
--vgg). Each preset runs in a process of its own, so that its peak memory is its own. The frames
are made up: what they show plays no part. Generating is by the network alone, its kernels folded
beforehand.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from bdmm.config import PRESETS
from bdmm.data.batch import Batch
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
from bdmm.records import Conditions, PixelState, joints_of
from bdmm.training.feature_extractor import load_features
from bdmm.training.run_state import RunState
from bdmm.training.settings import TRAIN_PRESETS, TrainSettings

FRAMES = 6


def made_up(size: int, joints: int) -> Batch:
    """Return a person-shaped hole in noise, moving a little from frame to frame."""
    random = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=random)

    centres = (torch.arange(size) + 0.5) * 2 / size - 1
    still = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1)
    grids = torch.stack([still * 0.9 + 0.02 * i for i in range(FRAMES)])[None]
    person = (still[..., 0].abs() < 0.3) & (still[..., 1].abs() < 0.8)
    state = torch.where(person, PixelState.VISIBLE, PixelState.NONE).to(torch.uint8)
    keypoints = torch.cat((noise(1, FRAMES, 29, 2) * size, torch.ones(1, FRAMES, 29, 1)), dim=-1)
    return Batch(
        source_image=noise(1, 3, size, size) * 2 - 1,
        source_foreground=person[None, None].float(),
        background=noise(1, 3, size, size) * 2 - 1,
        conditions=Conditions(
            keypoints=keypoints,
            source_grid=grids,
            state=state.expand(1, FRAMES, -1, -1),
            fallback=torch.zeros(1, FRAMES, size, size, dtype=torch.bool),
            joints=joints_of(joints),
        ),
        target_frames=noise(1, FRAMES, 3, size, size) * 2 - 1,
        target_foreground=person.float().expand(1, FRAMES, 1, -1, -1),
        valid=torch.ones(1, FRAMES, dtype=torch.bool),
    )


def settings_of(preset: str, vgg: Path | None) -> TrainSettings:
    """Return a preset's settings for one window, without the losses that lack VGG-19."""
    settings = replace(TRAIN_PRESETS[preset], windows=1)
    if vgg is not None:
        return settings
    losses = replace(settings.losses, perceptual=0.0, style=0.0, contextual=0.0)
    return replace(settings, losses=losses)


def measure_steps(options: argparse.Namespace, preset: str) -> list[float]:
    """Return the seconds of some steps, the first left out."""
    settings = settings_of(preset, options.vgg)
    vgg = load_features(options.vgg, settings.losses)
    device = torch.device(options.device)
    state = RunState(settings, device, None if vgg is None else vgg.to(device))
    fabric = Fabric(accelerator=device.type, devices=1)
    batch = made_up(options.size, settings.network.joints).to(device)
    seconds = []
    for step in range(options.rounds + 1):
        begin = time.perf_counter()
        state.train_step([batch], step, fabric)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]


@torch.inference_mode()
def measure_frames(options: argparse.Namespace, preset: str) -> list[float]:
    """Return the seconds of some windows, the first left out."""
    device = torch.device(options.device)
    generator = accelerate(Generator(PRESETS[preset]).to(device))
    batch = made_up(options.size, PRESETS[preset].joints).to(device)
    source = generator.prepare(batch.source_image, batch.source_foreground)
    seconds, state = [], None
    for _ in range(options.rounds + 1):
        begin = time.perf_counter()
        _, state = generator(source, batch.conditions, state)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]


def measure(options: argparse.Namespace, preset: str) -> None:
    """Measure one preset and print its row."""
    torch.set_num_threads(options.threads)
    generating = statistics.median(measure_frames(options, preset))
    step = statistics.median(measure_steps(options, preset))
    if options.device.startswith("cuda"):
        memory = torch.cuda.max_memory_allocated() / 2**20
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(
        f"{preset:10} step {step:8.3f} s   generating {FRAMES / generating:8.2f} frames/s   "
        f"peak memory {memory:7.0f} MiB",
        flush=True,
    )


def main() -> None:
    """Print a row for each preset."""
    parser = argparse.ArgumentParser(description="Training steps and generating, timed.")
    parser.add_argument("--presets", nargs="+", default=["layered", "paper"], choices=PRESETS)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vgg", type=Path)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    for preset in options.presets:
        child = multiprocessing.get_context("spawn").Process(target=measure, args=(options, preset))
        child.start()
        child.join()


if __name__ == "__main__":
    main()
