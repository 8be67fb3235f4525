"""Files of scores come back, and damaged ones are refused."""

import os
from pathlib import Path

import pytest

from bdmm.errors import InputError
from bdmm.evaluation.jobs.scores import FrameRow, read_ends, read_rows, write_rows
from bdmm.files.outside import ROWS

LINE = ROWS.most("characters of a line")


def test_rows_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [FrameRow(number, {"all": {"psnr": 20.5, "odd": float("inf")}}) for number in range(3)]
    write_rows(path, {"clip": "a"}, rows, lambda _: {"more": 1})
    assert list(read_rows(path)) == rows
    assert read_ends(path) == ({"clip": "a"}, {"rows": 3, "more": 1})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"clip": "a"}\n{"frame": 1}\n',
        b'{"clip": "a"}\n{"frame": 1, "scores": {"all": 3}}\n',
        b'{"clip": "a"}\n{"frame": 1, "scores": {"all": {"psnr": 1' + b"0" * 400 + b"}}}\n",
        b'{"clip": "a"}\n' + b" " * (LINE + 1),
    ],
)
def test_damaged_rows_are_refused(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(text)
    with pytest.raises(InputError, match="evaluate again"):
        read_ends(path)
    if text.startswith(b'{"clip"'):
        with pytest.raises(InputError, match="evaluate again"):
            list(read_rows(path))


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a file"):
        read_ends(tmp_path / "pipe")
