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


def _raise_in(module: str, error: type[Exception]) -> None:
    """Raise an error in a line of the named module."""
    exec("raise error", {"__name__": module, "error": error})


_DEFECTS = (AssertionError, AttributeError, ImportError, NameError, TypeError)


@pytest.mark.parametrize("error", _DEFECTS)
@pytest.mark.parametrize("module", ["bdmm.media.image", "bdmm_synth.bvh.file"])
def test_a_defect_of_this_package_is_not_called_a_damaged_file(error, module, tmp_path: Path):
    path = tmp_path / "a.txt"
    path.touch()
    with pytest.raises(error), reading(path, SMALL):
        _raise_in(module, error)


@pytest.mark.parametrize(
    ("module", "error"),
    [
        *(("safetensors.torch", error) for error in _DEFECTS),
        *(("bdmm.media.image", error) for error in (ValueError, KeyError, ZeroDivisionError)),
    ],
)
def test_other_errors_and_those_of_a_library_mean_a_damaged_file(module, error, tmp_path: Path):
    path = tmp_path / "a.txt"
    path.touch()
    with pytest.raises(InputError, match="of another kind"), reading(path, SMALL):
        _raise_in(module, error)


@pytest.mark.parametrize("error", [InputError("mine"), KeyboardInterrupt()])
def test_sentences_and_interruptions_pass_through(error, tmp_path: Path):
    path = tmp_path / "a.txt"
    path.touch()
    with pytest.raises(type(error)) as caught, reading(path, SMALL):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "1e999", "[" * 100_000, "{", "", "1" * 5000, "1" + "0" * 400]
)
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
