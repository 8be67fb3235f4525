"""Work for worker processes to do in tests: importable by name from another process."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from bdmm.errors import InputError


@dataclass(frozen=True)
class Task:
    name: str
    kind: str = "good"


def do(task: Task) -> str:
    if task.kind == "wrong":
        raise InputError(f"{task.name} is wrong.")
    if task.kind == "defect":
        raise ZeroDivisionError
    if task.kind == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if task.kind == "full":
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise InputError(f"{task.name} could not be written.") from error
    return f"{task.name} done"


def here(path: Path) -> None:
    path.touch()
