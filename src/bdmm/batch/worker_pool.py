"""Jobs in processes of their own: a job that fails, or that crashes its process, harms no other."""

import contextlib
import errno
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from bdmm.batch.threads import hold_threads, holding_threads
from bdmm.errors import InputError, Notice

Job = TypeVar("Job")
Result = TypeVar("Result")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


@dataclass(frozen=True)
class Outcome(Generic[Job, Result]):
    """The result of a job.

    Attributes:
        job: the job.
        reason: why it failed, in one sentence; empty where it didn't.
        no_room: it failed because nothing more can be written, so that all others would too.
    """

    job: Job
    result: Result | None = None
    reason: str = ""
    no_room: bool = False
    notes: tuple[str, ...] = ()


def run_jobs(
    work: Callable[[Job], Result], jobs: Sequence[Job], workers: int, threads: int = 1
) -> Iterator[Outcome[Job, Result]]:
    """Do jobs and yield their results in the order in which they end.

    Args:
        work: a function of a module, since it is sent to other processes.
        workers: number of processes; 0 works in this one, one job after the other.
        threads: of each process.
    """
    if workers == 0:
        with holding_threads(threads):
            for job in jobs:
                yield attempt(work, job)
        return
    crew = [_Worker(work, threads) for _ in range(min(workers, len(jobs)))]
    waiting = list(reversed(jobs))
    try:
        for worker in crew:
            worker.give(waiting.pop())
        while any(worker.busy for worker in crew):
            for worker in _ready(crew):
                yield worker.take()
                if waiting:
                    worker.give(waiting.pop())
    finally:
        for worker in crew:
            worker.stop()


def attempt(work: Callable[[Job], Result], job: Job) -> Outcome[Job, Result]:
    """Do a job and return its result or its failure; only Ctrl-C and the like are raised."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", Notice)
        try:
            result = work(job)
        except InputError as error:
            cause = error.__cause__
            full = isinstance(cause, OSError) and cause.errno in _NO_ROOM
            return Outcome(job, reason=str(error), no_room=full)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"A defect of the program: {error!r} in {place.name}, line {place.lineno}."
            return Outcome(job, reason=reason)
    notes = tuple(str(one.message) for one in caught if issubclass(one.category, Notice))
    return Outcome(job, result, notes=notes)


class _Worker(Generic[Job, Result]):
    """A process that takes one job after the other; a new one is started when it dies."""

    def __init__(self, work: Callable[[Job], Result], threads: int) -> None:
        self._order = work, threads
        self._jobs: list[Job] = []
        self.process, self.pipe = _start(*self._order)

    @property
    def busy(self) -> bool:
        return bool(self._jobs)

    def give(self, job: Job) -> None:
        self._jobs.append(job)
        with contextlib.suppress(OSError):  # a process that died is noticed by `take`
            self.pipe.send(job)

    def take(self) -> Outcome[Job, Result]:
        job = self._jobs.pop()
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            self.stop()
            self.process, self.pipe = _start(*self._order)
            return Outcome(job, reason=f"The process that worked on it ended with code {code}.")

    def stop(self) -> None:
        self.pipe.close()
        if self.process.is_alive():
            self.process.terminate()
        self.process.join()


def _ready(crew: Sequence[_Worker]) -> list[_Worker]:
    by_pipe = {worker.pipe: worker for worker in crew if worker.busy}
    return [by_pipe[pipe] for pipe in wait(list(by_pipe)) if isinstance(pipe, Connection)]


def _start(work: Callable, threads: int) -> tuple[BaseProcess, Connection]:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(work, threads, there), daemon=True)
    process.start()
    there.close()
    return process, here


def _serve(work: Callable, threads: int, pipe: Connection) -> None:
    """Do what comes through the pipe until it is closed, or until the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    hold_threads(threads)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        outcome = attempt(work, job)
        with contextlib.suppress(OSError):
            pipe.send(outcome)


def _end_with_parent() -> None:
    """End this process when its parent has ended, in the middle of whatever it does."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
