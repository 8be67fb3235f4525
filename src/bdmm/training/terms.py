"""The eye of the losses that are switched on: a weight of 0 costs neither time nor VGG-19."""

from dataclasses import replace
from pathlib import Path

import torch

from bdmm.config import LossConfig
from bdmm.losses.vgg19 import DOWNLOAD, Vgg19, load_vgg19


def active(config: LossConfig) -> LossConfig:
    """Return the config without the layers that only terms of weight 0 read."""
    return replace(
        config,
        perceptual_layers=config.perceptual_layers if config.perceptual else (),
        style_layers=config.style_layers if config.style else (),
        contextual_layers=config.contextual_layers if config.contextual else (),
    )


def load_eye(path: Path | None, config: LossConfig) -> Vgg19 | None:
    """Read VGG-19 as deep as the losses need it; None where none of them does.

    Args:
        path: its file; None looks where torchvision would have put it.
        config: weights and layers.

    Raises:
        InputError: a loss needs it and it is missing or damaged, see `losses.vgg19.load_vgg19`.
    """
    config = active(config)
    if not config.layers:
        return None
    if path is None:
        path = Path(torch.hub.get_dir()) / "checkpoints" / Path(DOWNLOAD).name
    return load_vgg19(path, config)
