"""The weights that ship: whole, small, described, and made for the preset of their name."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bdmm.config import PRESETS
from bdmm.files.tensor_files import read_safetensors
from bdmm.network.generator import Generator
from bdmm.network.weights import SHIPPED, digest, load_weights, save_weights, weights_file


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_are_what_their_name_says(name):
    file = weights_file(name)
    config, tensors = load_weights(name)
    assert config == PRESETS[name]
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    assert file.stat().st_size < 16 * 2**20
    Generator(config).load_state_dict(tensors)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_model_card_is_about_these_weights(name):
    card = weights_file(name).with_suffix(".md").read_text(encoding="utf-8")
    _, tensors = read_safetensors(weights_file(name))
    assert digest(tensors) in card
    for word in ("Data", "Steps", "Hours", "Numbers", "Limits", "Licence", "recipes/"):
        assert word in card


def test_a_file_of_the_same_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = weights_file("layered")
    config, tensors = load_weights("layered")
    save_weights("layered", tensors, config)
    assert weights_file("layered") == Path("layered") != shipped


def test_the_refiner_that_ships_is_small_and_described():
    file = weights_file("layered").with_name("fit_refiner.safetensors")
    tensors = load_file(file)
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    assert file.stat().st_size < 4 * 2**20
    assert digest(tensors) in card
    for word in ("Data", "Steps", "Hours", "Numbers", "Limits", "Licence", "recipes/"):
        assert word in card
