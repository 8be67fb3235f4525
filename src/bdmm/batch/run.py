"""A list of items worked through: in parts, by many processes, resumed where it stopped."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from bdmm.batch.distributor import HERE, Distributor
from bdmm.batch.records import RECORDS, Record, read_record, write_record
from bdmm.errors import InputError, Notice, Progress, Unfinished, no_progress
from bdmm.files.output_file import LOCK, sweep, writing


@runtime_checkable
class Item(Protocol):
    """An item of a list; it can be sent to another process."""

    @property
    def name(self) -> str:
        """Name of its record, different from that of every other item."""
        ...


Entry = TypeVar("Entry", bound=Item)


@dataclass(frozen=True)
class Shard:
    """One of several parts of a list: every ``count``-th item from the ``number``-th on.

    Raises:
        InputError: there is no such part.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse a part that does not exist."""
        if not 1 <= self.number <= self.count:
            raise InputError(
                f"There is no shard {self.number}/{self.count}; shards are counted from 1/N to N/N."
            )

    @classmethod
    def named(cls, text: str) -> "Shard":
        """Return the shard of a text such as ``2/8``.

        Raises:
            InputError: it is none.
        """
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal()):
            raise InputError(f"The shard is {text!r}; it must be I/N, such as 2/8.")
        return cls(int(number), int(count))

    def part(self, items: Sequence[Entry]) -> Sequence[Entry]:
        """Return its items."""
        return items[self.number - 1 :: self.count]

    @property
    def lock(self) -> str:
        """Name of the file that keeps a second run of the same shard out of a folder."""
        return LOCK if self.count == 1 else f"{LOCK}-{self.number}-of-{self.count}"


WHOLE = Shard()
"""The only part."""


@dataclass(frozen=True)
class Run:
    """How a list is worked through.

    Attributes:
        folder: of the results and their records.
        overwrite: do finished items again.
        progress: called with the stage, the number of items done and of all of the shard.
    """

    folder: Path
    distributor: Distributor = HERE
    overwrite: bool = False
    progress: Progress = no_progress
    shard: Shard = WHOLE


@dataclass(frozen=True)
class Ended:
    """What became of a list, all of whose items have ended.

    Attributes:
        records: of all items, in the list's order.
        made: items that this run did.
    """

    records: tuple[Record, ...]
    made: int

    @property
    def failed(self) -> tuple[Record, ...]:
        """Records of the items that failed."""
        return tuple(record for record in self.records if not record.done)


def work_through(
    run: Run,
    items: Sequence[Entry],
    work: Callable[[Entry], Any],
    finished: Callable[[Entry, Record | None], bool],
    clear: Callable[[Entry], None],
    stage: str,
) -> Ended:
    """Do what is left of the run's shard; every item leaves a record. Failed ones are tried again.

    Args:
        items: the whole list, the same for all shards.
        work: does an item; it and ``clear`` are sent to other processes.
        finished: whether an item with such a record is there and whole.
        clear: removes what may be there of an item, before it is done.
        stage: what is being done, in words.

    Raises:
        InputError: the disk is full, or the cluster cannot be reached.
        Unfinished: the shard has ended and others have not.
    """
    records = run.folder / RECORDS
    with writing(records):
        records.mkdir(exist_ok=True)
    sweep(records)

    def look(item: Entry) -> Record | None:
        record = read_record(run.folder, item.name)
        if finished(item, record):
            return record if record is not None and record.done else Record(item.name)
        return record if record is not None and not record.done else None

    mine = run.shard.part(items)
    before = {} if run.overwrite else {item.name: look(item) for item in mine}
    ended = {name: record for name, record in before.items() if record and record.done}
    for name in ended:
        if read_record(run.folder, name) != ended[name]:  # killed before it was written
            write_record(run.folder, ended[name])
    todo = [item for item in mine if item.name not in ended]
    run.progress(stage, len(ended), len(mine))
    for outcome in run.distributor.run_jobs(partial(_do_afresh, work, clear), todo):
        if outcome.no_room:
            raise InputError(
                f"{outcome.reason} What is finished was kept; run the same command again to go on."
            )
        record = Record(outcome.job.name, outcome.reason, outcome.notes, outcome.result)
        write_record(run.folder, record)
        ended[record.name] = record
        run.progress(stage, len(ended), len(mine))
    found = [ended.get(item.name) or look(item) for item in items]
    whole = tuple(record for record in found if record is not None)
    if len(whole) < len(items):
        raise _unfinished(run, [ended[item.name] for item in mine], len(items) - len(whole))
    return Ended(whole, sum(ended[item.name].done for item in todo))


def _do_afresh(work: Callable[[Entry], Any], clear: Callable[[Entry], None], item: Entry) -> Any:
    """Do an item, also where a worker that was lost had done it already."""
    clear(item)
    return work(item)


def _unfinished(run: Run, ended: Sequence[Record], waiting: int) -> Unfinished:
    failed = [record for record in ended if not record.done]
    for record in failed:
        warnings.warn(f"{record.name}: {record.reason}", Notice, stacklevel=3)
    return Unfinished(
        f"{run.folder}: of shard {run.shard.number}/{run.shard.count}, {len(ended) - len(failed)} "
        f"are done and {len(failed)} failed; {waiting} of other shards have not ended. The shard "
        "that ends last writes the report.",
        len(failed),
    )
