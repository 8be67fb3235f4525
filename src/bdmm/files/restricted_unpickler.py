"""Read a stranger's pickle as data: nothing that the file names is ever imported or called.

Arrays, sparse matrices and chumpy's arrays are rebuilt by our own code from the raw numbers;
any other class in the file is refused.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from bdmm.errors import InputError

_PLAIN_KINDS = "biufSU"
_RUNNING = object()
_MAX_DENSE = 10**8
"""Largest sparse matrix, in elements, that is made dense."""


class _Placeholder:
    """What stands for an object while the pickle is read: keeps its parts, does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def resolve(self) -> Any:
        """Return the data that this stands for."""
        return None


class _DType(_Placeholder):
    def resolve(self) -> np.dtype:
        """Return the number type: ``'f8'`` with the byte order of state ``(3, '<', ...)``."""
        code = self.arguments[0]
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "|"
        dtype = np.dtype(str(code)).newbyteorder(order if order in ("<", ">", "=") else "=")
        if dtype.kind not in _PLAIN_KINDS:
            raise ValueError(f"arrays of type {code!r} are not plain numbers")
        return dtype


class _Array(_Placeholder):
    def resolve(self) -> np.ndarray:
        """Return the array of numpy's state ``(version, shape, dtype, fortran order, bytes)``."""
        shape, dtype, fortran, data = self.state[-4:]
        return _array_of(data, dtype.resolve(), shape, "F" if fortran else "C")


class _Buffer(_Placeholder):
    def resolve(self) -> np.ndarray:
        """Return the array of protocol 5's ``(bytes, dtype, shape, order)``."""
        data, dtype, shape, order = self.arguments
        return _array_of(data, dtype.resolve(), shape, "F" if order == "F" else "C")


class _Scalar(_Placeholder):
    def resolve(self) -> Any:
        """Return the single number of ``(dtype, bytes)``."""
        dtype, data = self.arguments
        return _array_of(data, dtype.resolve(), (), "C")[()]


class _Bytes(_Placeholder):
    def resolve(self) -> bytes:
        """Return bytes that Python 2's protocol wrote as text."""
        return str(self.arguments[0] if self.arguments else "").encode("latin1")


class _Dictionary(_Placeholder):
    """An ordered dictionary: the items that the file sets one by one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.items = dict(arguments[0]) if arguments else {}

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def resolve(self) -> dict:
        """Return the items."""
        return _plain(self.items)


class _Sparse(_Placeholder):
    """A compressed sparse matrix of scipy, by columns or by rows."""

    by_column = True

    def resolve(self) -> np.ndarray:
        """Return the dense matrix."""
        state = {str(key).lstrip("_"): _plain(value) for key, value in self.state.items()}
        rows, columns = (int(n) for n in state["shape"])
        if rows * columns > _MAX_DENSE:
            raise ValueError("a sparse matrix of absurd size")
        pointers, places = np.asarray(state["indptr"]), np.asarray(state["indices"])
        lines = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
        dense = np.zeros((rows, columns))
        where = (places, lines) if self.by_column else (lines, places)
        np.add.at(dense, where, np.asarray(state["data"]))
        return dense


class _SparseRows(_Sparse):
    by_column = False


class _Chumpy(_Placeholder):
    def resolve(self) -> Any:
        """Return the array inside: chumpy keeps the numbers in ``x``."""
        return _plain(self.state["x"])


class _NoInstance:
    """numpy's array class as a mere argument: it cannot be called."""

    def __new__(cls, *_: Any) -> "_NoInstance":
        raise pickle.UnpicklingError("a bare numpy.ndarray call is refused")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _reconstruct_old(kind: Any, *_: Any) -> _Placeholder:
    """Stand in for ``copyreg._reconstructor``, which makes objects in old protocols."""
    if not (isinstance(kind, type) and issubclass(kind, _Placeholder)):
        raise pickle.UnpicklingError("an object of an unknown class")
    return kind()


_NUMPY = {
    "_reconstruct": _reconstruct,
    "scalar": _Scalar,
    "_frombuffer": _Buffer,
    "ndarray": _NoInstance,
    "dtype": _DType,
}
_OTHER = {
    ("_codecs", "encode"): _Bytes,
    ("builtins", "bytes"): _Bytes,
    ("__builtin__", "bytes"): _Bytes,
    ("collections", "OrderedDict"): _Dictionary,
    ("copyreg", "_reconstructor"): _reconstruct_old,
    ("copy_reg", "_reconstructor"): _reconstruct_old,
    ("builtins", "object"): None,
    ("__builtin__", "object"): None,
}


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return our stand-in for the few names that data needs; refuse all others."""
        family = module.split(".")[0]
        if family == "numpy" and name in _NUMPY:
            return _NUMPY[name]
        if module.startswith("scipy.sparse") and name in ("csc_matrix", "csc_array"):
            return _Sparse
        if module.startswith("scipy.sparse") and name in ("csr_matrix", "csr_array"):
            return _SparseRows
        if family == "chumpy":
            return _Chumpy
        if (module, name) in _OTHER:
            return _OTHER[module, name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no data")


def read_pickle(path: Path) -> Any:
    """Return the dictionaries, lists, numbers and arrays of a pickle; sparse matrices come dense.

    Reads files of Python 2 too.

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read, is damaged, or holds anything but data.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return _plain(_InertUnpickler(io.BytesIO(data), encoding="latin1").load())
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is not a pickle of plain data and was not opened: {error}."
        ) from error
    except Exception as error:
        raise InputError(f"{path} is damaged or not a pickle of plain data.") from error


def _plain(value: Any, done: dict[int, Any] | None = None) -> Any:
    """Return the value with every stand-in resolved; what is shared is resolved once.

    Raises:
        ValueError: something contains itself.
    """
    done = {} if done is None else done
    if not isinstance(value, dict | list | tuple | _Placeholder):
        return value
    if id(value) in done:
        if done[id(value)] is _RUNNING:
            raise ValueError("something contains itself")
        return done[id(value)]
    done[id(value)] = _RUNNING
    if isinstance(value, dict):
        plain = {key: _plain(item, done) for key, item in value.items()}
    elif isinstance(value, _Placeholder):
        plain = value.resolve()
    else:
        plain = [_plain(item, done) for item in value]
    done[id(value)] = plain
    return plain


def _array_of(data: Any, dtype: np.dtype, shape: Any, order: Any) -> np.ndarray:
    """Return a copy of raw bytes as an array."""
    raw = data.resolve() if isinstance(data, _Bytes) else data
    raw = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
    return np.frombuffer(raw, dtype).reshape(tuple(int(n) for n in shape), order=order).copy()
