"""Everything that a run needs to go on, in files that are whole or not there.

A checkpoint is one safetensors file, ``RUN/checkpoints/STEP.safetensors``. Its metadata has one
key, ``bdmm``, whose value is JSON: format version, what the run counts, and a SHA-256 over the
tensors. The last two are kept; an older one is removed when a newer one is safely on the disk.
"""

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from bdmm.errors import InputError, Notice
from bdmm.files.output_file import writing
from bdmm.files.tensor_files import read_safetensors, write_safetensors
from bdmm.network.weights import digest

FOLDER = "checkpoints"
VERSION = 1
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A state of a run.

    Attributes:
        step: steps done.
        tensors: networks, optimisers, averages and random states, by name.
        record: what JSON holds: settings and counters.
    """

    step: int
    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]


def save_checkpoint(run: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, then remove all but the last two.

    Args:
        run: folder of the run.
        checkpoint: what is written.

    Returns:
        The file.

    Raises:
        InputError: the disk is full or the folder cannot be written; earlier ones stay.
    """
    folder = run / FOLDER
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{checkpoint.step:08d}.safetensors"
    description = {
        "version": VERSION,
        "step": checkpoint.step,
        "record": dict(checkpoint.record),
        "sha256": digest(checkpoint.tensors),
    }
    write_safetensors(path, checkpoint.tensors, {"bdmm": json.dumps(description)})
    with writing(path):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        for old in checkpoints(run)[:-KEPT]:
            old.unlink(missing_ok=True)
    return path


def checkpoints(run: Path) -> list[Path]:
    """Return the checkpoints of a run, oldest first."""
    return sorted(path for path in (run / FOLDER).glob("*.safetensors") if path.stem.isdigit())


def load_latest(run: Path) -> Checkpoint | None:
    """Read the newest whole checkpoint of a run; None where there is none at all.

    A damaged one is left where it is, and a `Notice` names it and the one that is used instead.

    Raises:
        InputError: there are checkpoints, and every one of them is damaged.
    """
    damaged: list[InputError] = []
    for path in reversed(checkpoints(run)):
        try:
            checkpoint = load_checkpoint(path)
        except InputError as error:
            damaged.append(error)
            continue
        for error in damaged:
            warnings.warn(
                f"{error} The run goes on from {path.name}, step {checkpoint.step}.",
                Notice,
                stacklevel=2,
            )
        return checkpoint
    if damaged:
        raise InputError(
            f"No checkpoint in {run / FOLDER} is whole: remove them to begin anew. {damaged[0]}"
        )
    return None


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint, on the CPU.

    Raises:
        InputError: it is damaged, cut off, or of another version.
    """
    metadata, tensors = read_safetensors(path)
    try:
        description = json.loads(metadata["bdmm"])
        step, record = int(description["step"]), dict(description["record"])
        version, sha256 = description["version"], description["sha256"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a checkpoint of bdmm.") from error
    if version != VERSION:
        raise InputError(f"{path} has the format version {version!r:.20}, not {VERSION}.")
    if sha256 != digest(tensors):
        raise InputError(f"{path} is damaged: its numbers do not match its checksum.")
    return Checkpoint(step, tensors, record)
