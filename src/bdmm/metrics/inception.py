"""Inception-v3 for FID: 2048 features of a picture.

The architecture is Szegedy et al.'s (2016), in the form of the TensorFlow network of December 2015
that the FID (Heusel et al. 2017) was defined with: average pools leave padding out of the mean,
and the last block pools by the maximum. The classifier is not built. Tensors of a file are named
``Mixed_5b.branch1x1.conv.weight``, ``Mixed_5b.branch1x1.bn.running_mean`` and so on.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

FEATURES = 2048
"""Numbers of a picture."""
SIZE = 299
"""Height and width of the pictures that it was trained with."""
EPSILON = 1e-3
"""Added to variances: what TensorFlow's Inception networks were trained with."""

Pool = Literal["average", "max", "halving max"]


class Unit(NamedTuple):
    """A convolution without bias, its normalisation and a ReLU, by its name in files."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True


class Branch(NamedTuple):
    """One way through a block: a pool, units in a row, then units in parallel that are joined."""

    units: tuple[Unit, ...] = ()
    pool: Pool | None = None
    ends: tuple[Unit, ...] = ()


_SQUARE, _WIDE, _TALL = (3, 3), (1, 7), (7, 1)


def _halving(name: str, channels: int) -> Unit:
    return Unit(name, channels, _SQUARE, stride=2, padded=False)


def _double(first: int, second: int) -> tuple[Unit, Unit]:
    return Unit("branch3x3dbl_1", first), Unit("branch3x3dbl_2", second, _SQUARE)


def _figure_5(pooled: int) -> tuple[Branch, ...]:
    return (
        Branch((Unit("branch1x1", 64),)),
        Branch((Unit("branch5x5_1", 48), Unit("branch5x5_2", 64, (5, 5)))),
        Branch((*_double(64, 96), Unit("branch3x3dbl_3", 96, _SQUARE))),
        Branch((Unit("branch_pool", pooled),), pool="average"),
    )


def _figure_6(narrow: int) -> tuple[Branch, ...]:
    return (
        Branch((Unit("branch1x1", 192),)),
        Branch(
            (
                Unit("branch7x7_1", narrow),
                Unit("branch7x7_2", narrow, _WIDE),
                Unit("branch7x7_3", 192, _TALL),
            )
        ),
        Branch(
            (
                Unit("branch7x7dbl_1", narrow),
                Unit("branch7x7dbl_2", narrow, _TALL),
                Unit("branch7x7dbl_3", narrow, _WIDE),
                Unit("branch7x7dbl_4", narrow, _TALL),
                Unit("branch7x7dbl_5", 192, _WIDE),
            )
        ),
        Branch((Unit("branch_pool", 192),), pool="average"),
    )


def _figure_7(pool: Pool) -> tuple[Branch, ...]:
    return (
        Branch((Unit("branch1x1", 320),)),
        Branch((Unit("branch3x3_1", 384),), ends=_ends("branch3x3_2")),
        Branch(_double(448, 384), ends=_ends("branch3x3dbl_3")),
        Branch((Unit("branch_pool", 192),), pool=pool),
    )


def _ends(name: str) -> tuple[Unit, Unit]:
    return Unit(f"{name}a", 384, (1, 3)), Unit(f"{name}b", 384, (3, 1))


STEM = (
    Unit("Conv2d_1a_3x3", 32, _SQUARE, stride=2, padded=False),
    Unit("Conv2d_2a_3x3", 32, _SQUARE, padded=False),
    Unit("Conv2d_2b_3x3", 64, _SQUARE),
    Unit("Conv2d_3b_1x1", 80),
    Unit("Conv2d_4a_3x3", 192, _SQUARE, padded=False),
)
POOLED_AFTER = ("Conv2d_2b_3x3", "Conv2d_4a_3x3")
"""Units of the stem that a halving max-pool follows."""
BLOCKS = {
    "Mixed_5b": _figure_5(32),
    "Mixed_5c": _figure_5(64),
    "Mixed_5d": _figure_5(64),
    "Mixed_6a": (
        Branch((_halving("branch3x3", 384),)),
        Branch((*_double(64, 96), _halving("branch3x3dbl_3", 96))),
        Branch(pool="halving max"),
    ),
    "Mixed_6b": _figure_6(128),
    "Mixed_6c": _figure_6(160),
    "Mixed_6d": _figure_6(160),
    "Mixed_6e": _figure_6(192),
    "Mixed_7a": (
        Branch((Unit("branch3x3_1", 192), _halving("branch3x3_2", 320))),
        Branch(
            (
                Unit("branch7x7x3_1", 192),
                Unit("branch7x7x3_2", 192, _WIDE),
                Unit("branch7x7x3_3", 192, _TALL),
                _halving("branch7x7x3_4", 192),
            )
        ),
        Branch(pool="halving max"),
    ),
    "Mixed_7b": _figure_7("average"),
    "Mixed_7c": _figure_7("max"),
}
"""Figures 5 to 7 of the paper, with its two blocks that halve the resolution."""


class Inception(nn.Module):
    """The network without its classifier; `weight_files.read_module` reads its weights."""

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for unit in STEM:
            self.add_module(unit.name, ConvNorm(channels, unit))
            channels = unit.channels
        for name, branches in BLOCKS.items():
            block = Block(channels, branches)
            self.add_module(name, block)
            channels = block.channels
        self.requires_grad_(False)

    def forward(self, frames: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return the mean over places of the last block's features.

        Args:
            frames: RGB in [-1, 1], 299 x 299 as trained, at least 75 each way.
        """
        x = frames
        for unit in STEM:
            x = self.get_submodule(unit.name)(x)
            if unit.name in POOLED_AFTER:
                x = _pooled(x, "halving max")
        for name in BLOCKS:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))


class ConvNorm(nn.Module):
    """A `Unit` as a module."""

    def __init__(self, inputs: int, unit: Unit) -> None:
        super().__init__()
        rows, columns = unit.kernel
        padding = (rows // 2, columns // 2) if unit.padded else (0, 0)
        self.conv = nn.Conv2d(inputs, unit.channels, unit.kernel, unit.stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(unit.channels, EPSILON)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return features, none negative."""
        return F.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    """Parallel branches, their channels joined."""

    def __init__(self, inputs: int, branches: Sequence[Branch]) -> None:
        super().__init__()
        self.branches = tuple(branches)
        self.channels = 0
        for branch in self.branches:
            channels = inputs
            for unit in branch.units:
                self.add_module(unit.name, ConvNorm(channels, unit))
                channels = unit.channels
            for unit in branch.ends:
                self.add_module(unit.name, ConvNorm(channels, unit))
            ends = sum(unit.channels for unit in branch.ends)
            self.channels += ends or channels

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Return the branches' features in the order of the table."""
        return torch.cat([self._through(branch, x) for branch in self.branches], 1)

    def _through(self, branch: Branch, x: Tensor) -> Tensor:
        if branch.pool is not None:
            x = _pooled(x, branch.pool)
        for unit in branch.units:
            x = self.get_submodule(unit.name)(x)
        if not branch.ends:
            return x
        return torch.cat([self.get_submodule(unit.name)(x) for unit in branch.ends], 1)


def _pooled(x: Tensor, pool: Pool) -> Tensor:
    if pool == "average":
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return F.max_pool2d(x, 3, 2) if pool == "halving max" else F.max_pool2d(x, 3, 1, 1)
