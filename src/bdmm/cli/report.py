"""What the command line says while it works: a bar on a terminal, else one line per stage."""

import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def say(text: str) -> None:
    """Print a result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """Print something to notice, beside the results."""
    sys.stderr.write(f"bdmm: {text}\n")
    sys.stderr.flush()


class Report:
    """Shows the progress of stages; use it in a ``with`` statement and call it as progress goes.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars = not quiet and sys.stderr.isatty()
        self._stack = ExitStack()
        self._stage = ""
        self._begun = time.monotonic()

    def __enter__(self) -> "Report":
        """Begin to measure time."""
        if self._bars:
            self._progress = self._stack.enter_context(_bars())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self._stack.close()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Tell how far a stage has come.

        Args:
            stage: what is being done, in words; another one begins another bar.
            done: steps done.
            total: steps in all, None where that is not known.
        """
        begins = stage != self._stage
        self._stage = stage
        if self._bars:
            if begins:
                self._task = self._progress.add_task(stage, total=total)
            self._progress.update(self._task, completed=done, total=total)
        elif begins and not self._quiet:
            count = f" ({total})" if total and total > 1 else ""
            sys.stderr.write(f"{stage}{count}\n")
            sys.stderr.flush()


def _bars() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as RichTask
    from rich.text import Text

    class Rate(ProgressColumn):
        """Steps per second."""

        def render(self, task: RichTask) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.1f}/s" if speed else "")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
