"""Numbers over time as a drawing that stands in a page by itself."""

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#888888", "#d95f02", "#1b6ca8", "#2a9d4a", "#8e44ad", "#b5651d", "#c2185b", "#00838f")
_WIDTH, _HEIGHT = 860, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 170, 12, 30
_TICKS = 4
_DIGITS = 4


def time_plot(lines: Mapping[str, Sequence[tuple[int, float]]], unit: str = "frame") -> str:
    """Return an SVG of some lines over one axis of time.

    Where a value is not finite the line is broken.

    Args:
        lines: name -> (frame, value), frames rising.
        unit: of the axis of time.
    """
    points = [one for line in lines.values() for one in line if math.isfinite(one[1])]
    if not points:
        return "<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'></svg>"
    first, last = min(frame for frame, _ in points), max(frame for frame, _ in points)
    low, high = min(value for _, value in points), max(value for _, value in points)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    scale = _Scale(first, max(last, first + 1), low, high)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' "
        f"width='{_WIDTH}' height='{_HEIGHT}' font-family='sans-serif' font-size='11'>"
    ]
    parts += _axes(scale, unit)
    for i, (name, line) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = _path(line, scale)
        parts.append(f"<path d='{path}' fill='none' stroke='{colour}' stroke-width='1.5'/>")
        y = _TOP + 12 + 16 * i
        x = _WIDTH - _RIGHT + 14
        parts.append(f"<rect x='{x}' y='{y - 8}' width='14' height='4' fill='{colour}'/>")
        parts.append(f"<text x='{x + 20}' y='{y - 2}'>{escape(name)}</text>")
    return "".join([*parts, "</svg>"])


class _Scale:
    """From (frame, value) to pixels."""

    def __init__(self, first: int, last: int, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def x(self, frame: float | int) -> float:
        share = (frame - self.first) / (self.last - self.first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _axes(scale: _Scale, unit: str) -> list[str]:
    parts = []
    for i in range(_TICKS + 1):
        value = scale.low + (scale.high - scale.low) * i / _TICKS
        y = scale.y(value)
        parts.append(
            f"<line x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='#ddd'/>"
            f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' text-anchor='end'>{value:.{_DIGITS}g}</text>"
        )
        frame = scale.first + (scale.last - scale.first) * i / _TICKS
        parts.append(
            f"<text x='{scale.x(frame):.1f}' y='{_HEIGHT - 12}' text-anchor='middle'>"
            f"{round(frame)}</text>"
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f"<text x='{middle}' y='{_HEIGHT}' text-anchor='middle'>{escape(unit)}</text>")
    return parts


def _path(line: Sequence[tuple[int, float]], scale: _Scale) -> str:
    steps, drawing = [], False
    for frame, value in line:
        if math.isfinite(value):
            steps.append(f"{'L' if drawing else 'M'}{scale.x(frame):.1f} {scale.y(value):.1f}")
        drawing = math.isfinite(value)
    return "".join(steps)
