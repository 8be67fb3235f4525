"""How many threads the libraries of this process may use."""

from collections.abc import Iterator
from contextlib import contextmanager

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
    import cv2
    import torch

    global _held
    before = _held, torch.get_num_threads(), cv2.getNumThreads()
    hold_threads(count)
    try:
        yield
    finally:
        _held = before[0]
        torch.set_num_threads(before[1])
        cv2.setNumThreads(before[2])
