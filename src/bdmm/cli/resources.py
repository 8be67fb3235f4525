"""What the process takes of the machine: memory and threads."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
LARGE = 2**20
"""Bytes from which a block is handed back to the system as soon as it is freed."""


LARGEST_BLOCK = 32 * 2**20
"""Bytes of blocks that a network asks for again and again."""
_NETWORK_HEAP = 256 * 2**20
"""Bytes of the heap that may lie free meanwhile."""


def keep_heap_small() -> None:
    """Hand large freed blocks back to the system at once, and share heaps between threads.

    The GNU C library raises its own limit for such blocks to 32 MiB as it goes, so that pictures
    and tensors come to lie in heaps full of holes: an animation of 657 frames took 1780 MiB, and
    950 MiB with these settings. Other C libraries are left as they are.
    """
    _set_heap({_M_MMAP_THRESHOLD: LARGE, _M_TRIM_THRESHOLD: LARGE, _M_ARENA_MAX: 1})


def keep_network_blocks(largest: int = LARGEST_BLOCK) -> None:
    """Keep freed blocks, in place of `keep_heap_small`: for commands in which a network works.

    It asks for the same large blocks again and again, and each new page costs time: 180 frames of
    256x342 took 73 s and 1.2 GiB with a small heap, 42 s and 1.4 GiB like this.

    Args:
        largest: bytes of the largest blocks that are kept.
    """
    _set_heap({_M_MMAP_THRESHOLD: largest, _M_TRIM_THRESHOLD: _NETWORK_HEAP})


def hand_back_freed() -> None:
    """Hand what lies free in all heaps back to the system."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _set_heap(settings: dict[int, int]) -> None:
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for parameter, value in settings.items():
        mallopt(parameter, value)


def use_one_thread() -> None:
    """Work out geometry on one thread.

    It is thousands of small operations: threads that wait for each other make it slower on a busy
    machine, and hardly faster on an idle one.
    """
    import torch  # late, since it takes seconds

    torch.set_num_threads(1)
