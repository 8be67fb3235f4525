"""The layered network as a renderer."""

from collections.abc import Iterable, Iterator
from itertools import repeat

import torch
from torch.nn import functional

from bdmm.body.source_geometry import SourceGeometry
from bdmm.inference.padding import pad_grid, pad_heatmaps, pad_image, padded_size
from bdmm.inference.windows import WithNext, with_next
from bdmm.network.layer_inputs import Guide
from bdmm.network.layered import LayeredGenerator, Sitter
from bdmm.records import Conditions, PropagationState, Source, joints_of
from bdmm.shapes import Frames, Image


class Layered:
    """The layered generator with trained weights.

    Args:
        generator: with its weights, on the device where it shall run.
    """

    name: str = "layered"

    def __init__(self, generator: LayeredGenerator) -> None:
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
        """Yield the frames of each window; see `renderers.Renderer.render`."""
        config = self.generator.config
        size = padded_size(source.pose.size, config.size_step, config.least_size)
        with torch.inference_mode():
            sitter = self.generator.sit(
                pad_image(source.image, size)[None], pad_image(source.foreground, size)[None]
            )
        state = None
        behind = repeat(source.background) if backgrounds is None else backgrounds
        for window, background in zip(with_next(windows), behind, strict=False):
            with torch.inference_mode():
                frames, state = self._window(sitter, window, background, state, size)
            yield frames

    def _window(
        self,
        sitter: Sitter,
        window: WithNext[Conditions],
        background: Frames | Image,
        state: PropagationState | None,
        size: tuple[int, int],
    ) -> tuple[Frames, PropagationState]:
        """Make one window from the state that the one before it left."""
        height, width = window.item.source_grid.shape[1:3]
        if background.ndim == 3:
            background = background[None]
        grow = (0, size[1] - width, 0, size[0] - height)
        layers, left = self.generator(
            sitter,
            guide_of(window.item, size),
            functional.pad(background, grow, mode="replicate")[None],
            after=None if window.after is None else guide_of(first_of(window.after), size),
            state=state,
        )
        return layers.frames[0, :, :, :height, :width].clamp(-1, 1), left


def guide_of(conditions: Conditions, size: tuple[int, int]) -> Guide:
    """Return conditions as the network takes them, grown to a size by pixels of no body."""
    height, width = conditions.state.shape[1:]
    grow = (0, size[1] - width, 0, size[0] - height)
    return Guide(
        pose_heatmaps=pad_heatmaps(conditions.pose_heatmaps, size)[None],
        source_grid=pad_grid(conditions.source_grid, size)[None],
        state=functional.pad(conditions.state, grow)[None],
        filled=functional.pad(conditions.filled, grow)[None],
    )


def first_of(conditions: Conditions) -> Conditions:
    """Return the conditions of the first frame alone."""
    return conditions[0:1]
