"""Frozen VGG-19 features for the losses: as deep as needed, and how large they are.

A loss of weight 0 costs neither time nor VGG-19. Published weights' features differ in size by two
hundred times.
"""

from dataclasses import replace
from pathlib import Path

import torch

from bdmm.config import LossConfig
from bdmm.data.clip_dataset import ClipDataset
from bdmm.losses.vgg19 import DOWNLOAD, Vgg19, load_vgg19, mean_activations

_PHOTOS = 24


def load_features(path: Path | None, config: LossConfig) -> Vgg19 | None:
    """Read VGG-19 as deep as the losses need it; None where none of them does.

    Args:
        path: its file; None looks in PyTorch's own cache.

    Raises:
        InputError: a loss needs it and it is missing or damaged, see `losses.vgg19.load_vgg19`.
    """
    if not config.layers:
        return None
    if path is None:
        path = Path(torch.hub.get_dir()) / "checkpoints" / Path(DOWNLOAD).name
    return load_vgg19(path, config)


def with_measured_divisors(
    losses: LossConfig, vgg: Path | None, dataset: ClipDataset
) -> LossConfig:
    """Return losses whose layers are divided by their mean size over some frames of the clips.

    For losses whose weights were chosen for features of size one.

    Args:
        losses: unchanged if none of them reads features.
        vgg: file of VGG-19's weights, as for `load_features`.
        dataset: the clips to learn from; the first frames of some of them are looked at.

    Raises:
        InputError: VGG-19 is missing or damaged.
    """
    bare = replace(losses, vgg_divisors=())
    features = load_features(vgg, bare)
    if features is None:
        return bare
    step = max(1, len(dataset.clips) // _PHOTOS)
    photos = torch.stack([clip.frames(0, 1)[0] for clip in dataset.clips[::step][:_PHOTOS]])
    sizes = mean_activations(features, photos)
    divisors = tuple((name, round(size, 3)) for name, size in sizes.items())
    return replace(losses, vgg_divisors=divisors)
