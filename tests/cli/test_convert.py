import json
import math
import os
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bdmm.cli.app import main
from bdmm.cli.convert import Convert
from bdmm.config import PRESETS, NetworkConfig
from bdmm.errors import InputError
from bdmm.network.generator import Generator
from bdmm.network.weights import load_weights, save_weights

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
Released = dict[str, Tensor]


def _published(joints: int, numbers: bool) -> Released:
    """The published generator's names and shapes.

    With the golden recipe's numbers, or with one number everywhere, in a storage that all share.
    """
    manifest = json.loads((FIXTURES / "manifest_generator.json").read_text())
    values = runpy.run_path(str(FIXTURES / "weights_recipe.py"))["values"]
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    entries = manifest[f"generator_structure_nc_{joints}"]["tensors"]
    halves = torch.full((max(math.prod(entry["shape"]) for entry in entries.values()),), 0.5)
    released = {}
    for name, entry in entries.items():
        shape = tuple(entry["shape"])
        if entry["kind"] == "buffer":
            released[name] = torch.outer(taps, taps)
        elif numbers:
            released[name] = torch.from_numpy(values(name, shape))
        else:
            released[name] = halves[: math.prod(shape)].view(shape)
    return released


def _converted(state: object, folder: Path) -> Path:
    torch.save(state, folder / "latest_net_G.pth")
    Convert(folder / "latest_net_G.pth", folder / "ours.safetensors").run()
    return folder / "ours.safetensors"


@pytest.mark.slow
def test_there_and_back_again_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released = _published(25, numbers=True)
    ours = _converted(released, tmp_path)
    assert "25 joints" in capsys.readouterr().out
    config, state = load_weights(ours)
    assert config == PRESETS["released"]
    Generator(config).load_state_dict(state)
    Convert(ours, tmp_path / "back.pth").run()
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    assert set(back) == set(released)
    for name, value in released.items():
        torch.testing.assert_close(back[name], value, atol=1e-6, rtol=0, msg=name)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "back.pth",
        "latest_net_G.pth",
        "ours.safetensors",
    ]


def test_other_joints_and_names_of_multi_gpu_training_are_understood(tmp_path: Path) -> None:
    released = _published(18, numbers=False)
    released["x_ref.encoder4.model.5.bias"] = torch.arange(512.0)
    state = {f"module.{name}": value.clone() for name, value in released.items()}
    config, loaded = load_weights(_converted(state, tmp_path))
    assert config.joints == 18
    assert loaded["style_encoder.blocks.5.conv2.bias"].equal(torch.arange(512.0))


def _lose(state: Released) -> None:
    del state["forconv1.mask_conv.bias"]


def _add(state: Released) -> None:
    state["forconv1.extra.bias"] = torch.zeros(1)


def _reshape(state: Released) -> None:
    state["x_rcnn1.shortcut.0.bias"] = torch.zeros(255)


def _poison(state: Released) -> None:
    state["x_rcnn1.shortcut.0.bias"] = torch.full((256,), torch.inf)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_lose, "forconv1.mask_conv.bias"),
        (_add, "forconv1.extra.bias"),
        (_reshape, "x_rcnn1.shortcut.0.bias"),
        (_poison, "x_rcnn1.shortcut.0.bias"),
    ],
)
def test_another_network_is_refused_by_name(
    spoil: Callable[[Released], None], named: str, tmp_path: Path
) -> None:
    state = _published(25, numbers=False)
    spoil(state)
    with pytest.raises(InputError, match=named) as caught:
        _converted(state, tmp_path)
    assert "latest_net_G.pth" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["latest_net_G.pth"]


class _MakesFolder:
    """Unpickling this runs code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_run_code_is_not_opened(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    with pytest.raises(InputError, match="can run code"):
        _converted({"x_ref.block0.model.0.weight": _MakesFolder(trap)}, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["latest_net_G.pth"]


def test_mistakes_in_the_paths_are_said_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "a.pth"
    with pytest.raises(InputError, match=r"a\.pth does not exist"):
        Convert(weights, tmp_path / "b.safetensors").run()
    weights.write_bytes(b"x")
    for output in (weights, tmp_path / "absent" / "b.safetensors", tmp_path / "b.mp4"):
        assert main(["convert", str(weights), "-o", str(output)]) == 2
        assert "output" in capsys.readouterr().err, output
    assert weights.read_bytes() == b"x"


def test_a_network_of_another_form_goes_neither_way(tmp_path: Path) -> None:
    ours = tmp_path / "small.safetensors"
    config = NetworkConfig(joints=3, widths=(4, 6, 8), style_widths=(4, 8))
    save_weights(ours, Generator(config).state_dict(), config)
    with pytest.raises(InputError, match="not the paper's released generator"):
        Convert(ours, tmp_path / "again.safetensors").run()
    with pytest.raises(InputError, match="Only the preset 'released'"):
        Convert(ours, tmp_path / "back.pth").run()
    assert [p.name for p in tmp_path.iterdir()] == ["small.safetensors"]
