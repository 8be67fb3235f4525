"""The layered network as a renderer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import torch
from torch.nn import functional

from bdmm.body.source_geometry import SourceGeometry
from bdmm.inference.padding import pad_frames, pad_grid, pad_heatmaps, pad_image, padded_size
from bdmm.inference.person_box import Box, moved_state, person_box
from bdmm.inference.person_colours import PersonColours
from bdmm.inference.windows import WithNext, with_next
from bdmm.network.layer_inputs import Guide
from bdmm.network.layered import LayeredGenerator, PreparedSource
from bdmm.records import Conditions, PixelState, PropagationState, Source, joints_of
from bdmm.shapes import Frames, Image


@dataclass(frozen=True)
class _Left:
    """What a window leaves to the next one, and where in the frame it was."""

    state: PropagationState
    box: Box


class Layered:
    """The layered generator with trained weights.

    Attributes:
        box: the part of the frame that the last window was made in; None before the first.

    Args:
        generator: with its weights, on the device where it shall run.
    """

    name: str = "layered"
    box: Box | None = None

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
            prepared = self.generator.prepare(
                pad_image(source.image, size)[None], pad_image(source.foreground, size)[None]
            )
        colours = PersonColours(source, geometry)
        left = None
        behind = repeat(source.background) if backgrounds is None else backgrounds
        for window, background in zip(with_next(windows), behind, strict=False):
            with torch.inference_mode():
                frames, left = self._window(prepared, colours, window, background, left)
            yield frames

    def _window(
        self,
        prepared: PreparedSource,
        colours: PersonColours,
        window: WithNext[Conditions],
        background: Frames | Image,
        left: _Left | None,
    ) -> tuple[Frames, _Left]:
        """Make one window from what the one before it left; only around the person."""
        config = self.generator.config
        count, (height, width) = len(window.item), window.item.state.shape[1:]
        size = prepared.image.shape[2], prepared.image.shape[3]
        guide = guide_of(window.item, colours, size)
        after = None if window.after is None else guide_of(window.after[0:1], colours, size)
        box = person_box(guide.state[0], config.size_step, config.least_size)
        self.box = box
        frames = background.expand(count, -1, -1, -1).clone()
        behind = pad_frames(frames, size)[None]
        levels = range(len(config.widths) - 1, 0, -1) if config.forward_branch else ()
        scales = (*(2**level for level in levels), config.size_step)
        state = left and moved_state(left.state, left.box, box, scales)
        layers, state = self.generator(
            prepared,
            within(guide, box),
            behind[..., box.rows, box.columns],
            after=None if after is None else within(after, box),
            state=state,
        )
        behind[..., box.rows, box.columns] = layers.frames.clamp(-1, 1)
        return behind[0, :, :, :height, :width], _Left(state, box)


def guide_of(conditions: Conditions, colours: PersonColours, size: tuple[int, int]) -> Guide:
    """Return conditions as the network takes them, grown to a size by pixels of no body.

    Args:
        conditions: of some frames.
        colours: of their person; what they don't copy becomes hidden to the network too.
        size: (height, width) of the guide.
    """
    height, width = conditions.state.shape[1:]
    grow = (0, size[1] - width, 0, size[0] - height)
    coloured = colours(conditions)
    hidden = (conditions.segment >= 0) & ~coloured.copied
    state = torch.where(hidden, int(PixelState.HIDDEN), conditions.state)
    return Guide(
        pose_heatmaps=pad_heatmaps(conditions.pose_heatmaps, size)[None],
        source_grid=pad_grid(conditions.source_grid, size)[None],
        state=functional.pad(state, grow)[None],
        filled=functional.pad(conditions.filled & coloured.copied, grow)[None],
        painted=functional.pad(coloured.colours, grow)[None],
    )


def within(guide: Guide, box: Box) -> Guide:
    """Return a guide to the part of the frames in a box."""
    place = (..., box.rows, box.columns)
    return Guide(
        pose_heatmaps=guide.pose_heatmaps[place],
        source_grid=guide.source_grid[:, :, box.rows, box.columns],
        state=guide.state[place],
        filled=guide.filled[place],
        painted=None if guide.painted is None else guide.painted[place],
    )
