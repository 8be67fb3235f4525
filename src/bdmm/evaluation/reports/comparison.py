"""Several reports into one table; published numbers stand in a block of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from bdmm.errors import InputError
from bdmm.evaluation.config import ALL
from bdmm.evaluation.jobs.scores import ClipResult, dump, gather
from bdmm.evaluation.reports.report_file import Report, load_report
from bdmm.evaluation.reports.tables import Form, Row, Table, table_of, templates, to_text
from bdmm.evaluation.systems import BASELINES
from bdmm.files.output_file import write_whole, writing
from bdmm.metrics.published import METRICS, PUBLISHED, PublishedTable, Value


@dataclass(frozen=True)
class Entry:
    """A system of a report, under its name in the table.

    Attributes:
        name: in the table.
        system: its name in the report.
    """

    name: str
    report: Report
    system: str


def compare(texts: Sequence[str], published: str | None = None) -> list[Table]:
    """Return the tables of some systems, one for each group of clips.

    Args:
        texts: ``NAME=REPORT`` each, or ``NAME=REPORT:SYSTEM`` where the report holds several.
        published: a table of `PUBLISHED`; its rows are added below, marked as such.

    Raises:
        InputError: a report is damaged, they follow different protocols, or have no clip in
            common.
    """
    entries = [read_entry(text) for text in texts]
    names = [one.name for one in entries]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two systems are called {name}: give them other names.")
    _check_protocols(entries)
    clips = [
        replace(clip, system=one.name)
        for one in entries
        for clip in one.report.results.clips
        if clip.system == one.system
    ]
    _check_frames(clips)
    results = gather(clips)
    kept = {one.clip for one in clips} - set(results.left_out)
    if not kept:
        raise InputError(f"{names[0]} and {names[-1]} were scored on no clip in common.")
    notes = _notes(entries, len(kept), results.left_out)
    groups = list(results.groups[names[0]])
    rules = entries[0].report.protocol
    distances = [
        replace(distance, system=one.name)
        for one in entries
        for distance in one.report.results.sets
        if distance.system == one.system
    ]
    tables = []
    for group in groups:
        means = {name: results.groups[name][group] for name in names}
        said = "all clips" if group == ALL else group
        title = f"{said}, protocol {rules['name']}"
        sets = [] if tables or results.left_out else distances
        tables.append(table_of(title, means, notes=notes, sets=sets))
    if published is not None:
        tables[0] = with_published(tables[0], published, rules)
    return tables


def read_entry(text: str) -> Entry:
    """Read ``NAME=REPORT`` or ``NAME=REPORT:SYSTEM``.

    Without a system it is the one of that name, else the only network.

    Raises:
        InputError: it has another form, or there is no such system.
    """
    name, equals, place = text.partition("=")
    if not (name and equals and place):
        raise InputError(f"{text!r} is not of the form NAME=REPORT.")
    path, colon, system = place.rpartition(":")
    if not colon or Path(place).exists():
        path, system = place, ""
    report = load_report(path)
    if system:
        if system not in report.names:
            raise InputError(f"{path} has no system {system}, only {', '.join(report.names)}.")
        return Entry(name, report, system)
    if name in report.names:
        return Entry(name, report, name)
    networks = [one for one in report.names if one not in BASELINES]
    if len(networks) != 1:
        raise InputError(
            f"{path} has the systems {', '.join(report.names)}: name one, as in "
            f"{name}={path}:{report.names[-1]}."
        )
    return Entry(name, report, networks[0])


def with_published(table: Table, key: str, rules: Any) -> Table:
    """Put published rows below a table, for the columns of whole frames that both have.

    Raises:
        InputError: there is no such table, or the protocol is not the paper's, so that the
            numbers would be in other scales.
    """
    if key not in PUBLISHED:
        raise InputError(f"There is no published table {key!r}; choose {', '.join(PUBLISHED)}.")
    if rules["name"] != "paper":
        raise InputError(
            "Published numbers follow the paper's protocol: evaluate with --protocol paper to "
            "compare "
            "with them."
        )
    printed = PUBLISHED[key]
    rows = tuple(
        Row(name, tuple(_printed(printed, name, one.label) for one in table.columns))
        for name in printed.rows
    )
    heading = (
        f"published, not measured here, on the test set of {printed.dataset}: {printed.source}"
    )
    return replace(table, published=rows, published_heading=heading)


def save_tables(folder: Path, tables: Sequence[Table]) -> list[Path]:
    """Write ``table.md``, ``table.tex`` and ``table.html`` into a folder; return their paths.

    Raises:
        InputError: they cannot be written.
    """
    forms: tuple[Form, ...] = ("md", "tex", "html")
    texts = {f"table.{form}": "\n".join(to_text(one, form) for one in tables) for form in forms}
    page = templates().get_template("comparison.html")
    texts["table.html"] = page.render(body=Markup(texts["table.html"]))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in texts.items():
        path = folder / name
        write_whole(path, text)
        paths.append(path)
    return paths


def _printed(table: PublishedTable, row: str, label: str) -> Value | None:
    words = label.split()
    if len(words) != 2 or words[0] not in METRICS:
        return None
    return table.rows[row].get(words[0])


def _check_protocols(entries: Sequence[Entry]) -> None:
    first = entries[0]
    for one in entries[1:]:
        if dump(one.report.protocol) != dump(first.report.protocol):
            raise InputError(
                f"{first.name} was scored by the protocol {first.report.protocol['name']} and "
                f"{one.name} by {one.report.protocol['name']} or another version of it: their "
                "numbers cannot stand in one table."
            )


def _check_frames(clips: Sequence[ClipResult]) -> None:
    """One clip must have as many frames in every report."""
    frames: dict[str, ClipResult] = {}
    for clip in clips:
        other = frames.setdefault(clip.clip, clip)
        if other.frames != clip.frames:
            raise InputError(
                f"The clip {clip.clip} has {other.frames} frames of {other.system} and "
                f"{clip.frames} of {clip.system}: score both on the same frames."
            )


def _notes(entries: Sequence[Entry], kept: int, left_out: Sequence[str]) -> list[str]:
    notes = [f"Means over all frames of {kept} clips; ± is the deviation between clips."]
    if left_out:
        notes.append(
            f"{len(left_out)} clips that not all were scored on are left out, and distribution "
            "metrics, which cover them."
        )
    first = entries[0]
    for one in entries[1:]:
        ours, theirs = first.report.settings, one.report.settings
        other = [
            f"{key} {theirs.get(key)} instead of {ours.get(key)}"
            for key in ("reenactment", "features_every")
            if ours.get(key) != theirs.get(key)
        ]
        if first.report.kind != one.report.kind:
            other.append(f"{one.report.kind} instead of {first.report.kind}")
        if other:
            notes.append(f"{one.name} was scored with {', '.join(other)}.")
    return notes
