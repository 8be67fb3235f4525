"""Systems in rows, metrics in columns; the best of each column in bold; Markdown, LaTeX, HTML."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from jinja2 import Environment, PackageLoader, select_autoescape

from bdmm.evaluation.config import ALL
from bdmm.evaluation.jobs.scores import DistributionDistance, GroupMean, Results
from bdmm.metrics.frame_metrics import WHOLE
from bdmm.metrics.published import Value

Better = Literal["higher", "lower", "neither"]
Form = Literal["md", "tex", "html"]
Means = Mapping[str, Mapping[str, Mapping[str, GroupMean]]]
"""System -> region -> metric -> mean."""

_LATEX = str.maketrans(
    {letter: f"\\{letter}" for letter in "&%_#${}"}
    | {
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "±": r"$\pm$",
        "…": r"\dots{}",
        "∞": r"$\infty$",
    }
)
_UNNAMED = (WHOLE, "pose")
"""Regions that headings do not name."""


@dataclass(frozen=True)
class Column:
    """A column, or a metric that gets one.

    Attributes:
        digits: after the point.
    """

    label: str
    better: Better
    digits: int
    meaning: str = ""


METRICS = {
    "ssim": Column("SSIM", "higher", 4, "structural similarity"),
    "psnr": Column("PSNR", "higher", 2, "decibels, per frame and then averaged"),
    "l1": Column("L1", "lower", 4, "mean absolute difference in the protocol's scale"),
    "lpips_alex": Column("LPIPS", "lower", 4, "LPIPS 0.1 with AlexNet"),
    "lpips_vgg": Column("LPIPS-VGG", "lower", 4, "LPIPS 0.1 with VGG-16"),
    "vgg19": Column(
        "VGG-19 L1",
        "lower",
        4,
        "difference of VGG-19's features relative to the true frame's; no published metric",
    ),
    "warping": Column(
        "warping error",
        "lower",
        5,
        "squared difference between neighbouring frames along the true video's flow",
    ),
    "keypoint_pixels": Column(
        "keypoint error", "lower", 2, "pixels at 256 between driving and detected keypoints"
    ),
    "pck": Column("PCK", "higher", 3, "share of keypoints within a tenth of the torso"),
    "keypoints_found": Column("detection rate", "higher", 3, "share of keypoints detected"),
    "warping_true": Column("… of the truth", "neither", 5, "the true video's own such error"),
}
"""Key in reports -> column, in the order of a table."""


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        values: one for each column, None where there is none.
    """

    name: str
    values: tuple[Value | None, ...]


