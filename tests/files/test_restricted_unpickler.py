import collections
import io
import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from bdmm.errors import InputError
from bdmm.files.outside import Kind
from bdmm.files.restricted_unpickler import read_pickle


def save(path: Path, value: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_plain_data_comes_back(protocol: int, tmp_path: Path):
    value = {
        "float": np.random.default_rng(0).normal(size=(3, 4)),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        "big_endian": np.arange(3, dtype=">f4"),
        "flags": np.array([True, False]),
        "scalar": np.float64(2.5),
        "empty": np.zeros((0, 72), np.float32),
        "nested": [{"a": (1, 2.5, "ä", b"raw", None)}, np.ones(2)],
        "ordered": collections.OrderedDict(one=np.array([1]), two=2),
    }
    back = read_pickle(save(tmp_path / "data.pkl", value, protocol))
    for name in ("float", "fortran", "big_endian", "flags", "empty"):
        np.testing.assert_array_equal(back[name], value[name])
        assert back[name].dtype == value[name].dtype
    assert back["scalar"] == 2.5
    assert back["nested"][0]["a"] == [1, 2.5, "ä", b"raw", None]
    assert back["ordered"]["two"] == 2
    np.testing.assert_array_equal(back["ordered"]["one"], [1])


@pytest.mark.parametrize("kind", [scipy.sparse.csc_matrix, scipy.sparse.csr_matrix])
def test_sparse_matrices_come_back_dense(kind: type, tmp_path: Path):
    dense = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    back = read_pickle(save(tmp_path / "sparse.pkl", {"J": kind(dense)}))
    np.testing.assert_array_equal(back["J"], dense)


def test_chumpy_arrays_come_back_without_chumpy(tmp_path: Path):
    array = pickle.dumps({"x": np.arange(3.0)}, protocol=2)[2:-1]
    data = b"\x80\x02cchumpy.ch\nCh\n)\x81" + array + b"b."
    (tmp_path / "chumpy.pkl").write_bytes(data)
    np.testing.assert_array_equal(read_pickle(tmp_path / "chumpy.pkl"), np.arange(3.0))


def test_what_is_shared_is_resolved_once(tmp_path: Path):
    value: list = [np.ones(1)]
    for _ in range(60):
        value = [value, value]
    back = read_pickle(save(tmp_path / "laughs.pkl", value))
    assert back[0] is back[1]


class Runs:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


class Quiet:
    pass


def hostile(target: Path) -> dict[str, bytes]:
    command = f"open({str(target)!r}, 'w').close()"
    dumps = {
        "system": Runs(os.system, f"touch {target}"),
        "exec": Runs(exec, command),
        "open": Runs(open, str(target), "w"),
        "popen": Runs(subprocess.check_call, ["touch", str(target)]),
        "eval": Runs(eval, command),
        "numpy": Runs(np.save, str(target), 1),
        "fromfile": Runs(np.fromfile, str(target)),
        "loads": Runs(pickle.loads, pickle.dumps(Runs(os.system, f"touch {target}"))),
        "nested": {"pose": [np.ones(3), Runs(os.system, f"touch {target}")]},
        "class": Quiet(),
    }
    files = {name: pickle.dumps(value) for name, value in dumps.items()}
    files["dotted"] = b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.tofile\x93)R."
    files["instance"] = f"(S'touch {target}'\nios\nsystem\n.".encode()
    files["bare array"] = b"\x80\x02cnumpy\nndarray\n(K\x02t\x85R."
    files["objects"] = pickle.dumps(np.array([Quiet()], dtype=object))
    return files


@pytest.mark.parametrize("name", sorted(hostile(Path("nowhere"))))
def test_a_hostile_pickle_is_refused_and_does_nothing(name: str, tmp_path: Path):
    target = tmp_path / "made"
    path = tmp_path / "hostile.pkl"
    path.write_bytes(hostile(target)[name])
    with pytest.raises(InputError, match=r"hostile\.pkl") as caught:
        read_pickle(path)
    assert not target.exists()
    assert "\n" not in str(caught.value)


def test_the_hostile_examples_would_have_worked(tmp_path: Path):
    target = tmp_path / "made"
    pickle.load(io.BytesIO(hostile(target)["open"])).close()
    assert target.exists()


def test_damaged_files_and_missing_ones_are_named(tmp_path: Path):
    whole = pickle.dumps({"pose": np.ones((4, 72))})
    recursive: list = []
    recursive.append(recursive)
    for name, data in (
        ("cut.pkl", whole[: len(whole) // 2]),
        ("empty.pkl", b""),
        ("text.pkl", b"hello there"),
        ("loop.pkl", pickle.dumps(recursive)),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=name):
            read_pickle(tmp_path / name)
    with pytest.raises(InputError, match="absent"):
        read_pickle(tmp_path / "absent.pkl")


def test_a_memo_entry_far_away_takes_no_memory(tmp_path: Path):
    for data in (b"Nr\x00\x00\x00\x10.", b"Np268435456\n."):
        (tmp_path / "memo.pkl").write_bytes(data)
        with pytest.raises(InputError, match=r"memo\.pkl .* entry of its memo"):
            read_pickle(tmp_path / "memo.pkl")


def test_a_short_program_cannot_unpack_to_much(tmp_path: Path):
    array = pickle.dumps(np.zeros(1000))
    first = array[:-1] + b"\x94"
    bomb = {"a": [b"x" * 100] * 5}
    small = Kind("SMPL file", 10**6, {"unpacked bytes": 9000, "opcodes of a pickle": 200})
    assert read_pickle(save(tmp_path / "small.pkl", bomb), small) == bomb
    (tmp_path / "one.pkl").write_bytes(first + b".")
    assert read_pickle(tmp_path / "one.pkl", small).shape == (1000,)
    two = {"a": np.zeros(1000), "b": np.ones(1000)}
    with pytest.raises(InputError, match="more memory than is allowed"):
        read_pickle(save(tmp_path / "two.pkl", two), small)
    with pytest.raises(InputError, match="more than 200 opcodes"):
        read_pickle(save(tmp_path / "many.pkl", list(range(500))), small)


def test_a_sparse_matrix_whose_parts_disagree_is_refused(tmp_path: Path):
    matrix = scipy.sparse.csc_matrix(np.eye(3))
    matrix.indptr = np.array([0, 10**9, 10**9, 10**9])
    with pytest.raises(InputError, match="damaged"):
        read_pickle(save(tmp_path / "sparse.pkl", matrix))


def test_our_own_stand_ins_cannot_be_changed_by_a_file(tmp_path: Path):
    for name in (b"_reconstruct", b"ndarray", b"dtype"):
        data = b"\x80\x02cnumpy\n" + name + b"\nN}X\x07\x00\x00\x00resolveNs\x86b."
        (tmp_path / "build.pkl").write_bytes(data)
        with pytest.raises(InputError):
            read_pickle(tmp_path / "build.pkl")
    test_plain_data_comes_back(2, tmp_path)


@pytest.mark.parametrize(
    "program", [b"\x80\x02K\x01K\x02a.", b"\x80\x02K\x01)R.", b"\x80\x02K\x01}b."]
)
def test_a_pickle_that_calls_or_fills_a_number_is_damaged(program: bytes, tmp_path: Path):
    path = tmp_path / "a.pkl"
    path.write_bytes(program)
    with pytest.raises(InputError, match="damaged or not a pickle"):
        read_pickle(path)
