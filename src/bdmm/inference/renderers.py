"""The renderers: the coarse warp, and a trained network with either head."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional

from bdmm.body.regions import region_box
from bdmm.config import WINDOW
from bdmm.inference.compositing import body_opacity, refine, replace_background, shown_part
from bdmm.inference.person_box import Box, moved_state, pad_frames, padded_size, person_box
from bdmm.inference.presets import NETWORK_SIDE
from bdmm.inference.render import Rendered, Scene, with_after
from bdmm.inference.trace import Block, FrameTrace, Modulated, blocks_of, trace
from bdmm.kernels.picture_filters import smoothed
from bdmm.kernels.push_pull import push_pull, spread_person
from bdmm.media.prefetch import prefetched
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator, PreparedSource, SeenWindow
from bdmm.network.heads import Layers, frame_of, part_of, warp_window
from bdmm.network.weights import load_weights, meta_generator
from bdmm.records import COCO18, NOWHERE, Conditions, PixelState, Source, joints_of
from bdmm.shapes import Clips, Frames, Image

_FORWARD_WINDOW = 2
"""Frames at once of a network that propagates forward alone: any number gives the same, these stay
in cache."""


class CoarseRenderer:
    """The photo's own pixels, warped onto the motion (`coarse_frames`); no network."""

    name: str = "coarse"
    joints: tuple[int, ...] = COCO18
    window: int = WINDOW
    composites: bool = True

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    def render(self, scene: Scene) -> Iterator[Rendered]:
        """Yield the frames of each window."""
        source, behind = scene.source, scene.backgrounds
        behind = repeat(source.background) if behind is None else behind
        windows = prefetched(scene.windows, 1)
        for conditions, background in zip(windows, behind, strict=False):
            state, box = conditions.state[0], Box.whole(conditions.size)
            if scene.transparent:
                frames, alpha = coarse_cutouts(source, conditions, background)
                yield Rendered(frames, state, box, alpha=alpha)
            else:
                yield Rendered(coarse_frames(source, conditions, background), state, box)


def coarse_frames(source: Source, conditions: Conditions, background: Frames | Image) -> Frames:
    """Lay the warped person over a background; each frame by itself, in any slices.

    Args:
        source: that the conditions belong to.
        background: one picture for all frames or one for each, RGB in [-1, 1].
    """
    frames = background.expand(conditions.frame_count, -1, -1, -1).clone()
    for place, colour, alpha in _coarse_layers(source, conditions):
        frames[place] = alpha * colour + (1 - alpha) * frames[place]
    return frames.clamp(-1, 1)


def coarse_cutouts(
    source: Source, conditions: Conditions, background: Frames | Image
) -> tuple[Frames, Float[Tensor, "t 1 h w"]]:
    """Return the warped person's own colours and alpha.

    Args:
        source: that the conditions belong to.
        background: colours away from the person, where alpha is 0.
    """
    frames = background.expand(conditions.frame_count, -1, -1, -1).clone()
    opacity = torch.zeros_like(frames[:, :1])
    for place, colour, alpha in _coarse_layers(source, conditions):
        frames[place], opacity[place] = colour, alpha
    return frames.clamp(-1, 1), opacity


def _coarse_layers(
    source: Source, conditions: Conditions
) -> Iterator[tuple[tuple[slice, ...], Tensor, Tensor]]:
    """Yield for each frame the place of the person in it, their colours and their alpha."""
    warped = _warped(source, conditions)[0]
    state = conditions.state[0]
    known = (state != PixelState.NONE) & ((state != PixelState.HIDDEN) | conditions.fallback[0])
    for t, person in enumerate(state != PixelState.NONE):
        rows, columns = region_box(person, margin=2)
        person = person[rows, columns]
        place = (slice(t, t + 1), slice(None), rows, columns)
        body = state[t, rows, columns] != PixelState.EXTENDED
        soft = warped[t : t + 1, 3:, rows, columns]
        # Twice: the outline of an estimated body errs by more than a pixel.
        alpha = smoothed(torch.where(body & person, 1.0, soft * person), times=2)
        colour = push_pull(
            warped[t : t + 1, :3, rows, columns], known[t, None, None, rows, columns].to(alpha)
        )
        yield place, colour, alpha


