"""Systems in rows, metrics in columns; the best of each column in bold; Markdown, LaTeX, HTML."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from bdmm.evaluation.jobs.results import GroupMean
from bdmm.evaluation.jobs.set_results import SetDistance, table_rows
from bdmm.evaluation.reports.metric_names import Better, column_label, in_order, metric_name

_LATEX = {letter: f"\\{letter}" for letter in "&%_#${}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}
_SET_DIGITS = 3
_ARROWS = {
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "…": r"\dots{}",
    "∞": r"$\infty$",
}


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        label: its heading.
        better: which way is better.
        digits: after the point.
    """

    label: str
    better: Better
    digits: int


@dataclass(frozen=True)
class Value:
    """What stands in a cell.

    Attributes:
        mean: the number.
        deviation: None or NaN where there is none.
    """

    mean: float
    deviation: float | None = None


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        name: of the system.
        values: one for each column, None where there is none.
    """

    name: str
    values: tuple[Value | None, ...]


@dataclass(frozen=True)
class Table:
    """A table of measured numbers, with published ones under a heading of their own if wanted.

    Attributes:
        title: above it.
        columns: of numbers.
        rows: measured; the best of each column is in bold.
        published: printed by others, never in bold.
        published_heading: says where they stand.
        notes: sentences below it.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    published: tuple[Row, ...] = ()
    published_heading: str = ""
    notes: tuple[str, ...] = ()


def table_of(
    title: str,
    means: Mapping[str, Mapping[str, Mapping[str, GroupMean]]],
    regions: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    sets: Sequence[SetDistance] = (),
) -> Table:
    """Return the table of some systems' means.

    Args:
        title: above it.
        means: system -> region -> metric -> mean.
        regions: that get columns; all if None.
        notes: sentences below it.
        sets: distances of sets, in columns of their own.
    """
    found: dict[str, set[str]] = {}
    for of_system in means.values():
        for region, metrics in of_system.items():
            if regions is None or region in regions:
                found.setdefault(region, set()).update(metrics)
    keys = [(region, metric) for region, names in found.items() for metric in in_order(names)]
    columns = tuple(
        Column(column_label(*key), metric_name(key[1]).better, metric_name(key[1]).digits)
        for key in keys
    )
    by_set = table_rows(sets)
    names = list(dict.fromkeys(one.name for one in sets))
    columns += tuple(Column(f"{name} ↓", "lower", _SET_DIGITS) for name in names)
    rows = tuple(
        Row(
            system,
            tuple(_value(of_system, *key) for key in keys)
            + tuple(_of_set(by_set.get(system, {}).get(name)) for name in names),
        )
        for system, of_system in means.items()
    )
    return Table(title, columns, rows, notes=(*notes, *exact_notes(means, keys), *set_notes(sets)))


def exact_notes(
    means: Mapping[str, Mapping[str, Mapping[str, GroupMean]]], keys: Iterable[tuple[str, str]]
) -> list[str]:
    """Return what has to be said of frames that no mean counts, as they equal the true ones."""
    found = [
        f"{column_label(*key)} of {system}: {mean.exact}"
        for key in keys
        for system, regions in means.items()
        if (mean := regions.get(key[0], {}).get(key[1])) is not None and mean.exact
    ]
    return [f"Frames left out, as they equal the true ones: {'; '.join(found)}."] if found else []


def set_notes(sets: Sequence[SetDistance]) -> list[str]:
    """Return what has to be said of distances of sets: sizes, and what is not comparable."""
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


