"""Sees where a fitted body misses the person in the photo: a small U-Net, ours.

From a picture of the fit (`fit_picture`) to the way from each of the body's points to
where the photo shows that point.
"""

from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from bdmm.perception.fit_picture import CHANNELS

WIDTHS = (32, 48, 80, 112, 144)
"""Channels at 1/2, 1/4, ... of the picture's size."""
_REACH = 4.0
"""Crop pixels that one unit of the last layer's output means."""


class FitRefiner(nn.Module):
    """The network; it begins by seeing no errors."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(CHANNELS, WIDTHS[0], 6, stride=2, padding=2)
        self.encoder = nn.ModuleList(map(_block, (WIDTHS[0], *WIDTHS), WIDTHS))
        joined = [above + below for above, below in pairwise(WIDTHS)]
        self.decoder = nn.ModuleList(map(_block, joined, WIDTHS))
        self.head = nn.Conv2d(WIDTHS[0], 2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 2 h1 w1"]:
        """Return (x, y) displacements in pixels of the crop, at half its resolution.

        Args:
            maps: `FitPicture.maps`; sides are multiples of 32.
        """
        features = self.stem(maps)
        levels: list[Tensor] = []
        for depth, block in enumerate(self.encoder):
            features = block(functional.avg_pool2d(features, 2) if depth else features)
            levels.append(features)
        for level, block in zip(reversed(levels[:-1]), reversed(self.decoder), strict=True):
            larger = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat((larger, level), dim=1))
        return _REACH * self.head(features)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
    )  # fmt: skip


def load_refiner(path: Path | None = None) -> FitRefiner:
    """Return the network with trained weights, on the CPU in float32.

    Args:
        path: a file that ``tools/pack_refiner.py`` wrote; the one that ships if None.
    """
    if path is None:
        path = Path(str(files("bdmm.assets"))) / "weights" / "fit_refiner.safetensors"
    network = FitRefiner()
    network.load_state_dict(load_file(path))
    return network.eval()
