"""A run can be stopped anywhere and goes on as if it had not been; its folder is its own."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from bdmm.config import PRESETS
from bdmm.data.batch import Batch
from bdmm.errors import InputError, Notice, TrainingDiverged
from bdmm.files.output_file import locked
from bdmm.losses.vgg19 import Vgg19
from bdmm.network.weights import load_weights
from bdmm.training.loop import Outcome, train
from bdmm.training.run_folder import read_log
from bdmm.training.run_state import checkpoints, load_latest
from bdmm.training.settings import TrainSettings

Batches = Callable[[int, int, int], Iterator[Batch]]


def _state(run: Path) -> dict[str, torch.Tensor]:
    checkpoint = load_latest(run)
    assert checkpoint is not None
    return dict(checkpoint.tensors)


def _same(one: Path, other: Path) -> bool:
    ours, theirs = _state(one), _state(other)
    assert ours.keys() == theirs.keys()
    return all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_two_and_two_steps_are_four_bit_for_bit(
    pixels_only: TrainSettings, batches: Batches, fabric: Fabric, tmp_path: Path
) -> None:
    settings = replace(pixels_only, save_every=2)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(settings, batches, whole, fabric) == Outcome(4, True)
    half = replace(settings, steps=2)
    assert train(half, batches, parts, fabric) == Outcome(2, True)
    torch.rand(5)
    assert not _same(whole, parts)
    assert train(settings, batches, parts, fabric) == Outcome(4, True)
    assert _same(whole, parts)
    logs = [read_log(run) for run in (whole, parts)]
    assert [[line["step"] for line in log] for log in logs] == [[1, 2, 3, 4]] * 2
    assert [line["losses"] for line in logs[0]] == [line["losses"] for line in logs[1]]
    assert {"seconds", "seconds_per_step", "seconds_left"} <= logs[0][0].keys()
    assert any((parts / "tensorboard").iterdir())
    config, tensors = load_weights(parts)
    assert config == settings.network
    assert all(torch.equal(_state(whole)[f"average.{k}"], v) for k, v in tensors.items())
    assert json.loads((parts / "run.json").read_text())["steps"] == 4


def test_a_damaged_checkpoint_costs_only_the_steps_since_the_one_before(
    pixels_only: TrainSettings, batches: Batches, fabric: Fabric, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(pixels_only, batches, whole, fabric)
    shutil.copytree(whole, cut)
    last = checkpoints(cut)[-1]
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.warns(Notice, match="step 3"):
        assert train(pixels_only, batches, cut, fabric) == Outcome(4, True)
    assert _same(whole, cut)
    assert [line["step"] for line in read_log(cut)] == [1, 2, 3, 4]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_after_the_step_with_a_checkpoint(
    pixels_only: TrainSettings,
    batches: Batches,
    fabric: Fabric,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    settings = replace(pixels_only, steps=3, save_every=100)
    before = signal.getsignal(number)

    def interrupted(first: int, rank: int, devices: int) -> Iterator[Batch]:
        yield from islice(batches(first, rank, devices), 1)
        os.kill(os.getpid(), number)
        yield from batches(first + 1, rank, devices)

    assert train(settings, interrupted, tmp_path / "run", fabric) == Outcome(2, False)
    assert signal.getsignal(number) == before
    assert [path.stem for path in checkpoints(tmp_path / "run")] == ["00000002"]
    assert train(settings, batches, tmp_path / "run", fabric) == Outcome(3, True)


def test_learning_lowers_the_loss(
    pixels_only: TrainSettings,
    batches: Batches,
    fabric: Fabric,
    tmp_path: Path,
) -> None:
    losses = replace(pixels_only.losses, spatial_adversarial=0.0, temporal_adversarial=0.0)
    settings = replace(pixels_only, losses=losses, steps=10, learning_rate=1e-2, save_every=100)
    flat = replace(next(batches(0, 0, 1)), target_frames=torch.full((1, 5, 3, 32, 32), 0.5))

    def same(*_: int) -> Iterator[Batch]:
        while True:
            yield flat

    told = []
    train(settings, same, tmp_path, fabric, progress=lambda *one: told.append(one))
    log = [line["losses"]["reconstruction"] for line in read_log(tmp_path)]
    assert log[-1] < 0.7 * log[0]
    assert told[-1] == ("training", 10, 10)


def test_lower_precision_learns_too(
    settings: TrainSettings, batches: Batches, vgg: Vgg19, tmp_path: Path
) -> None:
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    train(replace(settings, steps=1), batches, tmp_path, fabric, vgg)
    networks = {k: v for k, v in _state(tmp_path).items() if not k.startswith("random")}
    assert {value.dtype for value in networks.values()} == {torch.float32}
    assert all(bool(value.isfinite().all()) for value in networks.values())


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(
    pixels_only: TrainSettings, batches: Batches, fabric: Fabric, tmp_path: Path
) -> None:
    def poisoned(first: int, rank: int, devices: int) -> Iterator[Batch]:
        for number, batch in enumerate(batches(first, rank, devices), start=first):
            bad = number == 2
            yield replace(batch, target_frames=batch.target_frames * torch.nan) if bad else batch

    only = replace(pixels_only.losses, spatial_adversarial=0.0, temporal_adversarial=0.0)
    settings = replace(pixels_only, losses=only)
    with pytest.raises(TrainingDiverged, match="reconstruction loss is nan"):
        train(settings, poisoned, tmp_path, fabric)
    assert [path.stem for path in checkpoints(tmp_path)] == ["00000001", "00000002"]
    assert all(bool(v.isfinite().all()) for k, v in _state(tmp_path).items() if "random" not in k)


def test_a_folder_holds_one_run(
    pixels_only: TrainSettings, batches: Batches, fabric: Fabric, tmp_path: Path
) -> None:
    one = replace(pixels_only, steps=1)
    run = tmp_path / "deep" / "run"
    train(one, batches, run, fabric)
    other = replace(one, preset="paper", network=replace(PRESETS["paper"], window=5))
    with pytest.raises(InputError, match="holds a run of the preset 'tiny'"):
        train(other, batches, run, fabric)
    with locked(run), pytest.raises(InputError, match="Another run"):
        train(one, batches, run, fabric)
    assert train(one, batches, run, fabric) == Outcome(1, True)
    (run / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run.json is damaged"):
        train(one, batches, run, fabric)
    (run / "run.json").unlink()
    with pytest.raises(InputError, match="holds other files"):
        train(one, batches, run, fabric)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"):
        train(one, batches, tmp_path / "file" / "run", fabric)


def test_two_processes_make_one_run(
    pixels_only: TrainSettings, batches: Batches, tmp_path: Path
) -> None:
    settings = replace(pixels_only, steps=5)
    run, told = tmp_path / "run", tmp_path / "told"
    told.mkdir()

    def work(fabric: Fabric) -> None:
        torch.set_num_threads(1)

        def interrupted(first: int, rank: int, devices: int) -> Iterator[Batch]:
            yield from islice(batches(first, rank, devices), 1)
            if rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield from batches(first + 1, rank, devices)

        outcome = train(settings, interrupted, run, fabric)
        (told / str(fabric.global_rank)).write_text(f"{outcome}")

    Fabric(accelerator="cpu", devices=2, strategy="ddp_fork").launch(work)
    assert (told / "0").read_text() == str(Outcome(2, False, True))
    assert (told / "1").read_text() == str(Outcome(2, False, False))
    assert [line["step"] for line in read_log(run)] == [1, 2]
    assert not (run / ".lock").exists()
