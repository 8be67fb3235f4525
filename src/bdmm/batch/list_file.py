"""Lists of work from files: CSV with a line of names, or a JSON list of objects."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdmm.errors import InputError
from bdmm.files.outside import TEXT, read_json, reading

SEVERAL = "|"
"""Between several values of a cell of CSV."""


@dataclass(frozen=True)
class Entry:
    """An item of a list.

    Attributes:
        place: where it stands, such as ``line 3``.
        values: name -> its values, of which there is at least one.
    """

    place: str
    values: Mapping[str, tuple[str, ...]]


def read_list(path: Path) -> list[Entry]:
    """Read a list; empty cells and lines are left out.

    Args:
        path: a ``.json`` file holds a list of objects; every other one is CSV in UTF-8 with commas,
            its first line names the columns.

    Raises:
        InputError: the file is damaged; the sentence names the line.
    """
    entries = list((_json if path.suffix.lower() == ".json" else _csv)(path))
    if not entries:
        raise InputError(f"{path} lists nothing.")
    return entries


def _csv(path: Path) -> Iterator[Entry]:
    with reading(path, TEXT, f"{path} is no text in UTF-8."):
        text = path.read_text(encoding="utf-8-sig")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    names: list[str] = []
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not names:
                names = cells
                if not all(names) or len({*names}) < len(names):
                    raise InputError(f"{path}, line 1: columns need names, each its own.")
                continue
            place = f"line {rows.line_num}"
            if len(cells) != len(names):
                raise InputError(
                    f"{path}, {place} has {len(cells)} values for {len(names)} columns."
                )
            found = zip(names, cells, strict=True)
            yield Entry(place, {name: _split(cell) for name, cell in found if cell})
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num} is no CSV: {error}.") from error


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(SEVERAL))


def _json(path: Path) -> Iterator[Entry]:
    listed = read_json(path, TEXT, f"{path} is no JSON.")
    if not isinstance(listed, list):
        raise InputError(f"{path} must hold a list of objects.")
    for number, one in enumerate(listed, 1):
        if not isinstance(one, dict):
            raise InputError(f"{path}, item {number} is no object.")
        values = {name: _texts(value) for name, value in one.items()}
        yield Entry(f"item {number}", {name: texts for name, texts in values.items() if texts})


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(text for one in value for text in _texts(one))
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return () if value in (None, "") else (str(value),)
