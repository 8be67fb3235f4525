"""Plots of a report: a clip's numbers over time, as SVG."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Points = Sequence[tuple[float | int, float]]
"""(x, y), x rising; where y is not finite the line is broken."""
COLOURS = ("#888888", "#d95f02", "#1b6ca8", "#2a9d4a", "#8e44ad", "#b5651d", "#c2185b", "#00838f")
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bdmm",
    "font.size": 8,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
"""Letters stay letters in an SVG; the same numbers give the same file."""


def time_plot(lines: Mapping[str, Points]) -> str:
    """Return an SVG of some lines over frames, to stand in a page.

    Args:
        lines: name -> (frame, value).
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.3), layout="constrained")
        axes = figure.subplots()
        for i, (name, line) in enumerate(lines.items()):
            draw(axes, name, line, COLOURS[i % len(COLOURS)])
        axes.set_xlabel("frame")
        figure.legend(loc="outside right upper", frameon=False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def draw(axes: Axes, name: str, points: Points, colour: str, marker: str = "") -> None:
    """Draw a line under its name; ``marker`` is Matplotlib's."""
    x = [one for one, _ in points]
    y = [value if math.isfinite(value) else math.nan for _, value in points]
    axes.plot(x, y, label=name, color=colour, marker=marker, markersize=3, linewidth=1.2)
