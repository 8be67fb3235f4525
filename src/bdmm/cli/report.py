"""What the command line says while it works: a bar on a terminal, else one line per stage.

With ``BDMM_PROGRESS=json`` in the environment progress is one JSON object per line of standard
error, ``{"stage": "Rendering", "done": 3, "total": 8}``, for programs that run bdmm.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bdmm.errors import InputError

if TYPE_CHECKING:
    from rich.progress import Progress

    from bdmm.batch.records import Record
    from bdmm.data.clip_batch import BatchReport, Failure


PROGRESS_VARIABLE = "BDMM_PROGRESS"
"""Environment variable that asks for progress as JSON."""
_JSON_SECONDS = 0.25
"""Progress as JSON comes no oftener, but for the first and last step of a stage."""


def say(text: str) -> None:
    """Print a result.

    Raises:
        InputError: standard output is closed or full.
    """
    if sys.stdout is None:
        raise InputError("The result cannot be printed: standard output is closed.")
    text = printable(text, kept="\n")
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        raise unprintable(error) from error


def printable(text: str, kept: str = "") -> str:
    """Return a text whose control characters, which file names may hold, are spelled out.

    Args:
        kept: control characters that stay.
    """
    return "".join(
        one if one.isprintable() or one in kept else one.encode("unicode_escape").decode()
        for one in text
    )


def unprintable(error: OSError) -> InputError:
    """Return the error for a standard output that fails, and write no more to it."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    reason = "it is closed" if isinstance(error, BrokenPipeError) else error.strerror or str(error)
    return InputError(f"The result cannot be written to standard output: {reason.lower()}.")


def warn(text: str) -> None:
    """Print a notice or a mistake."""
    with suppress(OSError):  # a closed standard error cannot report itself
        sys.stderr.write(f"bdmm: {printable(text)}\n")
        sys.stderr.flush()


def print_batch(report: "BatchReport", folder: object, seconds: float) -> None:
    """Print what was made, and a table of what failed and why.

    Raises:
        InputError: not a single clip is there.
    """
    for note in report.notes:
        warn(note)
    print_failures(report.failed)
    if not report.clips:
        raise InputError(f"No clip could be made; the first failed with: {report.failed[0].reason}")
    frames = sum(clip["frames"] for clip in report.clips)
    flagged = sum(clip["flagged"] for clip in report.clips)
    size = sum(clip["bytes"] for clip in report.clips)
    failed = f", {len(report.failed)} failed" if report.failed else ""
    say(
        f"{folder}: {len(report.clips)} clips ({report.made} new){failed}, {frames} frames, "
        f"{flagged / frames:.1%} of them flagged, {size / frames / 1000:.1f} kB per frame, "
        f"in {seconds:.0f} s."
    )


def print_failures(failed: "Sequence[Failure | Record]") -> None:
    """Print a table of what failed and why."""
    width = max((len(one.name) for one in failed), default=0)
    for one in failed:
        sys.stderr.write(f"  {one.name:<{width}}  {one.reason}\n")
    sys.stderr.flush()


class Report:
    """Shows the progress of stages; use it in a ``with`` statement and call it as progress goes.

    Args:
        quiet: show nothing.
        counts: without a bar, say of how many steps a stage consists.
    """

    def __init__(self, quiet: bool = False, counts: bool = True) -> None:
        self._quiet, self._counts = quiet, counts
        self._json = os.environ.get(PROGRESS_VARIABLE) == "json"
        self._bars = not quiet and not self._json and sys.stderr.isatty()
        self._said = 0.0
        self._stack = ExitStack()
        self._stage = ""
        self._begun = time.monotonic()

    def __enter__(self) -> "Report":
        """Begin to measure time."""
        if self._bars:
            self._progress = self._stack.enter_context(_bars())
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        self._stack.close()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show how far a stage has come.

        Args:
            stage: what is being done, in words; another one begins another bar.
            total: steps in all, None where that is not known.
        """
        begins = stage != self._stage
        self._stage = stage
        if self._json:
            self._say_json(stage, done, total, begins)
        elif self._bars:
            if begins:
                self._task = self._progress.add_task(printable(stage), total=total)
            self._progress.update(self._task, completed=done, total=total)
        elif begins and not self._quiet:
            count = f" ({total})" if self._counts and total and total > 1 else ""
            sys.stderr.write(f"{printable(stage)}{count}\n")
            sys.stderr.flush()

    def _say_json(self, stage: str, done: int, total: int | None, begins: bool) -> None:
        now = time.monotonic()
        if not begins and done != total and now - self._said < _JSON_SECONDS:
            return
        self._said = now
        sys.stderr.write(json.dumps({"stage": stage, "done": done, "total": total}) + "\n")
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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
