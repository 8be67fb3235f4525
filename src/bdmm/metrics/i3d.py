"""I3D for FVD: the 400 logits of Kinetics for a clip.

Carreira and Zisserman (2017): the first Inception network with every kernel inflated along time.
Padding is TensorFlow's "same": as much as makes each side a multiple of the stride, the odd pixel
behind. Tensors of a file are named ``Mixed_3b.b1a.conv3d.weight``, ``Mixed_3b.b1a.bn.weight`` and
so on. FVD (Unterthiner et al. 2019) reads the logits, averaged over time, before the softmax.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bdmm.metrics.inception import EPSILON

FEATURES = 400
"""Classes of Kinetics."""
SIZE = 224
"""Height and width of the frames that it was trained with."""
MIN_FRAMES = 9
"""Fewer leave nothing of the time after three halvings and the last pool."""

Size = tuple[int, int, int]
"""(frames, rows, columns)."""

STEM: dict[str, tuple[int, Size, Size]] = {
    "Conv3d_1a_7x7": (64, (7, 7, 7), (2, 2, 2)),
    "Conv3d_2b_1x1": (64, (1, 1, 1), (1, 1, 1)),
    "Conv3d_2c_3x3": (192, (3, 3, 3), (1, 1, 1)),
}
"""Name -> (channels, kernel, stride)."""
MIXED: dict[str, tuple[int, ...]] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
"""Name -> channels of the convolutions ``b0 b1a b1b b2a b2b b3b``."""
POOLED_AFTER: dict[str, tuple[Size, Size]] = {
    "Conv3d_1a_7x7": ((1, 3, 3), (1, 2, 2)),
    "Conv3d_2c_3x3": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3c": ((3, 3, 3), (2, 2, 2)),
    "Mixed_4f": ((2, 2, 2), (2, 2, 2)),
}
"""Name -> (kernel, stride) of the max-pool that follows."""

_ONE: Size = (1, 1, 1)
_CUBE: Size = (3, 3, 3)
_LAST_POOL: Size = (2, 7, 7)


class Inflated(nn.Module):
    """The whole network, without weights; `weight_files.read_module` reads them."""

    def __init__(self) -> None:
        super().__init__()
        inputs = 3
        for name, (channels, kernel, stride) in STEM.items():
            self.add_module(name, ConvNorm(inputs, channels, kernel, stride))
            inputs = channels
        for name, widths in MIXED.items():
            self.add_module(name, Mixed(inputs, widths))
            inputs = Mixed.yields(widths)
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(inputs, FEATURES, 1)})
        self.requires_grad_(False)

    def forward(self, clips: Float[Tensor, "n t 3 h w"]) -> Float[Tensor, "n d"]:
        """Return the logits, averaged over time.

        Args:
            clips: RGB in [-1, 1], 224 x 224, at least `MIN_FRAMES` frames.
        """
        assert clips.shape[1] >= MIN_FRAMES, "too few frames for I3D"
        x = rearrange(clips, "n t c h w -> n c t h w")
        for name in (*STEM, *MIXED):
            x = self.get_submodule(name)(x)
            if name in POOLED_AFTER:
                x = max_pool_same(x, *POOLED_AFTER[name])
        x = F.avg_pool3d(x, _LAST_POOL, stride=1)
        return self.logits["conv3d"](x).mean((2, 3, 4))


class ConvNorm(nn.Module):
    """A convolution with "same" padding and no bias, its normalisation and a ReLU."""

    def __init__(self, inputs: int, channels: int, kernel: Size, stride: Size = _ONE) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, channels, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(channels, EPSILON)
        self._kernel, self._stride = kernel, stride

    def forward(self, x: Float[Tensor, "n c t h w"]) -> Float[Tensor, "n c2 t2 h2 w2"]:
        """Return features, none negative."""
        return F.relu(self.bn(self.conv3d(pad_same(x, self._kernel, self._stride))))


class Mixed(nn.Module):
    """Four ways side by side: a point, two cubes of different width, a pool."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.b0 = ConvNorm(inputs, widths[0], _ONE)
        self.b1a = ConvNorm(inputs, widths[1], _ONE)
        self.b1b = ConvNorm(widths[1], widths[2], _CUBE)
        self.b2a = ConvNorm(inputs, widths[3], _ONE)
        self.b2b = ConvNorm(widths[3], widths[4], _CUBE)
        self.b3b = ConvNorm(inputs, widths[5], _ONE)

    @staticmethod
    def yields(widths: tuple[int, ...]) -> int:
        """Return the channels that come out."""
        return widths[0] + widths[2] + widths[4] + widths[5]

    def forward(self, x: Float[Tensor, "n c t h w"]) -> Float[Tensor, "n c2 t h w"]:
        """Return the four ways' features."""
        pooled = max_pool_same(x, _CUBE, _ONE)
        ways = self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)
        return torch.cat(ways, 1)


def pad_same(x: Float[Tensor, "n c t h w"], kernel: Size, stride: Size) -> Tensor:
    """Return the input with zeros around it, by TensorFlow's rule "same"."""
    around: list[int] = []
    for length, size, step in zip(x.shape[2:], kernel, stride, strict=True):
        total = max(size - (length % step or step), 0)
        around = [total // 2, total - total // 2, *around]
    return F.pad(x, around)


def max_pool_same(x: Float[Tensor, "n c t h w"], kernel: Size, stride: Size) -> Tensor:
    """Return the largest of each neighbourhood; features, never negative, are padded with 0."""
    return F.max_pool3d(pad_same(x, kernel, stride), kernel, stride)
