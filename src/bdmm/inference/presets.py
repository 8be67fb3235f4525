"""What `animate` makes of a photo: rows of settings, and the size of the frames."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bdmm.errors import Notice
from bdmm.inference.source_view import SIZES

RendererName = Literal["network", "coarse"]
PresetName = Literal["fast", "standard", "fine"]

NETWORK_SIDE = 171
"""About how many pixels a network with a compositing head has on the shorter side: a third of 512.
Frames up to 256 it sees as they are, as it did in training."""


@dataclass(frozen=True)
class Preset:
    """Settings that belong together; each may be given by itself too.

    Attributes:
        size: most pixels of the frames' shorter side; a photo may have fewer.
        renderer: what makes the frames.
        network_side: see `renderers.NetworkRenderer`.
    """

    size: int
    renderer: RendererName = "network"
    network_side: int = NETWORK_SIDE


PRESETS: Mapping[PresetName, Preset] = MappingProxyType(
    {
        "fast": Preset(384, renderer="coarse"),
        "standard": Preset(512),
        "fine": Preset(1080, network_side=384),
    }
)


def frame_size(photo: tuple[int, int], size: int | None, most: int) -> int:
    """Return the pixels of the frames' shorter side, never more than the photo has.

    Args:
        photo: its (height, width).
        size: what the user asks for; a notice says if the photo has less. None: as much as ``most``
            and the photo allow.
        most: where no size is asked for.
    """
    has = max(min(photo) // 2 * 2, SIZES[0])
    if size is not None and size > has:
        warnings.warn(
            f"The photo has {min(photo)} pixels on its shorter side: frames get {has}, not {size}.",
            Notice,
            stacklevel=3,
        )
    return min(most if size is None else size, has)
