"""Frozen VGG-19 features for the perceptual, style and contextual losses.

The architecture is Simonyan and Zisserman's (2014). The weights are the user's file: torchvision's
``.pth`` or the same tensors as safetensors.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bdmm.config import LossConfig
from bdmm.errors import InputError
from bdmm.files.tensor_files import check_tensors, read_tensors

STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""(channels, convolutions) of each stage; a 2x2 max-pool stands between stages."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
DOWNLOAD = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"


def file_keys() -> dict[str, str]:
    """Return each convolution's name -> the prefix of its tensors in a file.

    Names count stages and convolutions (``3_1``); files count every layer (``features.10``).
    """
    keys, position = {}, 0
    for stage, (_, convolutions) in enumerate(STAGES, start=1):
        for number in range(1, convolutions + 1):
            keys[f"{stage}_{number}"] = f"features.{position}"
            position += 2
        position += 1
    return keys


class Vgg19(nn.Module):
    """Features of frames at the layers that a loss reads, computed no deeper than needed.

    Attributes:
        layers: names such as ``relu3_1`` (after the ReLU) or ``conv3_1`` (before it).
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        known = {f"{kind}{name}" for kind in ("conv", "relu") for name in file_keys()}
        unknown = sorted(set(config.layers) - known)
        if unknown:
            raise InputError(f"VGG-19 has no layer {unknown[0]}; names look like relu3_1.")
        self.layers = config.layers
        self.divisors = dict(config.vgg_divisors)
        self.imagenet_input = config.imagenet_input
        self.convolutions = nn.ModuleDict()
        inputs, last = 3, max((name[4:] for name in self.layers), default="1_1")
        for stage, (channels, convolutions) in enumerate(STAGES, start=1):
            for number in range(1, convolutions + 1):
                if (name := f"{stage}_{number}") <= last:
                    self.convolutions[name] = nn.Conv2d(inputs, channels, 3, padding=1)
                    inputs = channels
        self.requires_grad_(False)

    def forward(self, frames: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "_ _ _ _"]]:
        """Return the features of each layer for frames in [-1, 1], h and w at least 16."""
        x = self._standardised(frames) if self.imagenet_input else frames
        features = {}
        for name, convolution in self.convolutions.items():
            if name.endswith("_1") and name != "1_1":
                x = F.max_pool2d(x, 2)
            before = convolution(x)
            x = F.relu(before)
            features |= {f"conv{name}": before, f"relu{name}": x}
        return {name: features[name] / self.divisors.get(name, 1.0) for name in self.layers}

    def _standardised(self, frames: Tensor) -> Tensor:
        mean = frames.new_tensor(IMAGENET_MEAN)[:, None, None]
        std = frames.new_tensor(IMAGENET_STD)[:, None, None]
        return ((frames + 1) / 2 - mean) / std


def load_vgg19(path: str | Path, config: LossConfig) -> Vgg19:
    """Read VGG-19 as deep as a loss needs it, frozen, on the CPU, in float32.

    Args:
        path: safetensors, or torchvision's ``.pth`` (read without running anything in it); keys
            ``features.N.weight`` and ``features.N.bias``, others are ignored.
        config: says which layers are read and how.

    Raises:
        InputError: the file is missing, damaged, or not VGG-19; the sentence says how to get it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"VGG-19 weights are not at {path}: the perceptual, style and contextual losses need "
            f"them, for instance from {DOWNLOAD}."
        )
    vgg = Vgg19(config)
    files = file_keys()
    theirs = {
        f"{files[name]}.{leaf}": f"convolutions.{name}.{leaf}"
        for name in vgg.convolutions
        for leaf in ("weight", "bias")
    }
    tensors = {key: value for key, value in read_tensors(path).items() if key in theirs}
    shapes = {key: tuple(vgg.get_parameter(ours).shape) for key, ours in theirs.items()}
    check_tensors(path, tensors, shapes)
    vgg.load_state_dict({theirs[key]: value.float() for key, value in tensors.items()})
    return vgg.eval()


@torch.no_grad()
def mean_activations(vgg: Vgg19, frames: Float[Tensor, "b 3 h w"]) -> dict[str, float]:
    """Return each layer's mean size over frames in [-1, 1]: divisors for weights of another scale.

    Args:
        vgg: loaded with no divisors.
        frames: a few dozen ordinary photos are enough.
    """
    return {name: float(value.abs().mean()) for name, value in vgg(frames).items()}
