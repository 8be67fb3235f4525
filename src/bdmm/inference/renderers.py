"""The renderers: the coarse warp, and a trained network with either head."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import torch

from bdmm.body.regions import region_box
from bdmm.config import WINDOW
from bdmm.inference.compositing import body_opacity, refine, replace_background
from bdmm.inference.person_box import Box, moved_state, pad_frames, padded_size, person_box
from bdmm.inference.person_colours import PersonColours
from bdmm.inference.render import Rendered, Scene, with_after
from bdmm.inference.trace import blocks_of, frame_traces, trace
from bdmm.kernels.push_pull import push_pull, smoothed
from bdmm.kernels.warp import warp
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator, PreparedSource
from bdmm.network.heads import Layers
from bdmm.network.weights import load_weights
from bdmm.records import COCO18, Conditions, PixelState, PropagationState, joints_of
from bdmm.shapes import Foreground, Frames, Image


class CoarseRenderer:
    """The photo's own pixels, warped onto the motion (`coarse_frames`); no network."""

    name: str = "coarse"
    joints: tuple[int, ...] = COCO18
    window: int = WINDOW

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    def render(self, scene: Scene) -> Iterator[Rendered]:
        """Yield the frames of each window."""
        source, behind = scene.source, scene.backgrounds
        colours = PersonColours(source, scene.geometry)
        behind = repeat(source.background) if behind is None else behind
        for conditions, background in zip(scene.windows, behind, strict=False):
            frames = coarse_frames(colours, source.foreground, conditions, background)
            yield Rendered(frames, conditions, Box.whole(conditions.size))


def coarse_frames(
    colours: PersonColours,
    foreground: Foreground,
    conditions: Conditions,
    background: Frames | Image,
) -> Frames:
    """Lay the warped person over a background; each frame by itself, in any slices.

    Args:
        background: one picture for all frames or one for each, RGB in [-1, 1].
    """
    frames = background.expand(conditions.frame_count, -1, -1, -1).clone()
    copied = colours(conditions).colours
    assert conditions.segment is not None
    for t, state in enumerate(conditions.state[0]):
        person = state != PixelState.NONE
        rows, columns = region_box(person, margin=2)
        person = person[rows, columns]
        place = (slice(t, t + 1), slice(None), rows, columns)
        soft = warp(foreground[None], conditions.source_grid[0, t : t + 1, rows, columns])
        soft = soft * person
        body = conditions.segment[0, t, rows, columns] >= 0
        alpha = smoothed(torch.where(body, 1.0, soft))
        colour = push_pull(copied[place], person[None, None].to(alpha))
        frames[place] = alpha * colour + (1 - alpha) * frames[place]
    return frames.clamp(-1, 1)


@dataclass(frozen=True)
class _Clip:
    """What stays the same for all windows of a clip; colours only for a compositing head."""

    prepared: PreparedSource
    background: Image
    colours: PersonColours | None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) that frames are padded to."""
        return self.prepared.image.shape[2], self.prepared.image.shape[3]


class _Left(NamedTuple):
    """What a window hands to the next one, and the box that it was made in."""

    state: PropagationState
    box: Box


class NetworkRenderer:
    """A generator with trained weights, of any preset.

    An RGB head makes whole frames. A compositing head works around the person only, and gets the
    person's colours for what the photo does not show.

    Args:
        generator: with its weights, on the device where it shall run.
        traces: whether to give out what the network does too (`Rendered.traces`).

    Raises:
        InputError: it shall be traced but has no motion modulation.
    """

    def __init__(self, generator: Generator, traces: bool = False) -> None:
        if traces:
            blocks_of(generator)
        self.generator = generator.eval()
        self.composites = generator.config.head == "layers"
        self.name = "layered" if self.composites else "network"
        self.joints = joints_of(generator.config.joints)
        self.window = generator.config.window
        self.device = next(generator.parameters()).device
        self.traces = traces

    def render(self, scene: Scene) -> Iterator[Rendered]:
        """Yield the frames of each window."""
        source, config = scene.source, self.generator.config
        size = padded_size(source.pose.size, config.size_step, config.least_size)
        image, foreground = (pad_frames(p[None], size) for p in (source.image, source.foreground))
        with torch.inference_mode():
            prepared = self.generator.prepare(image, foreground)
        colours = PersonColours(source, scene.geometry) if self.composites else None
        clip, left = _Clip(prepared, source.background, colours), None
        behind = repeat(None) if scene.backgrounds is None else scene.backgrounds
        for window, background in zip(with_after(scene.windows), behind, strict=False):
            with torch.inference_mode():
                rendered, left = self._window(clip, window, background, left)
            yield rendered

    def _window(
        self, clip: _Clip, window: Conditions, background: Frames | None, left: _Left | None
    ) -> tuple[Rendered, _Left]:
        """Make one window from the state that the one before it left."""
        conditions = window if clip.colours is None else clip.colours.inpaint(window)
        conditions = conditions.pad(clip.size)
        box = self._box(conditions)
        state = left and moved_state(left.state, left.box, box)
        generate = partial(trace, self.generator) if self.traces else self.generator
        output, state, *traced = generate(
            clip.prepared, conditions.crop(box.rows, box.columns), state
        )
        if isinstance(output, Layers):
            output = refine(output, min(clip.size))
            under = clip.background if background is None else background
            frames = _over(under.expand(window.frame_count, -1, -1, -1), output, box, clip.size)
        else:
            frames = output[0, :, :, : window.size[0], : window.size[1]]
            if background is not None:
                frames = replace_background(frames, body_opacity(window), background)
        traces = (frame_traces(blocks, output) for blocks in traced)
        return Rendered(frames, window, box, *traces), _Left(state, box)

    def _box(self, conditions: Conditions) -> Box:
        if not self.composites:
            return Box.whole(conditions.size)
        config = self.generator.config
        return person_box(conditions.state[0], config.size_step, config.least_size)


def _over(background: Frames, layers: Layers, box: Box, size: tuple[int, int]) -> Frames:
    """Lay layers over their box of a background, which is padded to a size for that."""
    height, width = background.shape[2:]
    frames = pad_frames(background.clone(), size)[None]
    frames[..., box.rows, box.columns] = layers.over(frames[..., box.rows, box.columns]).clamp(
        -1, 1
    )
    return frames[0, :, :, :height, :width]


def load_network(
    weights: str | Path, device: torch.device | str = "cpu", traces: bool = False
) -> NetworkRenderer:
    """Load trained weights.

    Args:
        weights: a file that ``bdmm convert`` or training wrote, the folder of a run, or the name of
            a network that ships.

    Raises:
        InputError: the file is missing, damaged or not ours, or its network takes unknown joints.
    """
    config, tensors = load_weights(weights)
    joints_of(config.joints)
    generator = Generator(config)
    generator.load_state_dict(tensors)
    return NetworkRenderer(accelerate(generator.to(device)), traces)
