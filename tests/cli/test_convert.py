import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bdmm.cli.convert import Convert
from bdmm.errors import InputError
from bdmm.network.generator import Generator
from bdmm.network.weights import load_weights

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
Released = dict[str, Tensor]


@pytest.fixture(scope="module", params=[25, 18])
def released(request: pytest.FixtureRequest) -> Released:
    """The published generator's names and shapes with the golden recipe's numbers."""
    manifest = json.loads((FIXTURES / "manifest_generator.json").read_text())
    values = runpy.run_path(str(FIXTURES / "weights_recipe.py"))["values"]
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    blur = torch.outer(taps, taps)
    return {
        name: blur.clone()
        if entry["kind"] == "buffer"
        else torch.from_numpy(values(name, tuple(entry["shape"])))
        for name, entry in manifest[f"generator_structure_nc_{request.param}"]["tensors"].items()
    }


@pytest.fixture
def only25(released: Released) -> Released:
    if released["x_encoder.block0.model.0.weight"].numel() != 28:
        pytest.skip("once is enough")
    return released


def _converted(state: object, folder: Path) -> Path:
    torch.save(state, folder / "latest_net_G.pth")
    Convert(folder / "latest_net_G.pth", folder / "ours.safetensors").run()
    return folder / "ours.safetensors"


def test_there_and_back_again_nothing_is_lost(
    released: Released, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = _converted(released, tmp_path)
    config, state = load_weights(ours)
    joints = released["x_encoder.block0.model.0.weight"].numel() - 3
    assert config.joints == joints
    assert f"{joints} joints" in capsys.readouterr().out
    Generator(config).load_state_dict(state)
    Convert(ours, tmp_path / "back.pth").run()
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    assert list(back) == list(released) or set(back) == set(released)
    for name, value in released.items():
        torch.testing.assert_close(back[name], value, atol=1e-6, rtol=0, msg=name)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "back.pth",
        "latest_net_G.pth",
        "ours.safetensors",
    ]


def test_names_of_multi_gpu_training_are_understood(only25: Released, tmp_path: Path) -> None:
    ours = _converted({f"module.{name}": value for name, value in only25.items()}, tmp_path)
    key = "style_encoder.blocks.5.conv2.weight"
    assert load_weights(ours)[1][key].equal(only25["x_ref.encoder4.model.5.weight"])


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
    spoil: Callable[[Released], None], named: str, only25: Released, tmp_path: Path
) -> None:
    state = dict(only25)
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


def test_mistakes_in_the_paths_are_said_first(tmp_path: Path) -> None:
    weights = tmp_path / "a.pth"
    with pytest.raises(InputError, match=r"a\.pth does not exist"):
        Convert(weights, tmp_path / "b.safetensors").run()
    weights.write_bytes(b"x")
    for output in (weights, tmp_path / "absent" / "b.safetensors", tmp_path / "b.mp4"):
        with pytest.raises(InputError, match="output"):
            Convert(weights, output).run()
    assert weights.read_bytes() == b"x"


def test_our_own_file_is_not_taken_for_a_released_one(only25: Released, tmp_path: Path) -> None:
    ours = _converted(only25, tmp_path)
    with pytest.raises(InputError, match="not the paper's released generator"):
        Convert(ours, tmp_path / "again.safetensors").run()
    with pytest.raises(InputError, match="bdmm weights|safetensors file"):
        Convert(tmp_path / "latest_net_G.pth", tmp_path / "again.pth").run()
