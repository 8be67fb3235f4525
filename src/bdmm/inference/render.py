"""Inputs to rendered windows: the clip in windows, their conditions, and what renders them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from bdmm.appearance.person import view_person
from bdmm.appearance.photo_choice import shares_shown
from bdmm.body.model import load_body
from bdmm.body.source_geometry import prepare_geometry
from bdmm.conditioning import condition, condition_person
from bdmm.config import WINDOW
from bdmm.inference.compositing import body_opacity
from bdmm.inference.contact_shadow import shaded_backgrounds
from bdmm.inference.person_box import Box
from bdmm.inference.prepare import Inputs, background_pictures
from bdmm.inference.trace import FrameTrace
from bdmm.media.pixels import to_frames
from bdmm.records import Conditions, Motion, Source
from bdmm.shapes import Frames

_Item = TypeVar("_Item")
Change = Callable[[Conditions, slice], Conditions]
"""(conditions of a window, its frames in the clip) -> the conditions to render instead."""


@dataclass(frozen=True)
class Rendered:
    """The frames of one window.

    Attributes:
        frames: RGB in [-1, 1].
        state: ``t h w`` what is known of each pixel, values of `records.PixelState`.
        box: the part of the frames that the renderer worked on; around it lies background.
        traces: what the network did in each frame; empty if the renderer does not trace.
        alpha: ``t 1 h w`` in [0, 1] of transparent frames, whose colours are the person's alone, as
            far as the renderer knows them; None: the background is in the frames.
    """

    frames: Frames
    state: Integer[Tensor, "t h w"]
    box: Box
    traces: tuple[FrameTrace, ...] = ()
    alpha: Float[Tensor, "t 1 h w"] | None = None

    @property
    def opacity(self) -> Float[Tensor, "t 1 h w"]:
        """Where the frames show the person, in [0, 1]."""
        return body_opacity(self.state)


@dataclass(frozen=True)
class Scene:
    """What a renderer makes the frames of a clip from.

    Attributes:
        source: the first photo, on the renderer's device.
        windows: conditions of the clip's windows, in order; taken one by one.
        backgrounds: behind the person, for each window; the photo's own if None.
        transparent: the person alone is wanted, on alpha; backgrounds are the colours where nobody
            is.
    """

    source: Source
    windows: Iterable[Conditions]
    backgrounds: Iterable[Frames] | None = None
    transparent: bool = False


@runtime_checkable
class Renderer(Protocol):
    """Makes the frames of a clip, window by window.

    Attributes:
        joints: keypoints that become pose heatmaps.
        composites: whether it makes the person from what is known of their whole surface
            (`condition_person`), or frames from the first photo alone.
    """

    name: str
    joints: tuple[int, ...]
    composites: bool
    window: int
    device: torch.device

    def render(self, scene: Scene) -> Iterator[Rendered]:
        """Yield the frames of each window."""
        ...


def render(inputs: Inputs, renderer: Renderer, change: Change | None = None) -> Iterator[Rendered]:
    """Yield the rendered windows of a clip; at most two are held.

    Args:
        change: of the conditions, such as stored warps in place of new ones; none if None.
    """
    motion = inputs.motion.to(renderer.device)
    source = inputs.source_view.source.to(renderer.device)
    make = _conditioner(inputs, source, motion, renderer)

    def windows() -> Iterator[Conditions]:
        for part in window_slices(len(motion), renderer.window):
            yield make(part) if change is None else change(make(part), part)

    backgrounds = backgrounds_of(inputs, renderer)
    if inputs.casts_shadow and renderer.composites:
        parts = window_slices(len(motion), renderer.window)
        body = load_body(source.pose.body).to(renderer.device)
        backgrounds = shaded_backgrounds(body, source, motion, parts)
    yield from renderer.render(Scene(source, windows(), backgrounds, inputs.transparent))


def _conditioner(
    inputs: Inputs, source: Source, motion: Motion, renderer: Renderer
) -> Callable[[slice], Conditions]:
    """Return what makes the conditions of some frames of a motion; all on the renderer's device."""
    view = inputs.source_view
    if not renderer.composites:
        body = load_body(source.pose.body).to(renderer.device)
        geometry = prepare_geometry(body, source.pose, source.foreground, source.image)
        return lambda part: condition(body, geometry, motion[part], renderer.joints)
    here = renderer.device == view.source.image.device
    known = view.known if here else view_person(view.person.to(renderer.device))
    shares = shares_shown(known.views[0].geometry.body, known.views, motion)
    return lambda part: condition_person(known, motion[part], shares[part], renderer.joints)


def backgrounds_of(inputs: Inputs, renderer: Renderer) -> Iterator[Frames] | None:
    """Return what lies behind the person, for each window; None: the photo's own."""
    if inputs.background is None:
        return None
    pictures = background_pictures(inputs.background, inputs.size, inputs.fps)
    windows = window_slices(len(inputs), renderer.window)
    runs = (list(islice(pictures, w.stop - w.start)) for w in windows)
    return (to_frames(run, renderer.device) for run in runs)


def window_slices(frame_count: int, length: int = WINDOW) -> Iterator[slice]:
    """Cut a clip into windows.

    The last one is shorter if the count does not divide: nothing is repeated to fill it up.
    """
    for start in range(0, frame_count, length):
        yield slice(start, min(start + length, frame_count))


def with_next(items: Iterable[_Item]) -> Iterator[tuple[_Item, _Item | None]]:
    """Yield each item with the one after it, None after the last; two are held at a time."""
    following = iter(items)
    item = next(following, None)
    while item is not None:
        # `itertools.tee` would free items in blocks of 57 alone.
        after = next(following, None)
        yield item, after
        item = after


def with_after(windows: Iterable[Conditions]) -> Iterator[Conditions]:
    """Yield each window's conditions with those of the frame after its end."""
    for window, following in with_next(windows):
        after = None if following is None else following.frames(slice(0, 1))
        yield replace(window, after=None if after is None else replace(after, after=None))
