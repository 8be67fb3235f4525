"""AlexNet and VGG-16 as far as LPIPS looks into them, without torchvision.

AlexNet is Krizhevsky's one-tower form (2014), VGG-16 Simonyan and Zisserman's (2014). Only the
convolutions are built; tensors of a file are named ``features.N.weight`` and ``features.N.bias``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """A convolution with its ReLU.

    Attributes:
        file_index: ``N`` in the file's ``features.N``.
        channels: it yields.
        kernel: its height and width.
        stride: of the convolution.
        padding: on each side.
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
"""Smallest height and width that both can look at."""


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

    @property
    def read_channels(self) -> tuple[int, ...]:
        """Channels of each of the features that are read."""
        return tuple(layer.channels for layer in self.layers if layer.read)

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
