"""The folder of a run: its settings at the start, checkpoints, log and the weights to use.

RUN/run.json             the settings
RUN/checkpoints/         what is needed to go on
RUN/log.jsonl            one line per status
RUN/tensorboard/         the same as curves
RUN/samples/STEP.mp4     source, truth and generated frames side by side
RUN/weights.safetensors  the averaged weights of the last checkpoint
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bdmm.errors import InputError
from bdmm.files.output_file import appearing, check_folder, locked, writing
from bdmm.files.outside import TEXT, read_json
from bdmm.network.weights import FILE_NAME, save_weights
from bdmm.training.checkpoint import save_checkpoint
from bdmm.training.learner import Learner
from bdmm.training.settings import FIXED, TrainSettings, as_record

SETTINGS = "run.json"


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

    Args:
        run: the folder, `own`.
        settings: of the run; they are written into it.

    Raises:
        InputError: it holds a run of another preset or other files, or cannot be written.
    """
    ours, theirs = as_record(settings), read_settings(run)
    if theirs is None and any(not path.name.startswith(".") for path in run.iterdir()):
        raise InputError(f"{run} holds other files, not a run of training: choose a new folder.")
    if theirs is not None and any(theirs.get(name) != ours[name] for name in FIXED):
        raise InputError(
            f"{run} holds a run of the preset {theirs.get('preset')!r:.40} with other networks "
            f"than {settings.preset!r} has: choose another folder."
        )
    if ours != theirs:
        path = run / SETTINGS
        with appearing(path) as part, writing(path):
            part.write_text(json.dumps(ours, indent=2) + "\n")


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


def store(run: Path, learner: Learner, step: int) -> None:
    """Write the averaged weights, as ``bdmm animate --weights RUN`` takes them, and a checkpoint.

    Raises:
        InputError: the disk is full; earlier checkpoints stay.
    """
    save_weights(run / FILE_NAME, learner.average.tensors, learner.settings.network)
    save_checkpoint(run, learner.checkpoint(step))
