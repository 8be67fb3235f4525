"""Threads that take jobs from the store, run their processes, and remove what has expired."""

import contextlib
import errno
import logging
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bdmm.files.names import remove_inside
from bdmm.files.output_file import MIN_FREE_BYTES, writing
from bdmm.serve.job_process import JobProcess, Progress, RunningJob
from bdmm.serve.jobs import Job, JobStore, Kind, State
from bdmm.serve.settings import Limits, Settings

DATABASE = "jobs.sqlite"
JOBS = "jobs"
"""Folder of the folders of jobs."""
ARRIVING = "arriving"
"""Folder of requests that are not jobs yet, and of uploads that are still read."""
RESULT = "result"
"""Folder in a job's folder that holds what was made."""
WAITING_INSPECTIONS = 4
"""So many inspections may wait for each animation that may."""
_SWEEP_SECONDS = 60.0
_RETRY_SECONDS = 2.0
_log = logging.getLogger(__name__)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Start = Callable[[Path, Sequence[str], Limits], RunningJob]
"""Starts a command line in a folder."""
Fill = Callable[[Path], list[str]]
"""Puts a job's inputs into a folder; returns the words of its command line."""


class DiskFullError(Exception):
    """The server's disk has no room for another job."""


class Crew:
    """Runs the jobs of a folder.

    Args:
        settings: its folder exists and is held by this process alone.
        start: starts a job in its folder, by default in a process on this machine.
    """

    def __init__(self, settings: Settings, start: Start = JobProcess) -> None:
        self.settings = settings
        self._start_job = start
        self._folder = settings.folder
        for name in (JOBS, ARRIVING):
            with writing(self._folder / name):
                (self._folder / name).mkdir(mode=0o700, exist_ok=True)
        self.store = JobStore(self._folder / DATABASE)
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._processes: dict[str, RunningJob] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Take up what an earlier server left, and work."""
        self.store.recover()
        self._clear(self._folder / ARRIVING, keep=())
        self._clear(self._folder / JOBS, keep=self.store.names())
        kinds = [Kind.INSPECTION, *[Kind.ANIMATION] * self.settings.workers]
        targets = [(self._work, (kind,)) for kind in kinds] + [(self._expire, ())]
        for target, arguments in targets:
            thread = threading.Thread(target=target, args=arguments, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End all processes; their jobs run again at the next start."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
            for process in self._processes.values():
                process.kill()
        for thread in self._threads:
            thread.join()
        self.store.close()

    def accept(self, kind: Kind, fill: Fill) -> Job:
        """Accept a job.

        Raises:
            QueueFullError: as many wait as may.
            DiskFullError: the disk is full.
            InputError: `fill` found a mistake of the user's.
        """
        identity = secrets.token_urlsafe(16).replace("-", "_")
        arriving, place = self._folder / ARRIVING / identity, self.folder(identity)
        most = self.settings.queue * (WAITING_INSPECTIONS if kind == Kind.INSPECTION else 1)
        check_room(self._folder)
        try:
            (arriving / RESULT).mkdir(parents=True)
            words = fill(arriving)
            arriving.rename(place)
            self.store.add(identity, kind, words, most)
        except Exception as error:
            self._remove(arriving)
            self._remove(place)
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise DiskFullError from error
            raise
        with self._changed:
            self._changed.notify_all()
        job = self.store.get(identity)
        assert job is not None
        return job

    def cancel(self, identity: str) -> None:
        """Cancel a job if it has not ended, and remove its files."""
        self.store.cancel(identity)
        with self._changed:
            process = self._processes.get(identity)
        if process is None:
            self._remove(self.folder(identity))
        else:
            process.kill()  # its thread removes the files

    def progress(self, identity: str) -> Progress | None:
        """Return how far a running job has come."""
        with self._changed:
            process = self._processes.get(identity)
        return None if process is None else process.progress

    def folder(self, identity: str) -> Path:
        """Return the folder of a job."""
        return self._folder / JOBS / identity

    def result(self, job: Job, name: str) -> Path | None:
        """Return a file that a job made, by its name without the suffix."""
        if job.state != State.DONE:
            return None
        return next((self.folder(job.id) / RESULT).glob(f"{name}.*"), None)

    def _work(self, kind: Kind) -> None:
        while not self._stopping.is_set():
            try:
                job = self.store.claim(kind)
            except sqlite3.Error:  # such as a full disk: later
                _log.exception("No job can be claimed.")
                self._stopping.wait(_RETRY_SECONDS)
                continue
            if job is not None:
                self._try(job)
                continue
            with self._changed:
                self._changed.wait(_RETRY_SECONDS)

    def _try(self, job: Job) -> None:
        """Run a job; whatever goes wrong, the next one gets its turn."""
        try:
            self._run(job)
        except Exception:
            _log.exception("A defect of the server ended the job %s.", job.id)
            reason = "A defect of the server ended this job; its operator finds more in the log."
            self._settle(lambda: self.store.finish(job.id, State.FAILED, reason))

    def _run(self, job: Job) -> None:
        folder = self.folder(job.id)
        try:
            with self._changed:
                if self._stopping.is_set():
                    self._settle(lambda: self.store.put_back(job.id))
                    return
                process = self._start_job(folder, job.words, self.settings.limits)
                self._processes[job.id] = process
            if self._is_cancelled(job):
                process.kill()
            reason, notices = process.wait(), process.notices
        except OSError as error:
            reason, notices = f"The job could not be started: {error.strerror}.", ()
        if self._stopping.is_set():
            self._settle(lambda: self.store.put_back(job.id))
        else:
            state = State.FAILED if reason else State.DONE
            self._settle(lambda: self.store.finish(job.id, state, reason, notices))
        with self._changed:
            self._processes.pop(job.id, None)
        if self._is_cancelled(job):
            self._remove(folder)

    def _is_cancelled(self, job: Job) -> bool:
        now = self.store.get(job.id)
        return now is None or now.state == State.CANCELLED

    def _settle(self, write: Callable[[], None]) -> None:
        """Write to the database, again and again while the disk is full."""
        while True:
            try:
                return write()
            except sqlite3.Error:
                _log.exception("The end of a job cannot be written down.")
                if self._stopping.wait(_RETRY_SECONDS):
                    return None  # it runs again after the next start

    def _expire(self) -> None:
        while not self._stopping.wait(min(_SWEEP_SECONDS, self.settings.keep_seconds)):
            with contextlib.suppress(sqlite3.Error):
                for identity in self.store.names(time.time() - self.settings.keep_seconds):
                    self._remove(self.folder(identity))
                    self.store.forget(identity)

    def _clear(self, folder: Path, keep: Iterable[str]) -> None:
        kept = set(keep)
        for path in folder.iterdir():
            if path.name not in kept:
                self._remove(path)

    def _remove(self, path: Path) -> None:
        try:
            remove_inside(path.parent, path.name)
        except OSError:
            _log.exception("%s cannot be removed.", path)


def check_room(folder: Path) -> None:
    """Check that a disk has room.

    Raises:
        DiskFullError: it has not.
    """
    if shutil.disk_usage(folder).free < MIN_FREE_BYTES:
        raise DiskFullError
