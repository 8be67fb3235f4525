"""What makes frames from a source and its conditions: the coarse warp, or the paper's network."""

from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.body.source_geometry import SourceGeometry
from bdmm.inference.coarse import CoarseRenderer
from bdmm.inference.layered import Layered
from bdmm.inference.padding import pad_image, padded_size
from bdmm.inference.windows import with_after
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
from bdmm.network.weights import load_weights
from bdmm.records import COCO18, Conditions, PixelState, Source, joints_of
from bdmm.shapes import Frames

_RIM = 5
"""Pixels around the body that a frame is trusted to fill: hair, loose clothes, soft edges."""


@runtime_checkable
class Renderer(Protocol):
    """Makes the frames of a clip, window by window.

    Attributes:
        name: what the user is told.
        joints: keypoints that become pose heatmaps.
        device: where it works.
    """

    name: str
    joints: tuple[int, ...]
    device: torch.device

    def render(
        self,
        source: Source,
        geometry: SourceGeometry,
        windows: Iterable[Conditions],
        backgrounds: Iterable[Frames] | None = None,
    ) -> Iterator[Frames]:
        """Yield the frames of each window, RGB in [-1, 1].

        Args:
            source: the photo.
            geometry: of the same source.
            windows: conditions of the clip's windows, in order; taken one by one.
            backgrounds: what lies behind the person, for each window; the photo's own if None.
        """
        ...


class Coarse:
    """The photo's own pixels, warped; `CoarseRenderer`.

    Args:
        device: where it works.
    """

    name: str = "coarse"
    joints: tuple[int, ...] = COCO18

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    def render(
        self,
        source: Source,
        geometry: SourceGeometry,
        windows: Iterable[Conditions],
        backgrounds: Iterable[Frames] | None = None,
    ) -> Iterator[Frames]:
        """Yield the frames of each window; see `Renderer.render`."""
        renderer = CoarseRenderer(source, geometry)
        behind = repeat(source.background) if backgrounds is None else backgrounds
        for conditions, background in zip(windows, behind, strict=False):
            yield renderer(conditions, background)


class Network:
    """The paper's generator with trained weights.

    Args:
        generator: with its weights, on the device where it shall run.
    """

    name: str = "network"

    def __init__(self, generator: Generator) -> None:
        self.generator = generator.eval()
        self.joints = joints_of(generator.config.joints)
        self.device = next(generator.parameters()).device

    def render(
        self,
        source: Source,
        geometry: SourceGeometry,
        windows: Iterable[Conditions],
        backgrounds: Iterable[Frames] | None = None,
    ) -> Iterator[Frames]:
        """Yield the frames of each window; see `Renderer.render`."""
        config = self.generator.config
        size = padded_size(source.pose.size, config.size_step, config.least_size)
        photo, foreground = (
            pad_image(one, size)[None] for one in (source.image, source.foreground)
        )
        with torch.inference_mode():
            prepared = self.generator.prepare(photo, foreground)
        state = None
        behind = repeat(None) if backgrounds is None else backgrounds
        for window, background in zip(with_after(windows), behind, strict=False):
            height, width = window.size
            with torch.inference_mode():
                made, state = self.generator(prepared, window.pad(size), state)
            frames = made[0, :, :, :height, :width]
            yield frames if background is None else before(window, frames, background)


def load_network(weights: str | Path, device: torch.device | str = "cpu") -> Network | Layered:
    """Load trained weights.

    Args:
        weights: a file that ``bdmm convert`` or training wrote, the folder of a run, or the name of
            a network that ships.
        device: where the network shall run.

    Raises:
        InputError: the file is missing, damaged or not ours, or its network takes unknown joints.
    """
    config, tensors = load_weights(weights)
    joints_of(config.joints)
    generator = Generator(config)
    generator.load_state_dict(tensors)
    return RENDERERS[config.head](accelerate(generator.to(device)))


RENDERERS = {"rgb": Network, "layers": Layered}
"""Renderers by the head of the network that they run."""


def opacity(conditions: Conditions, rim: int = _RIM) -> Float[Tensor, "t 1 h w"]:
    """Return where a frame shows the person: 1 on the body, falling to 0 over a rim around it.

    Args:
        conditions: of the frames.
        rim: pixels from the body's outline to 0.
    """
    body = (conditions.state[0] != PixelState.NONE).float()
    body = rearrange(body, "t h w -> t 1 h w")
    half = rim // 2
    grown = functional.max_pool2d(body, 2 * half + 1, stride=1, padding=half)
    return functional.avg_pool2d(grown, 2 * half + 1, 1, half, count_include_pad=False)


def before(conditions: Conditions, frames: Frames, background: Frames) -> Frames:
    """Put the person of frames before another background."""
    share = opacity(conditions)
    return share * frames + (1 - share) * background
