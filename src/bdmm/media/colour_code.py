"""Numbers as colours: flow on the Middlebury wheel, quantities as heat maps, and their legends."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

from bdmm.media.image import Picture

_HUES = (0, 15, 21, 25, 36, 49, 55)
"""Where on the wheel, of 55 steps, the colours below stand."""
_COLOURS = np.array(
    [
        (255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255),
        (255, 0, 0),
    ],
    np.float64,
)  # fmt: skip
"""Red, yellow, green, cyan, blue, magenta and red again."""
_BEYOND = 0.75
"""Brightness of flow that is longer than the reach."""
_WHITE = 255

Palette = Literal["turbo", "inferno", "viridis", "grey"]
_PALETTES = {
    "turbo": cv2.COLORMAP_TURBO,
    "inferno": cv2.COLORMAP_INFERNO,
    "viridis": cv2.COLORMAP_VIRIDIS,
}


def flow_colours(flow: Float[np.ndarray, "2 h w"], reach: float) -> Picture:
    """Paint flow as Baker et al. do (A Database and Evaluation Methodology for Optical Flow, 2007).

    The hue is the direction: right is red, down is yellow, left is between cyan and blue, up is
    violet. White does not move; the colour is full at the reach and darker beyond. What is not
    finite is black.

    Args:
        flow: (dx, dy) in pixels.
        reach: length, above 0, of the flow that has full colour.
    """
    finite = np.logical_and.reduce(np.isfinite(flow))
    dx, dy = np.where(finite, flow, 0) / reach
    length = np.hypot(dx, dy)[..., None]
    turn = np.arctan2(-dy, -dx) / (2 * np.pi) + 0.5
    step = turn % 1 * _HUES[-1]
    hue = np.stack([np.interp(step, _HUES, channel) for channel in _COLOURS.T], axis=-1)
    colour = np.where(length <= 1, _WHITE - length * (_WHITE - hue), _BEYOND * hue)
    return (colour * finite[..., None]).round().astype(np.uint8)


def flow_wheel(side: int) -> Picture:
    """Return the legend of `flow_colours`: each place shows the flow from the middle to it.

    The rim is at the reach; white around it.
    """
    place = (np.arange(side) + 0.5) / side * 2 - 1
    flow = np.stack(np.meshgrid(place, place, indexing="xy"))
    wheel = flow_colours(flow, 1.0)
    wheel[np.hypot(*flow) > 1] = _WHITE
    return wheel


def heat_colours(
    values: Float[np.ndarray, "h w"], low: float, high: float, palette: Palette = "inferno"
) -> Picture:
    """Paint a quantity; what lies beyond the range has its end's colour, no number is black.

    Args:
        values: the quantity.
        low: shown in the palette's first colour.
        high: shown in its last colour.
        palette: ``turbo`` blue, green, red; ``inferno`` black to yellow; ``viridis`` violet to
            yellow; ``grey`` black to white.
    """
    finite = np.isfinite(values)
    share = (np.where(finite, values, low) - low) / (high - low)
    levels = (share.clip(0, 1) * 255).round().astype(np.uint8)
    if palette == "grey":
        colours = np.stack([levels] * 3, axis=-1)
    else:
        colours = cv2.applyColorMap(levels, _PALETTES[palette])[..., ::-1].copy()
    colours[~finite] = 0
    return colours


def colour_bar(size: tuple[int, int], palette: Palette) -> Picture:
    """Return the legend of a palette, its low end on the left, (height, width) large."""
    height, width = size
    return heat_colours(np.tile(np.linspace(0, 1, width), (height, 1)), 0.0, 1.0, palette)
