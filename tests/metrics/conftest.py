"""Pictures of moving texture, pairs of them, and folders that hold them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import Tensor, nn

from bdmm.metrics.frame_metrics import FramePair


def texture(seed: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Smooth colours with some noise, uint8 ``h w 3``."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    waves = [
        np.sin(x / random.uniform(3, 9) + random.uniform(0, 6))
        * np.cos(y / random.uniform(3, 9) + random.uniform(0, 6))
        for _ in range(3)
    ]
    levels = 127 + 90 * np.stack(waves, -1) + random.normal(0, 8, (*size, 3))
    return levels.clip(0, 255).astype(np.uint8)


def noisy(picture: np.ndarray, seed: int, strength: float = 12.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (picture + random.normal(0, strength, picture.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def pair() -> FramePair:
    target = texture(1)
    return FramePair("frame 1", noisy(target, 2), target)


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, pictures: Sequence[np.ndarray], names: Sequence[str] | None = None):
        folder = tmp_path / name
        folder.mkdir()
        for i, picture in enumerate(pictures):
            file = names[i] if names else f"{i + 1:06d}.png"
            Pillow.fromarray(picture).save(folder / file)
        return folder

    return write


@pytest.fixture
def paint() -> Callable[..., np.ndarray]:
    return texture


def seeded_tensors(module: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Weights in the order of their names that let a deep network tell pictures apart."""
    random = np.random.default_rng(seed)
    tensors = {}
    for name, old in sorted(module.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        value = torch.from_numpy(random.standard_normal(old.shape, np.float32))
        if old.ndim > 1:
            value *= (2 / old[0].numel()) ** 0.5
        elif name.endswith(("running_var", "bn.weight")):
            value = 1 + 0.1 * value
        else:
            value *= 0.1
        tensors[name] = value
    return tensors


@pytest.fixture(scope="session")
def seeded_weights() -> Callable[..., dict[str, Tensor]]:
    return seeded_tensors
