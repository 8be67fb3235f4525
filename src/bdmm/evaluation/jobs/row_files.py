"""Numbers of frames on disk: one JSON line for each, written as they come.

A file's first line says what it is about, the last one that it is whole. Numbers that JSON does not
know are written as the texts ``nan``, ``inf`` and ``-inf``.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from bdmm.errors import InputError
from bdmm.evaluation.jobs.score import FrameRow
from bdmm.files.output_file import appearing, writing


def write_rows(
    path: Path,
    head: Mapping[str, Any],
    rows: Iterable[FrameRow],
    foot: Callable[[], Mapping[str, Any]] = dict,
) -> None:
    """Write rows as they come; the file appears when all are written.

    Args:
        path: the file.
        head: what it is about.
        rows: of one clip and system.
        foot: called at the end for what is then known.

    Raises:
        InputError: the disk is full and the like.
    """
    with appearing(path) as part:
        with writing(path):
            file = part.open("w", encoding="utf-8")
        with file:
            _write(path, file, head)
            count = 0
            for row in rows:
                _write(path, file, {"frame": row.frame, "scores": row.scores})
                count += 1
            _write(path, file, {"rows": count, **foot()})


def read_ends(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the first and the last line of a file.

    Raises:
        InputError: it is damaged.
    """
    first: str = ""
    last: str = ""
    with path.open(encoding="utf-8") as file:
        for line in file:
            first, last = first or line, line
    head, foot = _parse(path, first), _parse(path, last)
    if "rows" not in foot:
        raise InputError(f"{path} is cut off: remove it and evaluate again.")
    return head, foot


def read_rows(path: Path) -> Iterator[FrameRow]:
    """Yield the rows of a file.

    Raises:
        InputError: it is damaged.
    """
    with path.open(encoding="utf-8") as file:
        next(file, "")
        for line in file:
            row = _parse(path, line)
            if "rows" in row:
                return
            try:
                yield FrameRow(int(row["frame"]), as_scores(row["scores"]))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise _damaged(path) from error


def as_scores(values: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Read region -> metric -> number back from JSON."""
    return {
        region: {metric: float(value) for metric, value in metrics.items()}
        for region, metrics in values.items()
    }


def dump(content: object, indent: int | None = None) -> str:
    """Return strict JSON, numbers that it does not know as text."""
    return json.dumps(_strict(content), allow_nan=False, indent=indent, ensure_ascii=False)


def _write(path: Path, file: TextIO, content: object) -> None:
    with writing(path):
        file.write(dump(content) + "\n")


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _strict(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(one) for one in value]
    return value


def _parse(path: Path, line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(content, dict):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged: remove it and evaluate again.")
