"""Gradients of several batches: the same on one device and on two."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from bdmm.data.batch import Batch
from bdmm.files.tensor_files import read_safetensors, write_safetensors
from bdmm.losses.vgg19 import Vgg19
from bdmm.training.run_state import RunState
from bdmm.training.settings import TrainSettings

Batches = Callable[[int, int, int], Iterator[Batch]]


def _learned(state: RunState) -> dict[str, torch.Tensor]:
    """Weights and Adam's first moments, which are the averaged gradients' traces."""
    tensors = state.checkpoint(1).tensors
    return {name: value for name, value in tensors.items() if not name.startswith("random")}


def _close(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        if name.endswith("exp_avg"):
            scale = float(value.abs().max()) + 1e-4
            assert torch.allclose(value, theirs[name], rtol=1e-3, atol=1e-3 * scale), name


def test_accumulated_batches_are_one_larger_batch(
    pixels_only: TrainSettings, make_batch: Callable[[int], Batch], fabric: Fabric
) -> None:
    from bdmm.data.batch import collate

    # A gentle rate: Adam's first updates amplify rounding.
    settings = replace(pixels_only, learning_rate=1e-6)
    one, two = make_batch(0), make_batch(1)
    apart, together = RunState(settings), RunState(settings)
    terms = apart.train_step([one, two], 0, fabric)
    joined = together.train_step([collate([one, two])], 0, fabric)
    _close(_learned(apart), _learned(together))
    assert terms.keys() == joined.keys()
    for name, value in terms.items():
        assert abs(value - joined[name]) < 1e-4 * abs(value), name


def test_two_processes_give_the_gradients_of_one(
    settings: TrainSettings, batches: Batches, vgg: Vgg19, fabric: Fabric, tmp_path: Path
) -> None:
    settings = replace(settings, learning_rate=1e-6)
    feed = batches(0, 0, 1)
    alone = RunState(settings, vgg=vgg)
    alone.train_step([next(feed), next(feed)], 0, fabric)

    pair = Fabric(accelerator="cpu", devices=2, strategy="ddp_fork")

    def work(fabric: Fabric) -> None:
        torch.set_num_threads(1)
        state = RunState(settings, vgg=vgg)
        feed = batches(0, fabric.global_rank, fabric.world_size)
        state.train_step([next(feed)], 0, fabric)
        write_safetensors(tmp_path / str(fabric.global_rank), _learned(state), {})

    pair.launch(work)
    first, second = (read_safetensors(tmp_path / str(rank))[1] for rank in (0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    _close(_learned(alone), first)
