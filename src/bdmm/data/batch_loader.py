"""Endless batches of prepared clips, from the batch on at which a run goes on."""

import atexit
import signal
import weakref
from collections.abc import Generator, Iterator
from itertools import islice

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from bdmm.data.batch import Batch, collate
from bdmm.data.clip_dataset import ClipDataset


class ShuffledIndices(Sampler[int]):
    """Endless indices of a dataset, every epoch in an order of its own, or one device's part.

    Args:
        first: indices, of all devices together, that were used before a run was stopped.
        rank: number of this device.
        devices: how many share the order.
    """

    def __init__(
        self, count: int, seed: int, first: int = 0, rank: int = 0, devices: int = 1
    ) -> None:
        self._count, self._seed, self._first = count, seed, first
        self._rank, self._devices = rank, devices

    def __iter__(self) -> Iterator[int]:
        """Yield indices without an end."""
        return islice(self._all(), self._rank, None, self._devices)

    def _all(self) -> Iterator[int]:
        epoch, skipped = divmod(self._first, self._count)
        while True:
            order = np.random.default_rng([self._seed, epoch]).permutation(self._count)
            for place in order[skipped:]:
                yield epoch * self._count + int(place)
            epoch, skipped = epoch + 1, 0


def load_batches(
    dataset: ClipDataset,
    size: int,
    workers: int = 0,
    first: int = 0,
    *,
    pin: bool = False,
    rank: int = 0,
    devices: int = 1,
) -> Iterator[Batch]:
    """Return a device's batches without an end: the same ones whatever the number of workers.

    Args:
        workers: processes that read ahead; 0 reads in this one.
        first: batches of this device to skip: those used before a run was stopped.
        pin: put batches into memory that a GPU can fetch from.
    """
    seed = dataset.sampling.seed
    indices = ShuffledIndices(len(dataset), seed, first * size * devices, rank, devices)
    loader = DataLoader(
        dataset,
        batch_size=size,
        sampler=indices,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        worker_init_fn=_leave_signals,
        generator=torch.Generator(),  # else it draws from the random state that a checkpoint keeps
    )
    batches = _endless(loader)
    atexit.register(_close, weakref.ref(batches))
    return batches


def _endless(loader: DataLoader) -> Generator[Batch, None, None]:
    yield from loader


def _close(batches: weakref.ref[Generator[Batch, None, None]]) -> None:
    """End the workers of batches that are still open when the process ends; it waits for them."""
    still_open = batches()
    if still_open is not None:
        still_open.close()


def _leave_signals(number: int) -> None:
    """Let a worker outlive Ctrl-C: its process ends after the step, and workers with it."""
    del number
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)
