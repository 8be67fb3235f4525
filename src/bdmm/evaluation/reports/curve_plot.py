"""Curves in panels side by side, as one picture: all panels share one scale of quality."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bdmm.media.image import Picture

Points = Sequence[tuple[float, float]]
"""(x, y), x rising."""
_COLOURS = ("#888888", "#1b6ca8", "#d95f02", "#2a9d4a", "#8e44ad", "#b5651d")
_WIDTH, _HEIGHT = 300, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 30, 44
_HEAD, _LEGEND = 34, 22
_TICKS = 4
_INK, _GRID = "#222222", "#dddddd"


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        title: above it.
        x_label: below it.
        lines: name -> points; a name has one colour in all panels.
    """

    title: str
    x_label: str
    lines: Mapping[str, Points]


def draw_panels(title: str, rows: Sequence[Sequence[Panel]], names: Sequence[str]) -> Picture:
    """Draw panels in rows under a title, with one legend.

    Args:
        title: says what the vertical axis is.
        rows: of panels; x runs from 0 to 1 in all of them.
        names: of all lines, in the order of the legend.
    """
    panels = [panel for row in rows for panel in row]
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
    low, high = _range([y for one in panels for line in one.lines.values() for _, y in line])
    width = _WIDTH * max((len(row) for row in rows), default=1)
    height = _HEAD + _HEIGHT * len(rows) + _LEGEND * len(names) + 10
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((_LEFT, 10), title, _INK, ImageFont.load_default(16))
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            _draw_panel(draw, panel, (j * _WIDTH, _HEAD + i * _HEIGHT), (low, high), colours)
    for i, name in enumerate(names):
        y = _HEAD + _HEIGHT * len(rows) + _LEGEND * i + 8
        draw.line((_LEFT, y, _LEFT + 24, y), colours[name], 3)
        draw.text((_LEFT + 32, y), name, _INK, ImageFont.load_default(13), anchor="lm")
    return np.asarray(picture)


def _draw_panel(
    draw: ImageDraw.ImageDraw,
    panel: Panel,
    corner: tuple[int, int],
    span: tuple[float, float],
    colours: Mapping[str, str],
) -> None:
    left, right = corner[0] + _LEFT, corner[0] + _WIDTH - _RIGHT
    top, bottom = corner[1] + _TOP, corner[1] + _HEIGHT - _BOTTOM
    low, high = span
    small = ImageFont.load_default(11)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x * (right - left), bottom - (y - low) / (high - low) * (bottom - top)

    draw.text((left, top - 8), panel.title, _INK, ImageFont.load_default(13), anchor="ls")
    draw.text(((left + right) / 2, bottom + 24), panel.x_label, _INK, small, anchor="mt")
    for i in range(_TICKS + 1):
        x, y = i / _TICKS, low + (high - low) * i / _TICKS
        draw.line((*place(0.0, y), *place(1.0, y)), _GRID)
        draw.text((left - 6, place(0.0, y)[1]), f"{y:.4g}", _INK, small, anchor="rm")
        draw.text((place(x, low)[0], bottom + 6), f"{x:g}", _INK, small, anchor="mt")
    for name, line in panel.lines.items():
        points = [place(x, y) for x, y in line if math.isfinite(y)]
        if len(points) > 1:
            draw.line(points, colours[name], 2)
        for x, y in points:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colours[name])


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return round numbers around some values, `_TICKS` round steps from each other."""
    finite = [one for one in values if math.isfinite(one)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    least = max(high - low, 1e-3) / _TICKS
    power = 10.0 ** math.floor(math.log10(least))
    for step in (power * one for one in (1, 2, 2.5, 5, 10, 20)):
        bottom = math.floor(low / step) * step
        if bottom + _TICKS * step >= high and step >= least:
            return bottom, bottom + _TICKS * step
    raise AssertionError("twenty times the least step is more than enough")
