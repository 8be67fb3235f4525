"""How large VGG-19's features are: published weights differ by two hundred times."""

from dataclasses import replace
from pathlib import Path

import torch

from bdmm.config import LossConfig
from bdmm.data.clip_dataset import ClipDataset
from bdmm.losses.vgg19 import mean_activations
from bdmm.training.terms import load_eye

_PHOTOS = 24


def with_measured_divisors(
    losses: LossConfig, vgg: Path | None, dataset: ClipDataset
) -> LossConfig:
    """Return losses whose layers are divided by their mean size over some frames of the clips.

    For losses whose weights were chosen for features of size one.

    Args:
        losses: unchanged if none of them reads features.
        vgg: file of VGG-19's weights, as for `terms.load_eye`.
        dataset: the clips to learn from; the first frames of some of them are looked at.

    Raises:
        InputError: VGG-19 is missing or damaged.
    """
    bare = replace(losses, vgg_divisors=())
    eye = load_eye(vgg, bare)
    if eye is None:
        return bare
    step = max(1, len(dataset.clips) // _PHOTOS)
    photos = torch.stack([clip.frames(0, 1)[0] for clip in dataset.clips[::step][:_PHOTOS]])
    sizes = mean_activations(eye, photos)
    divisors = tuple((name, round(size, 3)) for name, size in sizes.items())
    return replace(losses, vgg_divisors=divisors)