def _warped(source: Source, conditions: Conditions) -> Float[Tensor, "b t 4 h w"]:
    if conditions.warped is not None:
        return conditions.warped
    colours = spread_person(source.image[None], source.foreground[None])
    return warp_window(torch.cat((colours, source.foreground[None]), dim=1), conditions)


@dataclass(frozen=True)
class _Clip:
    """What stays the same for all windows of a clip.

    Attributes:
        background: the photo's own, padded to the frames' size.
    """

    prepared: PreparedSource
    background: Frames
    transparent: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) that frames are padded to."""
        return self.prepared.appearance.shape[2], self.prepared.appearance.shape[3]


class _Boxed(NamedTuple):
    """What a network sees of a window: a box, which may reach into the padding."""

    state: Integer[Tensor, "t h w"]
    box: Box
    conditions: Conditions
    seen: SeenWindow


class _Made(NamedTuple):
    """What the network makes of a window, in a box."""

    state: Integer[Tensor, "t h w"]
    box: Box
    output: Clips | Layers
    blocks: Sequence[dict[Block, Modulated]] = ()


class NetworkRenderer:
    """A generator with trained weights, of any preset.

    An RGB head makes whole frames. A compositing head works around the person only.

    Args:
        generator: with its weights, on the device where it shall run.
        traces: whether to give out what the network does too (`Rendered.traces`).
        network_side: about how many pixels the shorter side has at which a network with a
            compositing head works, on larger frames.

    Raises:
        InputError: it shall be traced but has no motion modulation.
    """

    def __init__(
        self, generator: Generator, traces: bool = False, network_side: int = NETWORK_SIDE
    ) -> None:
        if traces:
            blocks_of(generator)
        self.network_side = network_side
        self.generator = generator.eval()
        self.composites = generator.config.head == "layers"
        self.name = "layered" if self.composites else "network"
        self.joints = joints_of(generator.config.joints)
        self.window = (
            generator.config.window if generator.config.backward_branch else _FORWARD_WINDOW
        )
        self.device = next(generator.parameters()).device
        self.traces = traces

    def render(self, scene: Scene) -> Iterator[Rendered]:
        """Yield the frames of each window."""
        source, config, windows = scene.source, self.generator.config, scene.windows
        shrink = self.shrink(source.pose.size)
        size = padded_size(source.pose.size, shrink * config.size_step, shrink * config.least_size)
        image, foreground = (pad_frames(p[None], size) for p in (source.image, source.foreground))
        with torch.inference_mode():
            prepared = self.generator.prepare(image, foreground, shrink)
        if self.composites:
            windows = (replace(window, segment=None) for window in windows)
        background = pad_frames(source.background[None], size)
        clip = _Clip(prepared, background, scene.transparent)
        behind = repeat(None) if scene.backgrounds is None else scene.backgrounds
        if config.backward_branch:
            windows = with_after(windows)
        boxed = (self._boxed(clip, window) for window in prefetched(windows, 1))
        made = self._made(clip, boxed)
        for one, background in zip(prefetched(made, 1), behind, strict=False):
            with torch.inference_mode():
                rendered = _finished(clip, one, background)
            del one
            yield rendered

    def shrink(self, size: tuple[int, int]) -> int:
        """Return how many pixels of frames of (height, width) make one of the network."""
        return max(1, round(min(size) / self.network_side)) if self.composites else 1

    def _made(self, clip: _Clip, windows: Iterable[_Boxed]) -> Iterator[_Made]:
        """Run the network, each window from the state that the one before it left."""
        generate = partial(trace, self.generator) if self.traces else self.generator
        state = before = None
        for shown, box, conditions, seen in windows:
            with torch.inference_mode():
                if state is not None and before is not None:
                    state = moved_state(state, before, box)
                output, state, *blocks = generate(clip.prepared, conditions, state, seen)
            yield _Made(shown, box, output, *blocks)
            before = box
            del shown, conditions, seen, output

    def _boxed(self, clip: _Clip, window: Conditions) -> _Boxed:
        """Copy the part of a window that the network works on."""
        height, width = window.size
        box = self._box(window, clip)
        rows, columns = (
            slice(one.start, min(one.stop, end))
            for one, end in ((box.rows, height), (box.columns, width))
        )
        share = height / clip.size[0], width / clip.size[1]
        part = window.crop(rows, columns)
        part = part.pad((box.bottom - box.top, box.right - box.left), share)
        with torch.inference_mode():
            seen = self.generator.look(clip.prepared, part)
        return _Boxed(window.state[0], box, _without_maps(part), seen)

    def _box(self, window: Conditions, clip: _Clip) -> Box:
        if not self.composites:
            return Box.whole(clip.size)
        config, shrink = self.generator.config, clip.prepared.shrink
        (height, width), (rows, columns) = window.size, clip.size
        state = functional.pad(window.state[0], (0, columns - width, 0, rows - height))
        return person_box(state, shrink * config.size_step, shrink * config.least_size)


def _without_maps(window: Conditions) -> Conditions:
    """Return the conditions that a network needs beside what it has seen of a window."""
    nowhere = torch.tensor(NOWHERE).to(window.source_grid).expand_as(window.source_grid)
    alone = replace(window, segment=None, inpainted=None, warped=None, before=None, after=None)
    return replace(alone, source_grid=nowhere)


def _finished(clip: _Clip, made: _Made, background: Frames | None) -> Rendered:
    """Make frames of a network's output."""
    shown, box, output, blocks = made
    count, height, width = shown.shape
    if isinstance(output, Layers):
        under = clip.background if background is None else pad_frames(background, clip.size)
        frames = under.expand(count, -1, -1, -1).clone()
        alpha = torch.zeros_like(frames[:, :1])
        boxed = (..., box.rows, box.columns)
        parts, whole, side = [], (slice(None), slice(None)), min(clip.size)
        for t, (frame, opacity) in enumerate(zip(frames[boxed], alpha[boxed], strict=True)):
            layers = frame_of(output, t)
            place = whole if blocks or clip.transparent else shown_part(layers, side)
            layers = refine(part_of(layers, *place), side)
            frame, opacity = frame[:, *place], opacity[:, *place]
            opacity.copy_(layers.alpha[0, 0])
            person = layers.person if clip.transparent else layers.over(frame[None, None])
            torch.clamp(person[0, 0], -1, 1, out=frame)
            parts.append(layers)
        frames, alpha = (one[:, :, :height, :width] for one in (frames, alpha))
    else:
        parts = count * [None]
        frames, alpha = output[0, :, :, :height, :width], body_opacity(shown)
        if background is not None:
            kept = (alpha > 0).to(alpha) if clip.transparent else alpha
            frames = replace_background(frames, kept, background)
    traces = tuple(FrameTrace(*one) for one in zip(blocks, parts, strict=False))
    return Rendered(frames, shown, box, traces, alpha if clip.transparent else None)


def load_network(
    weights: str | Path,
    device: torch.device | str = "cpu",
    traces: bool = False,
    network_side: int = NETWORK_SIDE,
) -> NetworkRenderer:
    """Load trained weights; see `NetworkRenderer`.

    Args:
        weights: a file that ``bdmm convert`` or training wrote, the folder of a run, or the name of
            a network that ships.

    Raises:
        InputError: the file is missing, damaged or not ours, or its network takes unknown joints.
    """
    config, tensors = load_weights(weights)
    joints_of(config.joints)
    generator = meta_generator(config)
    generator.load_state_dict({k: v.float() for k, v in tensors.items()}, assign=True)
    return NetworkRenderer(accelerate(generator.to(device)), traces, network_side)
