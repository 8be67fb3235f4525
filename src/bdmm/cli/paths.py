"""The paths of a command line: every input is compared with every output, whatever the command."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from bdmm.files.output_file import check_name, check_separate

OUTPUTS = ("output", "sheet", "save_motion", "export")
"""Options that name what is written; every other option that names a file is read."""
_LONGEST = 4096
"""Longer values of options are no paths."""


def check_paths(command: object) -> None:
    """Check that no output of a command replaces one of its inputs.

    Raises:
        InputError: an output does, or a name is impossible.
    """
    outputs: list[Path] = []
    inputs: list[Path] = []
    for name, path in _paths(command):
        check_name(path)
        (outputs if name in OUTPUTS else inputs).append(path)
    check_separate(outputs, inputs)


def _paths(options: object) -> Iterator[tuple[str, Path]]:
    """Yield the name of an option and a path that it may mean, also as NAME=PATH."""
    assert dataclasses.is_dataclass(options)
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            yield from _paths(value)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Path):
                yield field.name, one
            elif isinstance(one, str) and one and len(one) < _LONGEST:
                yield from ((field.name, Path(part)) for part in {one, one.partition("=")[2]})