def to_markdown(table: Table) -> str:
    """Return the table as Markdown."""
    lines = [f"## {table.title}", ""]
    lines.append("| system | " + " | ".join(one.label for one in table.columns) + " |")
    lines.append("|---|" + "---|" * len(table.columns))
    best = [best_rows(table, column) for column in range(len(table.columns))]
    for i, row in enumerate(table.rows):
        cells = [
            f"**{text}**" if i in best[j] else text for j, text in enumerate(_texts(table, row))
        ]
        lines.append(f"| {_bar(row.name)} | " + " | ".join(cells) + " |")
    if table.published:
        lines.append(f"| *{table.published_heading}* |" + " |" * len(table.columns))
        for row in table.published:
            lines.append(f"| *{_bar(row.name)}* | " + " | ".join(_printed(row)) + " |")
    lines += ["", *table.notes] if table.notes else []
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """Return the table as LaTeX; it needs the package ``booktabs``."""
    width = len(table.columns) + 1
    heads = " & ".join(_tex(one.label) for one in table.columns)
    lines = [
        r"\begin{table}",
        rf"\caption{{{_tex(table.title)}}}",
        rf"\begin{{tabular}}{{l{'c' * len(table.columns)}}}",
        r"\toprule",
        rf"system & {heads} \\",
        r"\midrule",
    ]
    best = [best_rows(table, column) for column in range(len(table.columns))]
    for i, row in enumerate(table.rows):
        cells = [
            rf"\textbf{{{_tex(text)}}}" if i in best[j] else _tex(text)
            for j, text in enumerate(_texts(table, row))
        ]
        lines.append(rf"{_tex(row.name)} & {' & '.join(cells)} \\")
    if table.published:
        heading = _tex(table.published_heading)
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\emph{{{heading}}}}} \\"]
        for row in table.published:
            cells = " & ".join(_tex(text) for text in _printed(row))
            lines.append(rf"\emph{{{_tex(row.name)}}} & {cells} \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par {_tex(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def to_html(table: Table) -> str:
    """Return the table as a piece of HTML."""
    heads = "".join(f"<th>{escape(one.label)}</th>" for one in table.columns)
    lines = [f"<table><caption>{escape(table.title)}</caption>"]
    lines.append(f"<thead><tr><th>system</th>{heads}</tr></thead><tbody>")
    best = [best_rows(table, column) for column in range(len(table.columns))]
    for i, row in enumerate(table.rows):
        cells = "".join(
            f"<td class='best'>{escape(text)}</td>" if i in best[j] else f"<td>{escape(text)}</td>"
            for j, text in enumerate(_texts(table, row))
        )
        lines.append(f"<tr><th>{escape(row.name)}</th>{cells}</tr>")
    if table.published:
        heading = escape(table.published_heading)
        lines.append(
            f"<tr class='published'><th colspan='{len(table.columns) + 1}'>{heading}</th></tr>"
        )
        for row in table.published:
            cells = "".join(f"<td>{escape(text)}</td>" for text in _printed(row))
            lines.append(f"<tr class='published'><th>{escape(row.name)}</th>{cells}</tr>")
    lines.append("</tbody></table>")
    lines += [f"<p class='note'>{escape(note)}</p>" for note in table.notes]
    return "\n".join(lines)


def number_text(value: float, digits: int) -> str:
    """Return a number as it is printed."""
    if math.isnan(value):
        return "undefined"
    return f"{value:.{digits}f}" if math.isfinite(value) else ("∞" if value > 0 else "-∞")


def _value(means: Mapping[str, Mapping[str, GroupMean]], region: str, metric: str) -> Value | None:
    mean = means.get(region, {}).get(metric)
    return None if mean is None else Value(mean.mean, mean.deviation)


def _of_set(distance: SetDistance | None) -> Value | None:
    if distance is None:
        return None
    return Value(distance.mean, distance.deviation or None)


def _texts(table: Table, row: Row) -> list[str]:
    return [
        "-" if value is None else _text(value, column.digits)
        for value, column in zip(row.values, table.columns, strict=True)
    ]


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


def _bar(text: str) -> str:
    return text.replace("|", r"\|")


def _tex(text: str) -> str:
    escaped = "".join(_LATEX.get(letter, letter) for letter in text)
    for letter, command in _ARROWS.items():
        escaped = escaped.replace(letter, command)
    return escaped
