"""The part of the frames that a network works on, and sizes that it takes."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional

from bdmm.records import PixelState, PropagationState

_MARGIN = 1 / 16
"""Room on each side, of the frame's shorter side."""


@dataclass(frozen=True)
class Box:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of a frame, without the ends."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def whole(cls, size: tuple[int, int]) -> "Box":
        """Return the box of a whole frame of (height, width)."""
        return cls(0, size[0], 0, size[1])

    @property
    def rows(self) -> slice:
        """The rows."""
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        """The columns."""
        return slice(self.left, self.right)


def person_box(state: Integer[Tensor, "t h w"], step: int, least: int) -> Box:
    """Return a box that holds the person of all frames.

    Args:
        state: values of `records.PixelState`; its sides are multiples of ``step``.
        step: all four ends are multiples of this.
        least: sides are at least this long.
    """
    margin = round(_MARGIN * min(state.shape[1:]))
    there = (state != PixelState.NONE).any(dim=0)
    top, bottom = _span(there.any(dim=1), margin, step, least)
    left, right = _span(there.any(dim=0), margin, step, least)
    return Box(top, bottom, left, right)


def _span(used: Tensor, margin: int, step: int, least: int) -> tuple[int, int]:
    length = len(used)
    places = torch.nonzero(used).flatten().tolist() or [length // 2]
    start = max(0, places[0] - margin) // step * step
    end = min(length, -(-(places[-1] + 1 + margin) // step) * step)
    lacking = max(0, -(-(least - (end - start)) // step) * step)
    end = min(length, end + lacking)
    start = max(0, min(start, end - least) // step * step)
    return start, end


def moved_state(state: PropagationState, before: Box, after: Box) -> PropagationState:
    """Return a state in another box: cropped where it is smaller, zeros where it is larger.

    Args:
        state: at ``before``.
        before: the box of the window that made it.
        after: the box of the next window.
    """
    ends = (
        before.left - after.left,
        after.right - before.right,
        before.top - after.top,
        after.bottom - before.bottom,
    )

    def moved(features: Tensor) -> Tensor:
        scale = (before.bottom - before.top) // features.shape[2]
        return functional.pad(features, [end // scale for end in ends])

    if not any(ends):
        return state
    forward = tuple(moved(features) for features in state.forward)
    return replace(state, structural=moved(state.structural), forward=forward)


def padded_size(size: tuple[int, int], step: int, least: int) -> tuple[int, int]:
    """Return the next (height, width) that are multiples of ``step`` and at least ``least``."""
    height, width = (max(-(-side // step) * step, least) for side in size)
    return height, width


def pad_frames(
    frames: Float[Tensor, "t c h w"], size: tuple[int, int]
) -> Float[Tensor, "t c h1 w1"]:
    """Grow frames to the right and below by repeating their rims."""
    height, width = frames.shape[-2:]
    grow = (0, size[1] - width, 0, size[0] - height)
    return functional.pad(frames, grow, mode="replicate")
