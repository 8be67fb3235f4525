"""Batches for one of several devices, from the step on at which a run goes on."""

import signal
from collections.abc import Iterator
from itertools import islice

from torch.utils.data import DataLoader, Sampler

from bdmm.data.batch import Batch, collate
from bdmm.data.clip_dataset import ClipDataset, ShuffledIndices


class SharedIndices(Sampler[int]):
    """Every device's own part of one endless order of indices.

    Args:
        count: samples of an epoch.
        seed: decides the order.
        first: indices, of all devices together, that were used before a run was stopped.
        rank: number of this device.
        devices: how many there are.
    """

    def __init__(self, count: int, seed: int, first: int, rank: int, devices: int) -> None:
        self._order = ShuffledIndices(count, seed, first)
        self._rank, self._devices = rank, devices

    def __iter__(self) -> Iterator[int]:
        """Yield indices without an end."""
        return islice(iter(self._order), self._rank, None, self._devices)


def feed(
    dataset: ClipDataset,
    size: int,
    first: int = 0,
    *,
    workers: int = 0,
    rank: int = 0,
    devices: int = 1,
    pin: bool = False,
) -> Iterator[Batch]:
    """Yield a device's batches without an end: the same ones whatever the number of workers.

    Args:
        dataset: the samples.
        size: samples of a batch.
        first: batches of this device to skip: those used before a run was stopped.
        workers: processes that read ahead; 0 reads in this one.
        rank: number of this device.
        devices: how many there are.
        pin: put batches into memory that a GPU can fetch from.
    """
    seed = dataset.sampling.seed
    indices = SharedIndices(len(dataset), seed, first * size * devices, rank, devices)
    loader = DataLoader(
        dataset,
        batch_size=size,
        sampler=indices,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        worker_init_fn=_leave_signals,
    )
    yield from loader


def _leave_signals(number: int) -> None:
    """Let a worker outlive Ctrl-C: its process ends after the step, and workers with it."""
    del number
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)
