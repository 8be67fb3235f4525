"""Where detectors' weights lie, and how a user who asks for it gets them."""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from functools import partial
from http.client import HTTPResponse
from pathlib import Path

import torch

from bdmm.errors import InputError
from bdmm.files.output_file import appearing, check_folder, writing
from bdmm.metrics.weight_files import WeightFile, check_hash

VARIABLE = "BDMM_DETECTORS"
"""Environment variable that names the folder of detectors' weights."""

_CHUNK = 2**20
_PATIENCE = 60

Progress = Callable[[int, int | None], None]
"""Told (bytes so far, bytes in all or None where the server does not say)."""
Stages = Callable[[str, int, int | None], None]
"""Told what is fetched, and the same."""


class MissingDetector(InputError):  # noqa: N818
    """A metric's detector has no weights here; the sentence stands in the report instead of it."""


def torch_hub_folder() -> Path:
    """Return where torch hub keeps the weights that it downloads."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def detectors_folder(where: str | Path | None = None) -> Path:
    """Return the folder of detectors: the one given, else `VARIABLE`'s, else torch hub's."""
    return Path(where or os.environ.get(VARIABLE) or torch_hub_folder())


def find_weights(known: WeightFile, where: str | Path | None = None) -> Path:
    """Find a weights file in the folder of detectors, then in torch hub's.

    Args:
        known: what it should be; its other names are tried too.
        where: the file itself, or the folder of detectors.

    Raises:
        MissingDetector: it is in neither.
        InputError: ``where`` does not exist.
    """
    folder = detectors_folder(where)
    if folder.is_file():
        return folder
    if folder != torch_hub_folder() and not folder.is_dir():
        raise InputError(f"The folder of detectors {folder} does not exist; make it first.")
    for place in (folder, torch_hub_folder()):
        for name in (known.name, *known.other_names):
            if (place / name).is_file():
                return place / name
    raise MissingDetector(
        f"not computed: needs {known.name} ({known.what}; get it from {known.url} and put it into "
        f"{folder})"
    )


def download_weights(
    known: WeightFile, where: str | Path | None = None, progress: Progress | None = None
) -> Path:
    """Fetch a weights file into the folder of detectors; only ever called when a user asks.

    The file appears whole and with the right hash, or not at all. One that is there already stays.

    Args:
        known: what to fetch.
        where: the folder of detectors.
        progress: told after each piece.

    Returns:
        The file.

    Raises:
        InputError: it cannot be fetched or written, or what came is another file.
    """
    folder = detectors_folder(where)
    if folder == torch_hub_folder():
        folder.mkdir(parents=True, exist_ok=True)
    check_folder(folder)
    path = folder / known.name
    if path.exists():
        return path
    with appearing(path) as part:
        try:
            with urllib.request.urlopen(known.url, timeout=_PATIENCE) as answer:
                _copy(answer, part, path, progress)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", None) or error
            raise InputError(
                f"{known.name} could not be got from {known.url}: {reason}."
            ) from error
        check_hash(part, known, called=f"What came from {known.url}")
    return path


def download_missing(
    wanted: Iterable[WeightFile], where: str | Path | None = None, stages: Stages | None = None
) -> list[Path]:
    """Fetch those files that are not found; only ever called when a user asks.

    Args:
        wanted: what may be missing.
        where: the folder of detectors.
        stages: told after each piece.

    Returns:
        What was fetched.

    Raises:
        InputError: see `download_weights`.
    """
    fetched = []
    for known in wanted:
        try:
            find_weights(known, where)
        except MissingDetector:
            told = None if stages is None else partial(stages, f"Fetching {known.name}")
            fetched.append(download_weights(known, where, told))
    return fetched


def _copy(answer: HTTPResponse, part: Path, path: Path, progress: Progress | None) -> None:
    length = answer.length
    if length is not None and length > shutil.disk_usage(part.parent).free:
        raise InputError(f"There is no room for {path}: it takes {length / 2**20:.0f} MiB.")
    got = 0
    with part.open("wb") as file:
        while piece := answer.read(_CHUNK):
            with writing(path):
                file.write(piece)
            got += len(piece)
            if progress is not None:
                progress(got, length)
