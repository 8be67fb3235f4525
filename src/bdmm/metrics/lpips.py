"""LPIPS, version 0.1 (Zhang et al. 2018): how different two pictures look to a trained network.

Features of a backbone at five depths are brought to unit length at each position; their squared
differences, weighted by channel with the published heads, are averaged over positions and summed
over depths. Weights are the user's files: see `weight_files`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bdmm.errors import InputError
from bdmm.files.tensor_files import check_tensors
from bdmm.metrics.weight_files import BACKBONES, HEADS, read_checked, read_module

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""Of RGB in [-1, 1], subtracted and divided by before the backbone."""

_LEAST = 1e-10


@dataclass(frozen=True)
class Layer:
    """A convolution with its ReLU.

    Attributes:
        file_index: ``N`` in the file's ``features.N``.
        pool: size of the max-pool of stride 2 before it, 0 for none.
        read: whether LPIPS reads what comes out of its ReLU.
    """

    file_index: int
    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    pool: int = 0
    read: bool = False


ALEX = (
    Layer(0, 64, kernel=11, stride=4, padding=2, read=True),
    Layer(3, 192, kernel=5, padding=2, pool=3, read=True),
    Layer(6, 384, pool=3, read=True),
    Layer(8, 256, read=True),
    Layer(10, 256, read=True),
)
VGG16 = (
    Layer(0, 64),
    Layer(2, 64, read=True),
    Layer(5, 128, pool=2),
    Layer(7, 128, read=True),
    Layer(10, 256, pool=2),
    Layer(12, 256),
    Layer(14, 256, read=True),
    Layer(17, 512, pool=2),
    Layer(19, 512),
    Layer(21, 512, read=True),
    Layer(24, 512, pool=2),
    Layer(26, 512),
    Layer(28, 512, read=True),
)
BACKBONE_LAYERS = {"alex": ALEX, "vgg": VGG16}
"""By the names that LPIPS gives them."""
MIN_SIZE = 32
"""Smallest height and width of a picture for both."""


class Backbone(nn.Module):
    """Frozen convolutions whose features at some layers are read.

    Args:
        layers: one of `BACKBONE_LAYERS`.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.features = nn.ModuleDict()
        inputs = 3
        for layer in self.layers:
            self.features[str(layer.file_index)] = nn.Conv2d(
                inputs, layer.channels, layer.kernel, layer.stride, layer.padding
            )
            inputs = layer.channels
        self.requires_grad_(False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "_ _ _ _"]]:
        """Return the features that are read, the shallowest first."""
        x, read = images, []
        for layer in self.layers:
            if layer.pool:
                x = F.max_pool2d(x, layer.pool, 2)
            x = F.relu(self.features[str(layer.file_index)](x))
            if layer.read:
                read.append(x)
        return read


class Lpips(nn.Module):
    """The distance, without weights; `load_lpips` reads them.

    Args:
        network: ``alex`` or ``vgg``.

    Attributes:
        hashes: SHA-256 of each weights file that was loaded, by ``backbone`` and ``heads``.
    """

    def __init__(self, network: str) -> None:
        super().__init__()
        if network not in BACKBONE_LAYERS:
            known = ", ".join(BACKBONE_LAYERS)
            raise InputError(f"LPIPS has no network {network!r}; choose one of {known}.")
        self.network = network
        self.hashes: dict[str, str] = {}
        self.backbone = Backbone(BACKBONE_LAYERS[network])
        self.heads = nn.ParameterList(
            nn.Parameter(torch.zeros(layer.channels), requires_grad=False)
            for layer in self.backbone.layers
            if layer.read
        )

    @torch.no_grad()
    def forward(
        self, generated: Float[Tensor, "b 3 h w"], target: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b"]:
        """Return the distance of each pair, at least 0.

        Args:
            generated: RGB in [-1, 1], at least 32 pixels each way.
            target: the same.

        Raises:
            InputError: the frames are too small.
        """
        if min(generated.shape[-2:]) < MIN_SIZE:
            raise InputError(f"LPIPS needs frames of at least {MIN_SIZE} x {MIN_SIZE} pixels.")
        ours = self.backbone(_standardised(generated))
        theirs = self.backbone(_standardised(target))
        return torch.stack(
            [
                layer_distance(a, b, head)
                for a, b, head in zip(ours, theirs, self.heads, strict=True)
            ]
        ).sum(0)


def layer_distance(
    generated: Float[Tensor, "b c h w"], target: Float[Tensor, "b c h w"], head: Float[Tensor, "c"]
) -> Float[Tensor, "b"]:
    """Return one depth's part of the distance.

    Args:
        head: weight of each channel, none negative.
    """
    away = (_unit(generated) - _unit(target)) ** 2
    return torch.einsum("bchw,c->bhw", away, head).mean((1, 2))


def load_lpips(network: str, backbone: str | Path, heads: str | Path) -> Lpips:
    """Read LPIPS, on the CPU, in float32.

    Args:
        backbone: torchvision's weights, ``.pth`` or safetensors with the same names.
        heads: version 0.1's heads, ``.pth`` or safetensors with the same names.

    Raises:
        InputError: a file is missing, another one or damaged; the sentence says where to get it.
    """
    lpips = Lpips(network)
    tensors, head_hash = read_checked(heads, HEADS[network])
    shapes = {f"lin{i}.model.1.weight": (1, len(head), 1, 1) for i, head in enumerate(lpips.heads)}
    check_tensors(Path(heads), tensors, shapes)
    for name, head in zip(shapes, lpips.heads, strict=True):
        head.copy_(tensors[name].flatten())
    build = partial(Backbone, BACKBONE_LAYERS[network])
    lpips.backbone, backbone_hash = read_module(build, BACKBONES[network], backbone)
    lpips.hashes = {"backbone": backbone_hash, "heads": head_hash}
    return lpips.eval()


def _standardised(frames: Tensor) -> Tensor:
    shift, scale = (frames.new_tensor(values)[:, None, None] for values in (SHIFT, SCALE))
    return (frames - shift) / scale


def _unit(features: Tensor) -> Tensor:
    length = (features**2).sum(1, keepdim=True).sqrt()
    return features / (length + _LEAST)
