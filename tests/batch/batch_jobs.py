"""Work for worker processes to do in tests: importable by name from another process."""

import os
import signal
import warnings
from dataclasses import dataclass
from pathlib import Path

from bdmm.errors import InputError, Notice


@dataclass(frozen=True)
class Task:
    name: str
    kind: str = "good"


def do(task: Task) -> str:
    if task.kind == "wrong":
        raise InputError(f"{task.name} is wrong.")
    if task.kind == "noted":
        warnings.warn(f"{task.name} is odd.", Notice, stacklevel=1)
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