@dataclass(frozen=True)
class Table:
    """A table of measured numbers, with published ones under a heading of their own if wanted.

    Attributes:
        rows: measured; the best of each column is in bold.
        published: printed by others, never in bold.
        published_heading: says where they are printed.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    published: tuple[Row, ...] = ()
    published_heading: str = ""
    notes: tuple[str, ...] = ()


def table_of(
    title: str,
    means: Means,
    regions: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    sets: Sequence[DistributionDistance] = (),
) -> Table:
    """Return the table of some systems' means.

    Args:
        regions: that get columns; all if None.
        sets: distribution distances, in columns of their own.
    """
    found: dict[str, set[str]] = {}
    for of_system in means.values():
        for region, metrics in of_system.items():
            if regions is None or region in regions:
                found.setdefault(region, set()).update(metrics)
    keys = [(region, metric) for region, names in found.items() for metric in in_order(names)]
    names = list(dict.fromkeys(one.name for one in sets))
    distances = {(one.system, one.name): Value(one.mean, one.deviation or None) for one in sets}
    rows = []
    for system, of_system in means.items():
        cells = [of_system.get(region, {}).get(metric) for region, metric in keys]
        values = [None if one is None else Value(one.mean, one.deviation) for one in cells]
        rows.append(Row(system, (*values, *(distances.get((system, name)) for name in names))))
    columns = [column_of(*key) for key in keys]
    columns += [Column(f"{name} ↓", "lower", 3) for name in names]
    said = (*notes, *exact_notes(means, keys), *size_notes(sets))
    return Table(title, tuple(columns), tuple(rows), notes=said)


def group_tables(
    results: Results, group: str, sets: Sequence[DistributionDistance] = ()
) -> list[Table]:
    """Return a table of each region of a group; the first one has the distribution distances."""
    means = {name: of.get(group, {}) for name, of in results.groups.items()}
    regions = dict.fromkeys(region for of in means.values() for region in of)
    said = "all clips" if group == ALL else group
    return [
        table_of(f"{said}: {region}", means, [region], sets=() if i else sets)
        for i, region in enumerate(regions)
    ]


def exact_notes(means: Means, keys: Iterable[tuple[str, str]]) -> list[str]:
    """Return a sentence on frames that no mean counts, as they equal the true ones."""
    found = [
        f"{column_of(*key).label} of {system}: {mean.exact}"
        for key in keys
        for system, regions in means.items()
        if (mean := regions.get(key[0], {}).get(key[1])) is not None and mean.exact
    ]
    return [f"Frames left out, as they equal the true ones: {'; '.join(found)}."] if found else []


def size_notes(sets: Sequence[DistributionDistance]) -> list[str]:
    """Return sentences on the sizes behind distribution distances, and what is not comparable."""
    notes = []
    for name in dict.fromkeys(one.name for one in sets):
        own = [one for one in sets if one.name == name]
        counts = sorted({(one.count_generated, one.count_real) for one in own})
        said = " or ".join(f"{ours} generated and {real} real" for ours, real in counts)
        text = f"{name}: {said} {'videos' if name.startswith('FVD') else 'frames'}"
        if len(counts) > 1:
            text += "; sets of different sizes cannot be compared"
        elif own[0].rank_deficient:
            text += "; fewer than the features' dimensions, so compare it at this size only"
        notes.append(f"{text}.")
    return notes


def metric_of(metric: str) -> Column:
    """Return how a metric is shown; an unknown one under its own name."""
    return METRICS.get(metric, Column(metric, "neither", 4))


def column_of(region: str, metric: str) -> Column:
    """Return the column of a metric of a region, with an arrow towards better."""
    one = metric_of(metric)
    where = "" if region in _UNNAMED else f" {region}"
    arrow = {"higher": "↑", "lower": "↓", "neither": ""}[one.better]
    return Column(f"{one.label}{where} {arrow}".rstrip(), one.better, one.digits, one.meaning)


def in_order(metrics: set[str]) -> list[str]:
    """Return metrics in the order of a table's columns, unknown ones last."""
    known = [one for one in METRICS if one in metrics]
    return known + sorted(metrics - set(known))


def best_rows(table: Table, column: int) -> set[int]:
    """Return the measured rows that are best in a column, as it is printed; none if they are one.

    A number that is not defined is never best.
    """
    better, digits = table.columns[column].better, table.columns[column].digits
    values = {
        i: round(value.mean, digits)
        for i, row in enumerate(table.rows)
        if (value := row.values[column]) is not None and not math.isnan(value.mean)
    }
    if better == "neither" or len(values) < 2:
        return set()
    best = max(values.values()) if better == "higher" else min(values.values())
    return {i for i, value in values.items() if value == best}


@cache
def templates() -> Environment:
    """Return the templates of reports; HTML is escaped, filters escape names for the others."""
    found = Environment(
        loader=PackageLoader("bdmm", "assets/report"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["md"] = lambda text: text.replace("|", r"\|")
    found.filters["tex"] = lambda text: text.translate(_LATEX)
    return found


def to_text(table: Table, form: Form) -> str:
    """Return the table as Markdown, LaTeX (it needs ``booktabs``) or a piece of HTML."""
    best = [best_rows(table, column) for column in range(len(table.columns))]
    measured = [
        (
            row.name,
            [
                ("-" if value is None else _text(value, column.digits), i in best[j])
                for j, (value, column) in enumerate(zip(row.values, table.columns, strict=True))
            ],
        )
        for i, row in enumerate(table.rows)
    ]
    printed = [(row.name, _printed(row)) for row in table.published]
    template = templates().get_template(f"table.{form}")
    return template.render(table=table, measured=measured, printed=printed)


def number_text(value: float, digits: int) -> str:
    """Return a number as it is printed."""
    if math.isnan(value):
        return "undefined"
    return f"{value:.{digits}f}" if math.isfinite(value) else ("∞" if value > 0 else "-∞")


def _printed(row: Row) -> list[str]:
    """Return published numbers with the digits that they were printed with."""
    return [
        "-"
        if value is None
        else f"{value.mean:g}" + ("" if value.deviation is None else f" ± {value.deviation:g}")
        for value in row.values
    ]


def _text(value: Value, digits: int) -> str:
    text = number_text(value.mean, digits)
    if value.deviation is None or not math.isfinite(value.deviation):
        return text
    return f"{text} ± {number_text(value.deviation, digits)}"
