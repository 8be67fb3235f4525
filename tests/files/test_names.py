"""Names from outside never lead out of their folder."""

from pathlib import Path

import pytest

from bdmm.files.names import file_name, inner_path, is_file_name, remove_inside

LEADING_OUT = ("", ".", "..", "../x", "../..", "a/../..", "/etc", "a/../b", "..\\x", "\\x", "C:\\x",
               "C:x", "a\0b", "x" * 300)  # fmt: skip


@pytest.mark.parametrize("text", [*LEADING_OUT, "...mp4", "....", " ", "-", "a b", "\u00fc", "~"])
def test_whatever_comes_in_a_plain_name_comes_out(text: str, tmp_path: Path) -> None:
    name = file_name(text)
    assert is_file_name(name)
    assert not name.startswith(".")
    assert file_name(name) == name
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_names_that_differ_only_late_stay_apart() -> None:
    names = {file_name("\u732b" * 200 + end) for end in "ab"}
    assert len(names) == 2
    assert all(len(name.encode()) <= 180 for name in names)


@pytest.mark.parametrize("entry", LEADING_OUT)
def test_entries_that_lead_out_are_none(entry: str) -> None:
    assert inner_path(entry) is None


def test_entries_of_a_list() -> None:
    assert inner_path("001/1/2") == Path("001/1/2")
    assert inner_path("001\\1/2/") == Path("001/1/2")


@pytest.mark.parametrize("name", ["", ".", "..", "../kept", "/kept", "a/../../kept"])
def test_nothing_is_removed_outside_of_a_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="no name inside"):
        remove_inside(tmp_path / "folder", name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "kept"]


def test_of_a_link_the_link_alone_is_removed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_inside(tmp_path, "link")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]
    remove_inside(tmp_path, "kept")
    remove_inside(tmp_path, "not there")
    assert list(tmp_path.iterdir()) == []
