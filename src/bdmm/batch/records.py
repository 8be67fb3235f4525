"""What became of the items of a list: a small file for each, done or failed."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bdmm.errors import InputError
from bdmm.files.output_file import write_whole
from bdmm.files.outside import TEXT, read_json

RECORDS = "records"
"""Folder of the records in the folder of a batch."""


@dataclass(frozen=True)
class Record:
    """What became of an item.

    Attributes:
        reason: why it failed, one sentence; empty if it is done.
        notes: what the user should know although it is done.
        result: what the work returned, for JSON.
    """

    name: str
    reason: str = ""
    notes: tuple[str, ...] = ()
    result: Any = None

    @property
    def done(self) -> bool:
        """Whether the item is done."""
        return not self.reason


def write_record(folder: Path, record: Record) -> None:
    """Write a record into the folder of a batch; an older one is replaced.

    Raises:
        InputError: it cannot be written.
    """
    content = {"state": "done" if record.done else "failed", **asdict(record)}
    write_whole(_path(folder, record.name), json.dumps(content, indent=1) + "\n")


def read_record(folder: Path, name: str) -> Record | None:
    """Read a record; one that is missing or damaged is None, so that the item is done again."""
    try:
        content = read_json(_path(folder, name), TEXT)
        return Record(name, content["reason"], tuple(content["notes"]), content["result"])
    except (InputError, KeyError, TypeError):
        return None


def _path(folder: Path, name: str) -> Path:
    return folder / RECORDS / f"{name}.json"
