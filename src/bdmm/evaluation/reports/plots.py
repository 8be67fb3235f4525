"""Plots: a clip's numbers over time as SVG for the report, curves against noise as a picture."""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Points = Sequence[tuple[float | int, float]]
"""(x, y), x rising; where y is not finite the line is broken."""
COLOURS = ("#888888", "#d95f02", "#1b6ca8", "#2a9d4a", "#8e44ad", "#b5651d", "#c2185b", "#00838f")
_STYLE: dict[Any, Any] = {
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
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 2.3), layout="constrained")
        axes = figure.subplots()
        for i, (name, line) in enumerate(lines.items()):
            _draw(axes, name, line, COLOURS[i % len(COLOURS)])
        axes.set_xlabel("frame")
        figure.legend(loc="outside right upper", frameon=False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def save_panels(
    path: Path, title: str, panels: Sequence[Sequence[tuple[str, str, Mapping[str, Points]]]]
) -> None:
    """Write curves in rows of panels with one vertical scale and one legend, as PNG.

    Args:
        path: of the picture.
        title: says what the vertical axis is.
        panels: (title, label of the horizontal axis, name -> points); a name has one colour.
    """
    names = dict.fromkeys(name for row in panels for _, _, lines in row for name in lines)
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    columns = max(1, *(len(row) for row in panels))
    with mpl.rc_context(_STYLE):
        figure = Figure(
            figsize=(max(3 * columns, 5), 2.4 * len(panels) + 0.6), layout="constrained"
        )
        figure.suptitle(title)
        grid = figure.subplots(len(panels), columns, sharey=True, squeeze=False)
        for row, cells in zip(panels, grid, strict=True):
            for axes in cells[len(row) :]:
                axes.set_axis_off()
            for (name, label, lines), axes in zip(row, cells, strict=False):
                axes.set_title(name)
                axes.set_xlabel(label)
                for system, points in lines.items():
                    _draw(axes, system, points, colours[system], marker="o")
        handles = {}
        for axes in grid.flat:
            found, labels = axes.get_legend_handles_labels()
            handles |= dict(zip(labels, found, strict=True))
        figure.legend(handles.values(), handles, loc="outside lower left", frameon=False)
        figure.savefig(path, dpi=100)


def _draw(axes: Axes, name: str, points: Points, colour: str, marker: str = "") -> None:
    x = [one for one, _ in points]
    y = [value if math.isfinite(value) else math.nan for _, value in points]
    axes.plot(x, y, label=name, color=colour, marker=marker, markersize=3, linewidth=1.2)
