"""Tiny networks and made-up batches: a step takes a fraction of a second."""

import dataclasses
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import torch
from lightning_fabric import Fabric

from bdmm.config import DiscriminatorConfig, LossConfig, NetworkConfig
from bdmm.data.batch import Batch
from bdmm.losses.vgg19 import Vgg19
from bdmm.records import Conditions
from bdmm.training.settings import TrainSettings

FRAMES, WINDOWS, SIDE = 5, 2, 32
MakeBatch = Callable[[int], Batch]


def _batch(number: int, windows: int = WINDOWS) -> Batch:
    random = torch.Generator().manual_seed(number)

    def values(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=random)

    span = FRAMES * windows
    keypoints = values(1, span, 29, 3) * SIDE
    keypoints[..., 2] = 1
    return Batch(
        source_image=values(1, 3, SIDE, SIDE) * 2 - 1,
        source_foreground=values(1, 1, SIDE, SIDE),
        background=values(1, 3, SIDE, SIDE) * 2 - 1,
        conditions=Conditions(
            keypoints=keypoints,
            source_grid=values(1, span, SIDE, SIDE, 2) * 2.4 - 1.2,
            state=torch.ones(1, span, SIDE, SIDE, dtype=torch.uint8),
            fallback=torch.zeros(1, span, SIDE, SIDE, dtype=torch.bool),
        ),
        target_frames=values(1, span, 3, SIDE, SIDE) * 2 - 1,
        target_foreground=values(1, span, 1, SIDE, SIDE),
        valid=torch.ones(1, span, dtype=torch.bool),
    )


@pytest.fixture
def make_batch() -> MakeBatch:
    """The batch of a number."""
    return _batch


@pytest.fixture
def batches() -> Callable[[int, int, int], Iterator[Batch]]:
    """Batches of one window without an end; device ``r`` of ``n`` gets every ``n``-th one."""
    return lambda first, rank, devices: (
        _batch(i, 1) for i in count(first * devices + rank, devices)
    )


@pytest.fixture
def settings() -> TrainSettings:
    return TrainSettings(
        preset="tiny",
        network=NetworkConfig(joints=18, widths=(4, 6), style_widths=(4, 6), window=FRAMES),
        discriminators=DiscriminatorConfig(width=4, max_width=8, frames=FRAMES),
        losses=LossConfig(
            perceptual_layers=("relu1_1",),
            style_layers=("relu1_2",),
            contextual_layers=("relu2_1",),
        ),
        steps=4,
        windows=WINDOWS,
        learning_rate=1e-3,
        save_every=1,
        log_every=1,
    )


@pytest.fixture
def pixels_only(settings: TrainSettings) -> TrainSettings:
    """The losses that need no VGG-19."""
    losses = dataclasses.replace(settings.losses, perceptual=0.0, style=0.0, contextual=0.0)
    return dataclasses.replace(settings, losses=losses)


@pytest.fixture
def vgg(settings: TrainSettings) -> Vgg19:
    """VGG-19 with random weights."""
    return Vgg19(settings.losses).eval()


@pytest.fixture(scope="session")
def fabric() -> Fabric:
    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.launch()
    return fabric
