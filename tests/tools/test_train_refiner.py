"""The recipe of the second look: samples of clips, training, going on, weights that load."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.data.clip_batch import Run
from bdmm.data.synth import SynthOptions, synthesise
from bdmm.perception.fit_refiner import CHANNELS, SIDE, load_refiner

ROOT = Path(__file__).resolve().parents[2]


def program(folder: str, name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_samples_training_going_on_and_packing(tmp_path, monkeypatch, capsys) -> None:
    pytest.importorskip("lightning_fabric")
    recipe, packing = program("recipes", "train_refiner"), program("tools", "pack_refiner")
    synthesise(SynthOptions(1, size=96, frames=4, sources=0, truth=False), Run(tmp_path / "p", 0))

    def run(*words: str | Path) -> None:
        monkeypatch.setattr(sys, "argv", ["train_refiner.py", *map(str, words)])
        threads = torch.get_num_threads()
        recipe.main()
        torch.set_num_threads(threads)

    run("samples", tmp_path / "p", "-o", tmp_path / "samples")
    assert len(list((tmp_path / "samples").glob("*.safetensors"))) == 1
    training = ["train", tmp_path / "samples", "-o", tmp_path / "run", "--batch", "1"]
    run(*training, "--steps", "2")
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert state["step"] == 2
    run(*training, "--steps", "3")
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 3
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [json.loads(line)["step"] for line in lines] == [2, 3]
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
