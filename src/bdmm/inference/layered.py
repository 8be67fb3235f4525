"""The layered network as a renderer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat

import torch

from bdmm.body.source_geometry import SourceGeometry
from bdmm.inference.compositing import refine
from bdmm.inference.padding import pad_frames, pad_image, padded_size
from bdmm.inference.person_box import Box, moved_state, person_box
from bdmm.inference.person_colours import PersonColours
from bdmm.inference.windows import with_after
from bdmm.network.generator import Generator, PreparedSource
from bdmm.records import Conditions, PixelState, PropagationState, Source, joints_of
from bdmm.shapes import Frames, Image


@dataclass(frozen=True)
class _Left:
    """What a window leaves to the next one, and where in the frame it was."""

    state: PropagationState
    box: Box


class Layered:
    """A generator with a compositing head and trained weights.

    Attributes:
        box: the part of the frame that the last window was made in; None before the first.

    Args:
        generator: with its weights, on the device where it shall run.
    """

    name: str = "layered"
    box: Box | None = None

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
        for window, background in zip(with_after(windows), behind, strict=False):
            with torch.inference_mode():
                frames, left = self._window(prepared, colours, window, background, left)
            yield frames

    def _window(
        self,
        prepared: PreparedSource,
        colours: PersonColours,
        window: Conditions,
        background: Frames | Image,
        left: _Left | None,
    ) -> tuple[Frames, _Left]:
        """Make one window from what the one before it left; only around the person."""
        config = self.generator.config
        height, width = window.size
        size = prepared.image.shape[2], prepared.image.shape[3]
        conditions = inpainted(window, colours).pad(size)
        box = person_box(conditions.state[0], config.size_step, config.least_size)
        self.box = box
        frames = background.expand(window.frame_count, -1, -1, -1).clone()
        behind = pad_frames(frames, size)[None]
        levels = range(len(config.widths) - 1, 0, -1) if config.forward_branch else ()
        scales = (*(2**level for level in levels), config.size_step)
        state = left and moved_state(left.state, left.box, box, scales)
        layers, state = self.generator(prepared, conditions.crop(box.rows, box.columns), state)
        made = refine(layers, min(size)).over(behind[..., box.rows, box.columns])
        behind[..., box.rows, box.columns] = made.clamp(-1, 1)
        return behind[0, :, :, :height, :width], _Left(state, box)


def inpainted(conditions: Conditions, colours: PersonColours) -> Conditions:
    """Return conditions with colours for what is hidden; what they don't copy becomes hidden too.

    Args:
        conditions: of some frames.
        colours: of their person.
    """
    assert conditions.segment is not None
    coloured = colours(conditions)
    copied, after = coloured.copied[None], conditions.after
    hidden = (conditions.segment >= 0) & ~copied
    return replace(
        conditions,
        state=torch.where(hidden, int(PixelState.HIDDEN), conditions.state),
        fallback=conditions.fallback & copied,
        inpainted=coloured.colours[None],
        after=None if after is None else inpainted(after, colours),
    )
