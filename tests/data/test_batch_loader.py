"""One endless order of samples, shared by devices, read ahead by processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch

from bdmm.data.batch import Batch
from bdmm.data.batch_loader import ShuffledIndices, load_batches
from bdmm.data.clip_dataset import ClipDataset, Sampling


def _first(count: int, first: int, rank: int, devices: int) -> list[int]:
    return list(islice(ShuffledIndices(7, 3, first, rank, devices), count))


def test_devices_share_one_order() -> None:
    alone = _first(20, 0, 0, 1)
    assert sorted(alone[:7]) == list(range(7))
    parts = [_first(10, 0, rank, 2) for rank in (0, 1)]
    assert [index for pair in zip(*parts, strict=True) for index in pair] == alone


def test_a_later_start_goes_on_in_the_same_order() -> None:
    alone = _first(30, 0, 0, 1)
    for first in (0, 5, 7, 16):
        assert _first(6, first, 0, 1) == alone[first : first + 6]


class Endless(ClipDataset):
    """A dataset of one batch, without clips."""

    def __init__(self, batch: Batch) -> None:
        self.batch, self.sampling = batch, Sampling()

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Batch:
        del index
        return self.batch


def test_workers_outlive_a_signal_to_the_whole_group(clip_folder: Path) -> None:
    batch = ClipDataset([clip_folder], Sampling(6))[0]
    batches = load_batches(Endless(batch), 1, workers=1)
    first = next(batches)
    (worker,) = multiprocessing.active_children()
    assert worker.pid is not None
    for kind in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker.pid, kind)
    for _ in range(4):
        assert torch.equal(next(batches).target_frames, first.target_frames)


OPEN = """
import torch
from bdmm.data import batch_loader
from bdmm.data.clip_dataset import Sampling

class Numbers:
    sampling = Sampling()
    def __len__(self): return 10
    def __getitem__(self, index): return torch.tensor([index])

batch_loader.collate = torch.stack
batches = batch_loader.load_batches(Numbers(), 1, workers=2)
next(batches)
raise RuntimeError("with batches still open")
"""


@pytest.mark.slow
def test_a_process_that_fails_with_open_batches_ends() -> None:
    failed = subprocess.run(
        [sys.executable, "-c", OPEN], capture_output=True, text=True, timeout=120, check=False
    )
    assert failed.returncode == 1
    assert failed.stderr.strip().endswith("RuntimeError: with batches still open")


def test_the_random_state_of_a_checkpoint_is_left_alone(clip_folder: Path) -> None:
    batch = ClipDataset([clip_folder], Sampling(6))[0]
    before = torch.get_rng_state()
    next(load_batches(Endless(batch), 1))
    assert torch.equal(torch.get_rng_state(), before)
