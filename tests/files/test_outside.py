import errno
import os
from pathlib import Path

import pytest

from bdmm.errors import InputError
from bdmm.files.outside import KINDS, Kind, read_json, reading

SMALL = Kind("small file", 10)


def test_a_file_within_its_bounds_is_read(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("0123456789")
    with reading(path, SMALL) as same:
        assert same.read_text() == "0123456789"


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    for name in ("fifo", "folder", "dangling", "absent", "file/in a file"):
        path = tmp_path / name
        sentence = f"The small file {path} does not exist or is not a file."
        with pytest.raises(InputError, match=sentence), reading(path, SMALL):
            pytest.fail("it was opened")
    for path in (tmp_path / "loop", tmp_path / ("x" * 300), Path("/dev/null")):
        with pytest.raises(InputError), reading(path, SMALL):
            pytest.fail("it was opened")


def test_a_large_file_is_refused_unread(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("01234567890")
    with pytest.raises(InputError, match="at most"), reading(path, SMALL):
        pytest.fail("it was opened")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("odd"), "of another kind"),
        (RecursionError(), "of another kind"),
        (RuntimeError("libavif"), "of another kind"),
        (OverflowError(), "of another kind"),
        (AssertionError("PyTorch's own"), "of another kind"),
        (OSError("no number"), "of another kind"),
        (MemoryError(), "more memory than there is"),
        (PermissionError(errno.EACCES, "x"), "cannot be read: permission denied"),
    ],
)
def test_whatever_a_parser_raises_becomes_a_sentence(error, words, tmp_path: Path):
    path = tmp_path / "a.txt"
    path.touch()
    with pytest.raises(InputError, match=words) as caught, reading(path, SMALL):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [InputError("mine"), KeyboardInterrupt()])
def test_sentences_and_interruptions_pass_through(error, tmp_path: Path):
    path = tmp_path / "a.txt"
    path.touch()
    with pytest.raises(type(error)) as caught, reading(path, SMALL):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "1e999", "[" * 100_000, "{", "", "1" * 5000])
def test_json_has_finite_numbers_and_sane_depth(text: str, tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match="is odd"):
        read_json(path, Kind("text file", 10**6), f"{path} is odd.")


def test_every_bound_stands_in_the_table_of_the_documentation():
    text = (Path(__file__).parents[2] / "docs" / "bounds.md").read_text()
    for kind in KINDS:
        assert f"| {kind.name} |" in text
        for counted, most in kind.limits.items():
            assert f"{most:,} {counted}" in text, (kind.name, counted)
