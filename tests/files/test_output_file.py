import os
import stat
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from bdmm.errors import InputError
from bdmm.files import output_file
from bdmm.files.output_file import appearing, check_output, locked, sweep, writing


def fail_half_way(path, error, folder):
    with appearing(path, folder=folder) as part:
        (part / "1.png" if folder else part).write_text("half")
        raise error


def test_a_file_appears_only_at_the_end(tmp_path):
    path = tmp_path / "a.png"
    with appearing(path) as part:
        part.write_text("new")
        assert part.parent == path.parent
        assert part.suffix == ".png"
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_whatever_stops_the_work_the_older_file_stays(tmp_path, error):
    path = tmp_path / "a.png"
    path.write_text("old")
    with pytest.raises(error):
        fail_half_way(path, error, folder=False)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with appearing(tmp_path / "frames", folder=True) as part:
        (part / "1.png").write_text("x")
    assert (tmp_path / "frames" / "1.png").exists()
    with pytest.raises(KeyError):
        fail_half_way(tmp_path / "more", KeyError, folder=True)
    assert [p.name for p in tmp_path.iterdir()] == ["frames"]


def test_the_file_has_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "usual").touch()
    with appearing(tmp_path / "a.png"):
        pass
    rights = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("usual", "a.png")]
    assert rights[0] == rights[1]


def test_check_output_leaves_nothing_behind(tmp_path):
    assert check_output(tmp_path / "a.mp4", (".mp4",)) == tmp_path / "a.mp4"
    assert list(tmp_path.iterdir()) == []


def test_check_output_names_each_mistake(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "in.mp4").touch()
    (tmp_path / "link.mp4").symlink_to(tmp_path / "in.mp4")
    for name, words in {
        "a.txt": "no known file type",
        "missing/a.mp4": "missing does not exist",
        "folder.mp4": "is a folder",
        "in.mp4": "would replace an input",
        "link.mp4": "would replace an input",
        "in.mp4/a.mp4": "does not exist",
    }.items():
        with pytest.raises(InputError, match=words):
            check_output(tmp_path / name, (".mp4",), [tmp_path / "in.mp4"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="not permitted"):
        check_output(tmp_path / "a.mp4", (".mp4",))


def test_a_folder_where_the_system_lets_nobody_write():
    with pytest.raises(InputError, match="Nothing can be written to /proc"):
        check_output("/proc/a.mp4", (".mp4",))


def test_a_full_disk_is_found_before_the_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(output_file.shutil, "disk_usage", lambda _: usage(10, 10, 0))
    with pytest.raises(InputError, match="the disk is full"):
        check_output(tmp_path / "a.mp4", (".mp4",))


def test_a_write_that_fills_the_disk_becomes_a_sentence(tmp_path):
    with (
        pytest.raises(InputError, match=r"could not be written: the disk is full"),
        writing(tmp_path / "a.mp4"),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")


HOLDS = """
import sys, time
from pathlib import Path
from bdmm.files.output_file import appearing

with appearing(Path(sys.argv[1]), folder=sys.argv[1].endswith("frames")) as part:
    (part / "1.png" if part.is_dir() else part).write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["a.png", "frames"])
def test_only_what_dead_processes_left_is_swept(tmp_path, name):
    command = [sys.executable, "-c", HOLDS, str(tmp_path / name)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (left,) = tmp_path.iterdir()
        sweep(tmp_path)
        assert list(tmp_path.iterdir()) == [left]
        process.kill()
        process.wait()
    (tmp_path / ".o-vacation.png").touch()
    with appearing(tmp_path / "b.png"):
        assert not left.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".o-vacation.png", "b.png"]


def test_a_folder_has_one_writer_and_a_dead_one_keeps_nobody_out(tmp_path):
    (tmp_path / ".lock").write_text("999999\n")
    with locked(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(InputError, match=f"process {os.getpid()}"), locked(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []
