"""How many threads the libraries of this process may use."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_held = 0


def held_threads() -> int:
    """Return to how many threads this process is held; 0 if libraries choose by the machine.

    What an encoder writes depends on the number of its threads.
    """
    return _held


def hold_threads(count: int) -> None:
    """Let PyTorch, OpenCV and video encoders work on so many threads in this process."""
    import cv2
    import torch

    global _held
    _held = count
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


@contextmanager
def holding_threads(count: int) -> Iterator[None]:
    """Do so during a ``with`` statement."""
    global _held
    before = _held
    try:
        with _restored_threads():
            hold_threads(count)
            yield
    finally:
        _held = before


@contextmanager
def half_the_cores() -> Iterator[None]:
    """Give each operation half of the cores, for work whose stages run side by side.

    On two cores that is one thread for each stage. A second thread in each operation made nothing
    faster there, took 1.4 times the processor time, and four times as much on a busy machine.
    Products of NumPy and SciPy get one thread: OpenBLAS keeps its others spinning between products,
    and two of ours that solve side by side wait for each other.
    """
    import cv2
    import torch

    with _restored_threads(), _libraries().limit(limits=1, user_api="blas"):
        torch.set_num_threads(max(1, torch.get_num_threads() // 2))
        cv2.setNumThreads(max(1, cv2.getNumThreads() // 2))
        yield


@contextmanager
def _restored_threads() -> Iterator[None]:
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


@cache
def _libraries() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  # brings an OpenBLAS of its own

    return ThreadpoolController()
