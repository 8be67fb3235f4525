"""Jobs and their states, in SQLite: what was accepted outlives the server, however it ends."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bdmm.files.output_file import writing

MAX_ATTEMPTS = 3
"""A job during which the server died this often is not tried again."""
_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    words TEXT NOT NULL,
    state TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    notices TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS waiting ON jobs (state, kind, created);
"""
_BUSY_SECONDS = 10.0


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Kind(StrEnum):
    """What a job makes."""

    ANIMATION = "animation"
    INSPECTION = "inspection"


class QueueFullError(Exception):
    """As many jobs wait as may."""


@dataclass(frozen=True)
class Job:
    """A job as it stands in the database.

    Attributes:
        words: of the command line that does it, run in the job's own folder.
        created, started, ended: seconds since 1970; None where that has not happened.
        attempts: how often it was started.
        message: why it failed, one sentence.
        notices: what the user should know although the job went on.
    """

    id: str
    kind: Kind
    words: tuple[str, ...]
    state: State
    created: float
    started: float | None
    ended: float | None
    attempts: int
    message: str
    notices: tuple[str, ...]


class JobStore:
    """The jobs of a folder; it may be used from any thread.

    Args:
        path: the database; it is made if there is none.

    Raises:
        InputError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        with writing(path):
            path.touch(mode=0o600)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(_TABLE)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def add(self, identity: str, kind: Kind, words: Sequence[str], most_waiting: int) -> None:
        """Accept a job; from then on it is not lost.

        Raises:
            QueueFullError: that many jobs of the kind wait already.
        """
        row = (identity, kind, json.dumps(words), State.QUEUED, time.time())
        with self._cursor() as cursor:
            cursor.execute(
                "INSERT INTO jobs (id, kind, words, state, created) SELECT ?, ?, ?, ?, ? "
                "WHERE (SELECT count(*) FROM jobs WHERE state = ? AND kind = ?) < ?",
                (*row, State.QUEUED, kind, most_waiting),
            )
            if cursor.rowcount == 0:
                raise QueueFullError

    def claim(self, kind: Kind) -> Job | None:
        """Take the job that has waited longest, now running; None if none waits."""
        with self._cursor() as cursor:
            row = cursor.execute(
                "UPDATE jobs SET state = ?, started = ?, attempts = attempts + 1 WHERE id = "
                "(SELECT id FROM jobs WHERE state = ? AND kind = ? ORDER BY created LIMIT 1) "
                "RETURNING *",
                (State.RUNNING, time.time(), State.QUEUED, kind),
            ).fetchone()
        return None if row is None else _job(row)

    def finish(
        self, identity: str, state: State, message: str = "", notices: Sequence[str] = ()
    ) -> None:
        """Write down how a running job ended; one that was cancelled meanwhile stays so."""
        with self._cursor() as cursor:
            cursor.execute(
                "UPDATE jobs SET state = ?, ended = ?, message = ?, notices = ? "
                "WHERE id = ? AND state = ?",
                (state, time.time(), message, json.dumps(notices), identity, State.RUNNING),
            )

    def put_back(self, identity: str) -> None:
        """Let a running job wait again, as if it had never been started."""
        with self._cursor() as cursor:
            cursor.execute(
                "UPDATE jobs SET state = ?, started = NULL, attempts = attempts - 1 "
                "WHERE id = ? AND state = ?",
                (State.QUEUED, identity, State.RUNNING),
            )

    def cancel(self, identity: str) -> bool:
        """Cancel a job that waits or runs; return whether it did."""
        with self._cursor() as cursor:
            cursor.execute(
                "UPDATE jobs SET state = ?, ended = ? WHERE id = ? AND state IN (?, ?)",
                (State.CANCELLED, time.time(), identity, State.QUEUED, State.RUNNING),
            )
            return cursor.rowcount == 1

    def recover(self) -> None:
        """Let jobs wait again that a killed server left running; give up those that killed it."""
        message = f"The server ended {MAX_ATTEMPTS} times during this job."
        with self._cursor() as cursor:
            cursor.execute(
                "UPDATE jobs SET state = ?, ended = ?, message = ? "
                "WHERE state = ? AND attempts >= ?",
                (State.FAILED, time.time(), message, State.RUNNING, MAX_ATTEMPTS),
            )
            cursor.execute(
                "UPDATE jobs SET state = ?, started = NULL WHERE state = ?",
                (State.QUEUED, State.RUNNING),
            )

    def get(self, identity: str) -> Job | None:
        """Return a job, None if there is none of that number."""
        with self._cursor() as cursor:
            row = cursor.execute("SELECT * FROM jobs WHERE id = ?", (identity,)).fetchone()
        return None if row is None else _job(row)

    def position(self, job: Job) -> int:
        """Return how many jobs of its kind wait before a waiting one."""
        with self._cursor() as cursor:
            return cursor.execute(
                "SELECT count(*) FROM jobs WHERE state = ? AND kind = ? AND created < ?",
                (State.QUEUED, job.kind, job.created),
            ).fetchone()[0]

    def counts(self) -> dict[tuple[Kind, State], int]:
        """Return the number of jobs by kind and state."""
        with self._cursor() as cursor:
            rows = cursor.execute("SELECT kind, state, count(*) FROM jobs GROUP BY 1, 2")
            return {(Kind(kind), State(state)): count for kind, state, count in rows}

    def mean_seconds(self, kind: Kind) -> float | None:
        """Return how long the last jobs took on average, None if none was done yet."""
        with self._cursor() as cursor:
            return cursor.execute(
                "SELECT avg(ended - started) FROM (SELECT * FROM jobs "
                "WHERE state = ? AND kind = ? ORDER BY ended DESC LIMIT 10)",
                (State.DONE, kind),
            ).fetchone()[0]

    def names(self, ended_before: float | None = None) -> list[str]:
        """Return the numbers of all jobs, or of those that ended before a time."""
        with self._cursor() as cursor:
            rows = cursor.execute(
                "SELECT id FROM jobs WHERE ? IS NULL OR ended < ?", (ended_before, ended_before)
            )
            return [row[0] for row in rows]

    def forget(self, identity: str) -> None:
        """Remove a job."""
        with self._cursor() as cursor:
            cursor.execute("DELETE FROM jobs WHERE id = ?", (identity,))

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Cursor]:
        with self._lock:
            cursor = self._connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()


def _job(row: sqlite3.Row) -> Job:
    return Job(
        row["id"],
        Kind(row["kind"]),
        tuple(json.loads(row["words"])),
        State(row["state"]),
        row["created"],
        row["started"],
        row["ended"],
        row["attempts"],
        row["message"],
        tuple(json.loads(row["notices"])),
    )
