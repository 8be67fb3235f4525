"""Read a stranger's pickle as data: nothing that the file names is ever imported or called.

Arrays, sparse matrices and chumpy's arrays are rebuilt by our own code from the raw numbers;
any other class in the file is refused.
"""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bdmm.errors import InputError
from bdmm.files.outside import SMPL, Kind, reading

_PLAIN_KINDS = "biufSU"
_RUNNING = object()


class _Resolver:
    """Turns placeholders into data, of bounded size; what is shared is resolved once."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._done: dict[int, Any] = {}

    def take(self, size: int) -> None:
        """Count bytes that are about to be used.

        Raises:
            UnpicklingError: they are too many in all.
        """
        self._left -= size
        if self._left < 0:
            raise pickle.UnpicklingError("it unpacks to more memory than is allowed")

    def plain(self, value: Any) -> Any:
        """Return the value with every placeholder resolved.

        Raises:
            ValueError: something contains itself.
        """
        if not isinstance(value, dict | list | tuple | _Placeholder):
            return value
        if id(value) in self._done:
            if self._done[id(value)] is _RUNNING:
                raise ValueError("something contains itself")
            return self._done[id(value)]
        self._done[id(value)] = _RUNNING
        if isinstance(value, dict):
            plain = {key: self.plain(item) for key, item in value.items()}
        elif isinstance(value, _Placeholder):
            plain = value.resolve(self)
        else:
            plain = [self.plain(item) for item in value]
        self._done[id(value)] = plain
        return plain

    def array(self, data: Any, dtype: Any, shape: Any, order: Literal["C", "F"]) -> np.ndarray:
        """Return a copy of raw bytes as an array."""
        raw = self.plain(data) if isinstance(data, _Bytes) else data
        self.take(len(raw))
        raw = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        sides = tuple(int(n) for n in shape)
        return np.frombuffer(raw, self.plain(dtype)).reshape(sides, order=order).copy()


class _Placeholder:
    """What stands for an object while the pickle is read: keeps its parts, does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def resolve(self, resolver: _Resolver) -> Any:
        """Return the data that this stands for."""
        return None


class _DType(_Placeholder):
    def resolve(self, resolver: _Resolver) -> np.dtype:
        """Return the number type: ``'f8'`` with the byte order of state ``(3, '<', ...)``."""
        code = self.arguments[0]
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "|"
        dtype = np.dtype(str(code)).newbyteorder(order if order in ("<", ">", "=") else "=")
        if dtype.kind not in _PLAIN_KINDS:
            raise ValueError(f"arrays of type {code!r} are not plain numbers")
        return dtype


class _Array(_Placeholder):
    def resolve(self, resolver: _Resolver) -> np.ndarray:
        """Return the array of numpy's state ``(version, shape, dtype, fortran order, bytes)``."""
        shape, dtype, fortran, data = self.state[-4:]
        return resolver.array(data, dtype, shape, "F" if fortran else "C")


class _Buffer(_Placeholder):
    def resolve(self, resolver: _Resolver) -> np.ndarray:
        """Return the array of protocol 5's ``(bytes, dtype, shape, order)``."""
        data, dtype, shape, order = self.arguments
        return resolver.array(data, dtype, shape, "F" if order == "F" else "C")


class _Scalar(_Placeholder):
    def resolve(self, resolver: _Resolver) -> Any:
        """Return the single number of ``(dtype, bytes)``."""
        dtype, data = self.arguments
        return resolver.array(data, dtype, (), "C")[()]


class _Bytes(_Placeholder):
    def resolve(self, resolver: _Resolver) -> bytes:
        """Return bytes that Python 2's protocol wrote as text."""
        text = self.arguments[0] if self.arguments else ""
        if not isinstance(text, str):
            raise ValueError("bytes that are no text")
        resolver.take(len(text))
        return text.encode("latin1")


class _Dictionary(_Placeholder):
    """An ordered dictionary: the items that the file sets one by one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.items = dict(arguments[0]) if arguments else {}

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def resolve(self, resolver: _Resolver) -> dict:
        """Return the items."""
        return resolver.plain(self.items)


class _Sparse(_Placeholder):
    """A compressed sparse matrix of scipy, by columns or by rows."""

    by_column = True

    def resolve(self, resolver: _Resolver) -> np.ndarray:
        """Return the dense matrix."""
        state = {str(key).lstrip("_"): resolver.plain(value) for key, value in self.state.items()}
        rows, columns = (int(n) for n in state["shape"])
        resolver.take(8 * rows * columns)
        pointers, places = np.asarray(state["indptr"]), np.asarray(state["indices"])
        counts = np.diff(pointers)
        if counts.min(initial=0) < 0 or counts.sum() != len(places):
            raise ValueError("a sparse matrix whose parts contradict each other")
        lines = np.repeat(np.arange(len(counts)), counts)
        dense = np.zeros((rows, columns))
        where = (places, lines) if self.by_column else (lines, places)
        np.add.at(dense, where, np.asarray(state["data"]))
        return dense


class _SparseRows(_Sparse):
    by_column = False


class _Chumpy(_Placeholder):
    def resolve(self, resolver: _Resolver) -> Any:
        """Return the array inside: chumpy keeps the numbers in ``x``."""
        return resolver.plain(self.state["x"])


class _NoInstance(_Placeholder):
    """numpy's array class as a mere argument: it cannot be called."""

    def __new__(cls, *_: Any) -> "_NoInstance":
        raise pickle.UnpicklingError("a bare numpy.ndarray call is refused")


class _Reconstructor(_Placeholder):
    """``copyreg._reconstructor``, which makes objects in old protocols."""

    def __new__(cls, kind: Any, *_: Any) -> _Placeholder:
        if not (isinstance(kind, type) and issubclass(kind, _Placeholder)):
            raise pickle.UnpicklingError("an object of an unknown class")
        return kind()


_NUMPY = {
    "_reconstruct": _Array,
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
    ("copyreg", "_reconstructor"): _Reconstructor,
    ("copy_reg", "_reconstructor"): _Reconstructor,
    ("builtins", "object"): None,
    ("__builtin__", "object"): None,
}


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return our placeholder for the few names that data needs; refuse all others."""
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


def read_pickle(path: Path, kind: Kind = SMPL) -> Any:
    """Return the dictionaries, lists, numbers and arrays of a pickle; sparse matrices come dense.

    Reads files of Python 2 too.

    Args:
        kind: what it should be; bounds its size, its opcodes and the data in it.

    Raises:
        InputError: it cannot be read, is damaged, too large, or holds anything but data.
    """
    with reading(path, kind, f"{path} is damaged or not a pickle of plain data."):
        try:
            data = path.read_bytes()
            _check_opcodes(data, kind.most("opcodes of a pickle"))
            stored = _InertUnpickler(io.BytesIO(data), encoding="latin1").load()
            return _Resolver(kind.most("unpacked bytes")).plain(stored)
        except pickle.UnpicklingError as error:
            raise InputError(
                f"{path} is not a pickle of plain data and was not opened: {error}."
            ) from error
        except (AttributeError, TypeError) as error:  # the file calls a number, or appends to it
            raise ValueError("a pickle that contradicts itself") from error


def _check_opcodes(data: bytes, most: int) -> None:
    """Refuse a program that takes much memory for its size: many opcodes, a distant memo entry.

    Raises:
        UnpicklingError: it is one.
    """
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if count >= most:
            raise pickle.UnpicklingError(f"it has more than {most} opcodes")
        if opcode.name.endswith("PUT") and (argument or 0) > most:
            raise pickle.UnpicklingError("it names an absurd entry of its memo")
