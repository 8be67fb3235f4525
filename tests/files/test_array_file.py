import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bdmm.errors import InputError
from bdmm.files.array_file import as_numbers, read_arrays
from bdmm.files.outside import Kind

TINY = Kind(
    "SMPL file",
    10_000,
    {"unpacked bytes": 1000, "opcodes of a pickle": 1000, "numbers in lists": 1000},
)


def test_wanted_entries_come_back(tmp_path: Path):
    table = {"pose": np.arange(6.0).reshape(2, 3), "other": np.zeros(3)}
    np.savez_compressed(tmp_path / "a.npz", **table)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(table))
    for name in ("a.npz", "a.pkl"):
        stored = read_arrays(tmp_path / name, ["pose", "absent"])
        assert list(stored) == ["pose"]
        np.testing.assert_array_equal(stored["pose"], table["pose"])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header_is_read(version: tuple[int, int], tmp_path: Path):
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w") as archive,
        archive.open("pose.npy", "w") as entry,
    ):
        np.lib.format.write_array(entry, np.ones(3), version=version)
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz", ["pose"])["pose"], np.ones(3))


def test_an_archive_that_unpacks_to_much_is_refused_by_its_headers(tmp_path: Path):
    np.savez_compressed(tmp_path / "bomb.npz", pose=np.zeros(200), cam=np.zeros(0))
    with pytest.raises(InputError, match=r"bomb\.npz unpacks to .* at most"):
        read_arrays(tmp_path / "bomb.npz", ["pose"], TINY)
    assert list(read_arrays(tmp_path / "bomb.npz", ["cam"], TINY)) == ["cam"]


@pytest.mark.parametrize("value", [[10**400], [1e300], ["a"], [[1, 2], [3]], {}, [{}], b"abc"])
def test_what_is_no_table_of_numbers_is_named(value: object):
    with pytest.raises(InputError, match=r"x\.json: the pose is no table of numbers"):
        as_numbers(value, np.float32, "x.json: the pose")


def test_lists_that_share_their_parts_are_counted_before_they_are_unfolded():
    value: list = [1.0]
    for _ in range(60):
        value = [value, value]
    with pytest.raises(InputError, match="no table of numbers"):
        as_numbers(value, np.float32, "the pose")
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(InputError, match="no table of numbers"):
        as_numbers(nested, np.float32, "the pose")


@pytest.mark.slow
def test_two_megabytes_that_unpack_to_over_two_gigabytes_take_little_memory(tmp_path: Path):
    path = tmp_path / "bomb.npz"
    head = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (300 * 2**20,)}
    np.lib.format.write_array_header_1_0(head, shape)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("pose.npy", "w", force_zip64=True) as file,
    ):
        file.write(head.getvalue())
        for _ in range(300):
            file.write(bytes(2**23))
    assert path.stat().st_size < 3 * 2**20
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="unpacks to 2400 MiB; at most 512 MiB"):
            read_arrays(path, ["pose"])
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
