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
from bdmm.inference.padding import pad_grid, pad_heatmaps, pad_image, padded_size
from bdmm.inference.windows import WithNext, with_next
from bdmm.network.acceleration import accelerate
from bdmm.network.decoder import FoldedStyle
from bdmm.network.generator import Generator
from bdmm.network.layered import build_generator
from bdmm.network.weights import load_weights
from bdmm.records import COCO18, Conditions, PixelState, PropagationState, Source, joints_of
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
        photo = pad_image(source.image, size)[None]
        with torch.inference_mode():
            folded = self.generator.fold(photo)
        state = None
        behind = repeat(None) if backgrounds is None else backgrounds
        for window, background in zip(with_next(windows), behind, strict=False):
            with torch.inference_mode():
                frames, state = self._window(photo, window, state, folded, size)
            yield frames if background is None else before(window.item, frames, background)

    def _window(
        self,
        photo: Float[Tensor, "1 3 h1 w1"],
        window: WithNext[Conditions],
        state: PropagationState | None,
        folded: FoldedStyle,
        size: tuple[int, int],
    ) -> tuple[Frames, PropagationState]:
        """Make one window from the state that the one before it left."""
        conditions = window.item
        height, width = conditions.source_grid.shape[1:3]
        after = None if window.after is None else pad_grid(window.after.source_grid[:1], size)
        frames, left = self.generator(
            photo,
            pad_heatmaps(conditions.pose_heatmaps, size)[None],
            pad_grid(conditions.source_grid, size)[None],
            grid_after=after,
            state=state,
            folded=folded,
        )
        return frames[0, :, :, :height, :width], left


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
    generator = build_generator(config)
    generator.load_state_dict(tensors)
    generator = accelerate(generator.to(device))
    return Network(generator) if isinstance(generator, Generator) else Layered(generator)


def opacity(conditions: Conditions, rim: int = _RIM) -> Float[Tensor, "t 1 h w"]:
    """Return where a frame shows the person: 1 on the body, falling to 0 over a rim around it.

    Args:
        conditions: of the frames.
        rim: pixels from the body's outline to 0.
    """
    body = (conditions.state != PixelState.NONE).float()
    body = rearrange(body, "t h w -> t 1 h w")
    half = rim // 2
    grown = functional.max_pool2d(body, 2 * half + 1, stride=1, padding=half)
    return functional.avg_pool2d(grown, 2 * half + 1, 1, half, count_include_pad=False)


def before(conditions: Conditions, frames: Frames, background: Frames) -> Frames:
    """Put the person of frames before another background."""
    share = opacity(conditions)
    return share * frames + (1 - share) * background
