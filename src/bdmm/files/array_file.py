"""Named arrays from ``.npz`` files and from foreign pickles, of which no code is run."""

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bdmm.errors import InputError
from bdmm.files.outside import MIB, SMPL, Kind, reading
from bdmm.files.restricted_unpickler import read_pickle

SUFFIXES = (".npz", ".pkl")
"""The files that `read_arrays` reads."""


def read_arrays(path: Path, wanted: Collection[str], kind: Kind = SMPL) -> Mapping[str, Any]:
    """Return the entries of a file by name: arrays, or plain data where a pickle holds such.

    Args:
        path: an ``.npz`` file, or a ``.pkl`` file of one dictionary.
        wanted: the names that are read; others are passed over.

    Raises:
        InputError: it is missing, damaged, too large, or holds anything but data.
    """
    if path.suffix == ".pkl":
        stored = read_pickle(path, kind)
        if not isinstance(stored, dict):
            raise InputError(f"{path} is not a usable {kind.name}: it holds no dictionary.")
        return {name: stored[name] for name in wanted if name in stored}
    trouble = f"{path} is damaged, or holds objects instead of plain arrays."
    with reading(path, kind, trouble), np.load(path, allow_pickle=False) as file:
        names = [name for name in wanted if name in file.files]
        size = sum(_unpacked_bytes(file.zip, name) for name in names)
        if size > kind.most("unpacked bytes"):
            raise InputError(
                f"The {kind.name} {path} unpacks to {size / MIB:.0f} MiB; at most "
                f"{kind.most('unpacked bytes') // MIB} MiB are read."
            )
        return {name: file[name] for name in names}


def as_numbers(value: Any, dtype: type[np.floating], what: str) -> np.ndarray:
    """Return nested lists or an array from outside as an array of numbers.

    Args:
        what: begins the message: the file and the entry.

    Raises:
        InputError: it is no table of numbers, or a number is too large for the type.
    """
    try:
        if _leaves(value, {}) > _most_numbers(value, dtype):
            raise ValueError("too many numbers")
        with np.errstate(over="raise"):
            return np.asarray(value, dtype=dtype)
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise InputError(f"{what} is no table of numbers.") from error


def _unpacked_bytes(archive: zipfile.ZipFile, name: str) -> int:
    """Return how large an array becomes, by its own header."""
    entry = f"{name}.npy" if f"{name}.npy" in archive.namelist() else name
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return int(np.prod([float(n) for n in shape])) * dtype.itemsize


def _most_numbers(value: Any, dtype: type[np.floating]) -> int:
    if isinstance(value, np.ndarray):
        return SMPL.most("unpacked bytes") // np.dtype(dtype).itemsize
    return SMPL.most("numbers in lists")


def _leaves(value: Any, known: dict[int, int]) -> int:
    """Count the numbers in nested lists, what is shared as often as it is met."""
    if not isinstance(value, list | tuple):
        return np.size(value) if isinstance(value, np.ndarray) else 1
    if id(value) not in known:
        known[id(value)] = sum(_leaves(item, known) for item in value)
    return known[id(value)]
