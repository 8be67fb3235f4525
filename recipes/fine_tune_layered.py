"""Fine-tune the weights that ship on conditions as `bdmm animate` makes them.

    bdmm synth -o people/ --clips 110 --frames 14 --fps 6 --size 256 --seed 5000 --bvh MOCAP/
    python tools/turning_people.py turning/ --clips 40 --frames 18 --seed 51
    mkdir videos && for c in */clips/*; do cp $c/frames.mp4 videos/$(basename $c).mp4; done
    bdmm prepare videos/ -o estimated/ --size 256
    python recipes/fine_tune_layered.py estimated/ people/ turning/ -o tuned/ --vgg VGG --weights W
    python tools/pack_weights.py W tuned/ --forward-only

Poses and mattes are estimated, hidden colours come from an atlas. Rerun to resume. What ships is
the mean of the weights before and after.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from bdmm.data.augment import crop_to_person, flip
from bdmm.data.batch import Batch
from bdmm.data.clip_dataset import ClipDataset
from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.files.tensor_files import write_safetensors
from bdmm.inference.prepare import clip_inputs
from bdmm.inference.render import render
from bdmm.inference.renderers import CoarseRenderer
from bdmm.records import NOWHERE, Conditions
from bdmm.training.feature_extractor import load_features, with_measured_divisors
from bdmm.training.loop import train
from bdmm.training.settings import TRAIN_PRESETS, TrainSettings
from bdmm.training.start import Machine, initial_weights, launch

CROP = (224, 160)
"""Size of the part around the person."""
SPAN = 12
"""Frames of a sample."""
CONDITIONS = ("keypoints", "state", "fallback", "warped")
MOVING = (*CONDITIONS, "target_frames", "target_foreground")
"""What a sample has of each frame."""
MISALIGNED = 0.03
"""Mean difference of estimated and true foreground beyond which a clip is not used."""


def main() -> None:
    """Make the samples that are missing, then train."""
    parser = argparse.ArgumentParser(description="Fine-tune the shipped weights.")
    parser.add_argument("estimated", type=Path, help="clips that bdmm prepare made of the videos")
    parser.add_argument("true", type=Path, nargs="+", help="the rendered clips themselves")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--weights", type=Path, required=True, help="to start from")
    parser.add_argument("--vgg", type=Path, required=True, help="file of VGG-19's weights")
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    samples = options.output.with_name(f"{options.output.name}-samples")
    make_samples(options.estimated, options.true, samples)
    settings = settings_of(options)
    vgg = load_features(options.vgg, settings.losses)
    start = initial_weights(options.weights, settings.network)
    files = sorted(samples.glob("*.safetensors"))

    def batches(first: int, rank: int, devices: int) -> Iterator[Batch]:
        del rank, devices  # one process
        return (draw_sample(files, settings, index) for index in count(first))

    fabric = launch(Machine("cpu"), settings)
    outcome = train(settings, batches, options.output, fabric, vgg, init_weights=start)
    print(f"{options.output}: {outcome.step} steps done.")


def settings_of(options: argparse.Namespace) -> TrainSettings:
    """Return the run's settings."""
    preset, clips = TRAIN_PRESETS["layered"], ClipDataset([options.estimated])
    losses = with_measured_divisors(preset.losses, options.vgg, clips)
    return replace(
        preset,
        losses=replace(losses, frames_seen=1),
        betas=(0.9, 0.999),
        gradient_limit=2.0,
        steps=options.steps,
        learning_rate=2e-4,
        final_rate=2e-5,
        warm_up=20,
        average=0.99,
        crop=CROP,
        save_every=25,
    )


def make_samples(estimated: Path, true: Sequence[Path], output: Path) -> None:
    """Write two files for each clip: its first and its middle frame as the photo."""
    output.mkdir(parents=True, exist_ok=True)
    truths = {path.name: path for folder in true for path in find_clips(folder)}
    for folder in find_clips(estimated):
        clip = PreparedClip(folder)
        alpha = true_alpha(clip, PreparedClip(truths[folder.name]))
        if float((alpha - clip.foregrounds(0, len(clip))).abs().mean()) > MISALIGNED:
            print(f"{folder}: the foreground is not the rendered one; the clip is left out.")
            continue
        for number in (0, len(clip) // 2):
            file = output / f"{folder.name}-{number}.safetensors"
            if not file.exists():
                write_safetensors(file, sample_of(clip, number, alpha), {})
                print(file, flush=True)


def true_alpha(clip: PreparedClip, truth: PreparedClip) -> Float[Tensor, "t 1 h w"]:
    """Return the rendered foreground as large as the estimated one, which may be a part of it."""
    left, top, side = clip.info.origin.crop
    alpha = functional.pad(truth.foregrounds(0, len(clip)), (side, side, side, side))
    alpha = alpha[..., top + side : top + 2 * side, left + side : left + 2 * side]
    return functional.interpolate(alpha, clip.info.size, mode="bilinear", antialias=True)


def sample_of(clip: PreparedClip, number: int, alpha: Tensor) -> dict[str, Tensor]:
    """Return the photo, the clip's true frames and its conditions, by name, in small numbers."""
    inputs, seen = clip_inputs(clip, number, clip.motion()), []

    def note(conditions: Conditions, _: slice) -> Conditions:
        seen.append(conditions)
        return conditions

    for _ in render(inputs, CoarseRenderer(), note):
        pass
    source, whole = inputs.source, {}
    for name in CONDITIONS:
        whole[name] = torch.cat([getattr(one, name) for one in seen], dim=1)
    return {
        **whole,
        "warped": whole["warped"].half(),
        "source_image": source.image[None].half(),
        "source_foreground": source.foreground[None].half(),
        "background": source.background[None].half(),
        "target_frames": clip.frames(0, len(clip))[None].half(),
        "target_foreground": alpha[None].half(),
    }


def draw_sample(files: Sequence[Path], settings: TrainSettings, index: int) -> Batch:
    """Return the sample of an index: whole windows of a clip, a part around the person."""
    random = np.random.default_rng([settings.seed, index])
    tensors = load_file(files[int(random.integers(len(files)))])
    frames = tensors["state"].shape[1]
    first = int(random.integers(max(0, frames - SPAN) + 1))
    length = min(SPAN, frames) // settings.frames * settings.frames
    for name in MOVING:
        tensors[name] = tensors[name][:, first : first + length]
    state, fallback = tensors.pop("state"), tensors.pop("fallback")
    values = {name: value.float() for name, value in tensors.items()}
    conditions = Conditions(
        keypoints=values.pop("keypoints"),
        source_grid=torch.tensor(NOWHERE).expand(*state.shape, 2),
        state=state,
        fallback=fallback,
        warped=values.pop("warped"),
        side=min(state.shape[2:]),
    )
    valid = torch.ones(1, length, dtype=torch.bool)
    batch = Batch(conditions=conditions, valid=valid, **values)
    if random.random() < 0.5:
        batch = flip(batch)
    return crop_to_person(batch, CROP, random)


if __name__ == "__main__":
    main()
