"""A job in a process of its own: limits, progress, and how it ended."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bdmm.serve import limited
from bdmm.serve.settings import GIB, Limits
from bdmm.serve.time_left import TimeLeft

LOG = "log.txt"
"""File in a job's folder: what its process said of a defect."""
_USER_ERROR = 2
_LONGEST_LINE = 2**16
_KEPT_LINES = 200
_NO_MEMORY = re.compile(
    r"MemoryError|bad_alloc|[Cc]annot allocate memory|can't allocate memory|[Oo]ut of memory"
    r"|[Mm]emory allocation|not enough memory|takes more memory than there is"
)


@dataclass(frozen=True)
class Progress:
    """How far a running job has come.

    Attributes:
        stage: what is being done, in words.
        done, total: its steps; total is None where it is not known.
        seconds_left: of the stage, None where it is unknown.
        job_seconds_left: of the job, an estimate; None where there is none.
    """

    stage: str = "Starting"
    done: int = 0
    total: int | None = None
    seconds_left: float | None = None
    job_seconds_left: float | None = None


class RunningJob(Protocol):
    """A job that was started somewhere; see `JobProcess`."""

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know although the job went on."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def wait(self) -> str:
        """Wait until it ends; return why it failed, one sentence, or nothing."""
        ...


class JobProcess:
    """A command of bdmm in a folder of its own, which ends with this process at the latest.

    Args:
        folder: where the command runs; relative paths in its words mean files there.
        words: of the command line.
    """

    def __init__(self, folder: Path, words: Sequence[str], limits: Limits) -> None:
        self._limits = limits
        self._folder = folder
        self._overdue = False
        self._progress = Progress()
        self._stage_start = (0.0, 0)
        self._start, self._time_left = time.monotonic(), TimeLeft(words)
        self._complaints: list[str] = []
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        most = (str(limits.memory_bytes), str(limits.file_bytes))
        launcher = (sys.executable, "-I", "-S", limited.__file__, str(os.getpid()), *most)
        self._process = subprocess.Popen(
            [*launcher, sys.executable, "-P", "-m", "bdmm", *words],
            cwd=folder,
            env={**os.environ, "BDMM_PROGRESS": "json", "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return self._progress

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know although the job went on."""
        return tuple(self._complaints)

    def kill(self) -> None:
        """End it at once."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> str:
        """Read what it says until it ends.

        Returns:
            Why it failed, one sentence; empty if it succeeded.
        """
        timer = threading.Timer(self._limits.seconds, self._end_overdue)
        timer.daemon = True
        timer.start()
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in iter(lambda: stream.readline(_LONGEST_LINE), b""):
                self._hear(line.decode(errors="replace").rstrip("\n"))
        code = self._process.wait()
        timer.cancel()
        return self._reason(code)

    def _end_overdue(self) -> None:
        self._overdue = True
        self.kill()

    def _hear(self, line: str) -> None:
        if line.startswith('{"stage": '):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                self._note(**json.loads(line))
                return
        if line.startswith("bdmm: "):
            self._complaints.append(line.removeprefix("bdmm: "))
        self._lines.append(line)

    def _note(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage != self._progress.stage:
            self._stage_start = (now, done)
        since, first = self._stage_start
        left = None
        if total is not None and done > first:
            left = (now - since) / (done - first) * (total - done)
        in_all = self._time_left.estimate(stage, done, total, now - self._start, left)
        self._progress = Progress(str(stage), int(done), total, left, in_all)

    def _reason(self, code: int) -> str:
        if code == 0:
            return ""
        if self._overdue:
            return (
                f"The job took more than {self._limits.seconds / 60:.3g} minutes and was ended: "
                "send a shorter driving video or a smaller size."
            )
        if any(_NO_MEMORY.search(line) for line in self._lines):
            return (
                f"The job needed more than {self._limits.memory_bytes / GIB:.3g} GiB of memory and "
                "was ended: send smaller files or a smaller size."
            )
        if code == _USER_ERROR and self._complaints:
            return self._complaints.pop()
        log = "\n".join(self._lines)
        with contextlib.suppress(OSError):
            (self._folder / LOG).write_text(log)
        ending = f"signal {-code}" if code < 0 else f"code {code}"
        return f"The job's process ended with {ending}; its operator finds more in {LOG}."
