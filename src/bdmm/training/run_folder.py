"""The folder of a run: its settings at the start, checkpoints, log and the weights to use.

RUN/run.json             the settings
RUN/checkpoints/         what is needed to go on
RUN/log.jsonl            one line per status
RUN/tensorboard/         the same as curves
RUN/samples/STEP.mp4     previews: source, truth and generated frames side by side
RUN/weights.safetensors  the averaged weights of the last checkpoint
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from bdmm.errors import InputError
from bdmm.files.output_file import check_folder, locked, write_whole, writing
from bdmm.files.outside import TEXT, parse_json, read_json
from bdmm.network.weights import FILE_NAME, save_weights
from bdmm.training.run_state import RunState, save_checkpoint
from bdmm.training.settings import TrainSettings, as_record, fits

SETTINGS = "run.json"
LOG = "log.jsonl"
CURVES = "tensorboard"


@contextmanager
def own(run: Path) -> Iterator[None]:
    """Make a folder where it is missing and keep other runs out of it.

    Raises:
        InputError: another run is at work in it, or it cannot be made.
    """
    with writing(run):
        run.mkdir(parents=True, exist_ok=True)
    check_folder(run)
    with locked(run):
        yield


def open_run(run: Path, settings: TrainSettings) -> None:
    """Check that a folder is empty or holds a run that these settings can go on with.

    Raises:
        InputError: it holds a run of another preset or other files, or cannot be written.
    """
    ours, theirs = as_record(settings), read_settings(run)
    if theirs is None and any(not path.name.startswith(".") for path in run.iterdir()):
        raise InputError(f"{run} holds other files, not a run of training: choose a new folder.")
    if theirs is not None and not fits(theirs, settings):
        raise InputError(
            f"{run} holds a run of the preset {theirs.get('preset')!r:.40} with other networks "
            f"than {settings.preset!r} has: choose another folder."
        )
    if ours != theirs:
        path = run / SETTINGS
        write_whole(path, json.dumps(ours, indent=2) + "\n")


def read_settings(run: Path) -> dict[str, Any] | None:
    """Return the settings that a run was started with, None where there is no run.

    Raises:
        InputError: the file is damaged.
    """
    path = run / SETTINGS
    if not path.is_file():
        return None
    settings = read_json(path, TEXT, f"{path} is damaged: choose another folder.")
    if not isinstance(settings, dict):
        raise InputError(f"{path} is damaged: choose another folder.")
    return settings


def store(run: Path, state: RunState, step: int) -> None:
    """Write the averaged weights, as ``bdmm animate --weights RUN`` takes them, and a checkpoint.

    Raises:
        InputError: the disk is full; earlier checkpoints stay.
    """
    save_weights(run / FILE_NAME, state.average.module.state_dict(), state.settings.network)
    save_checkpoint(run, state.checkpoint(step))


class Logbook:
    """Writes the log of a run; use it in a ``with`` statement.

    A run that goes on from an earlier step forgets what was noted after it, so that the log is
    that of a run which was never stopped.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, run: Path, step: int = 0) -> None:
        self._path = run / LOG
        kept = [line for line in read_log(run) if line["step"] <= step]
        write_whole(self._path, "".join(f"{json.dumps(line)}\n" for line in kept))
        with writing(run / CURVES):
            self._curves = SummaryWriter(run / CURVES, purge_step=step + 1)

    def __enter__(self) -> "Logbook":
        return self

    def __exit__(self, *error: object) -> None:
        self._curves.close()

    def note(self, step: int, losses: Mapping[str, float], status: Mapping[str, Any]) -> None:
        """Write a line and the points of the curves.

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
            line = parse_json(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    return lines
