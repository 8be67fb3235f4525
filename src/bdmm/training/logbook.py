"""What a run tells of itself: one JSON line per status, and curves for TensorBoard."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from bdmm.files.output_file import appearing, writing

LOG = "log.jsonl"
CURVES = "tensorboard"


class Logbook:
    """Writes the log of a run; use it in a ``with`` statement.

    A run that goes on from an earlier step forgets what was noted after it, so that the log is
    that of a run which was never stopped.

    Args:
        run: folder of the run.
        step: steps done before.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, run: Path, step: int = 0) -> None:
        self._path = run / LOG
        kept = [line for line in read_log(run) if line["step"] <= step]
        with appearing(self._path) as part, writing(self._path):
            part.write_text("".join(f"{json.dumps(line)}\n" for line in kept))
        with writing(run / CURVES):
            self._curves = SummaryWriter(run / CURVES, purge_step=step + 1)

    def __enter__(self) -> "Logbook":
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self._curves.close()

    def note(self, step: int, losses: Mapping[str, float], status: Mapping[str, Any]) -> None:
        """Write a line and the points of the curves.

        Args:
            step: steps done.
            losses: by name.
            status: whatever else JSON holds, such as seconds.

        Raises:
            InputError: the disk is full.
        """
        line = json.dumps({"step": step, **status, "losses": dict(losses)})
        with writing(self._path):
            with self._path.open("a") as file:
                file.write(f"{line}\n")
            for name, value in losses.items():
                self._curves.add_scalar(f"loss/{name}", value, step)
            for name, value in status.items():
                if isinstance(value, int | float):
                    self._curves.add_scalar(f"status/{name}", value, step)


def read_log(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log; one that was cut off is left out."""
    path = run / LOG
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    return lines
