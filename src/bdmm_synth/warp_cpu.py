"""Arrays and kernels of warp-lang in the memory of the CPU; importing this starts warp-lang."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp

from bdmm.files.warp_lang import start_warp

start_warp()

Struct = Any
"""A kernels' struct (``wp.struct``) with its fields set; see `filled`."""


def array(values: np.ndarray, dtype: Any) -> wp.array:
    """Copy values to an array for kernels.

    Args:
        values: numbers; of vectors or matrices the last axes are their components.
        dtype: warp-lang's type of one element.
    """
    return wp.array(values, dtype=dtype, device="cpu")


def shared(values: np.ndarray, dtype: Any) -> wp.array:
    """Let kernels read and write the memory of ``values``; see `array`."""
    return wp.array(values, dtype=dtype, device="cpu", copy=False)


def vectors(values: np.ndarray) -> wp.array:
    """Copy ``n 3`` values to an array of vectors."""
    return array(np.ascontiguousarray(values, np.float32), wp.vec3)


def zeros(shape: int | tuple[int, ...], dtype: Any) -> wp.array:
    """Return an array of zeros; see `array`."""
    return wp.zeros(shape, dtype=dtype, device="cpu")


def launch(kernel: Any, size: int | tuple[int, ...], inputs: Sequence[Any]) -> None:
    """Run a kernel ``size`` times, one thread index each."""
    wp.launch(kernel, size, inputs=inputs, device="cpu")


def filled(kind: Any, **fields: Any) -> Struct:
    """Return a struct of a kind (a class with ``wp.struct``) with its fields set."""
    struct = kind()
    for name, value in fields.items():
        setattr(struct, name, value)
    return struct
