"""The recipe of fit refinement: samples of clips, training, resuming, weights that load."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.batch.run import Run
from bdmm.data.synth import SynthOptions, synthesise
from bdmm.perception.fit_refiner import CHANNELS, SIDE, load_refiner
from bdmm.training.run_folder import read_log
from bdmm.training.run_state import load_latest

ROOT = Path(__file__).resolve().parents[2]


def program(folder: str, name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_samples_training_resuming_and_packing(tmp_path, monkeypatch) -> None:
    pytest.importorskip("lightning_fabric")
    recipe, packing = program("recipes", "train_refiner"), program("tools", "pack_refiner")
    synthesise(SynthOptions(1, size=96, frames=4, sources=0, truth=False), Run(tmp_path / "p"))

    def run(*words: str | Path) -> None:
        monkeypatch.setattr(sys, "argv", ["train_refiner.py", *map(str, words)])
        threads = torch.get_num_threads()
        recipe.main()
        torch.set_num_threads(threads)

    run("samples", tmp_path / "p", "-o", tmp_path / "samples")
    assert len(list((tmp_path / "samples").glob("*.safetensors"))) == 1
    training = ["train", tmp_path / "samples", "-o", tmp_path / "run", "--batch", "1"]
    run(*training, "--steps", "2")
    run(*training, "--steps", "3")
    latest = load_latest(tmp_path / "run")
    assert latest is not None
    assert latest.step == 3
    assert [line["step"] for line in read_log(tmp_path / "run")] == [2, 3]
    said = packing.pack(tmp_path / "run", tmp_path / "small.safetensors")
    assert "SHA-256" in said
    load_refiner(tmp_path / "small.safetensors")


def test_augmentation_turns_pictures_and_ways_alike() -> None:
    """A flow from each pixel to a landmark still ends at the landmark."""
    pytest.importorskip("lightning_fabric")
    recipe = program("recipes", "train_refiner")
    rows, columns = torch.meshgrid(torch.arange(96) * 2.0, torch.arange(96) * 2.0, indexing="ij")
    mark = torch.tensor([120.0, 80.0])
    flow = torch.stack((mark[0] - columns, mark[1] - rows, torch.ones_like(rows)))
    maps = torch.zeros(1, CHANNELS, SIDE, SIDE)
    maps[0, 3, 76:86, 116:126] = 1
    random = np.random.default_rng(2)
    for _ in range(6):
        sample = recipe.augmented(recipe.FitSample(maps, flow[None]), random)
        weight = sample.maps[0, 3].clamp(min=0)
        grid = torch.stack(torch.meshgrid(torch.arange(192.0), torch.arange(192.0), indexing="xy"))
        landmark = (grid * weight).sum((1, 2)) / weight.sum()
        known = sample.flow[0, 2] > 0.5
        ends = torch.stack((columns, rows))[:, known] + sample.flow[0, :2, known]
        assert (ends.median(dim=1).values - landmark).abs().max() < 2.5
