import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bdmm.config import PRESETS
from bdmm.errors import InputError
from bdmm.network.generator import Generator
from bdmm.network.released import from_released, network_tensors, to_released

FILE = Path("released.pth")
MANIFEST = Path(__file__).resolve().parents[1] / "fixtures" / "manifest_generator.json"


def _published(joints: int) -> dict[str, Tensor]:
    entries = json.loads(MANIFEST.read_text())[f"generator_structure_nc_{joints}"]["tensors"]
    blur = torch.tensor([1.0, 3.0, 3.0, 1.0]).outer(torch.tensor([1.0, 3.0, 3.0, 1.0])) / 16
    return {
        name: torch.randn(entry["shape"]) if entry["kind"] == "parameter" else blur.clone()
        for name, entry in entries.items()
    }


def test_every_published_tensor_comes_back() -> None:
    published = _published(18)
    config, ours = from_released(FILE, published)
    assert config == dataclasses.replace(PRESETS["released"], joints=18)
    with torch.device("meta"):
        expected = Generator(config).state_dict()
    assert {name: value.shape for name, value in network_tensors(ours).items()} == {
        name: value.shape for name, value in expected.items()
    }
    back = to_released(config, ours)
    assert back.keys() == published.keys()
    for name, value in published.items():
        # Of two biases that are added, the second is found again by a subtraction.
        torch.testing.assert_close(back[name], value, rtol=0, atol=1e-6)


def test_our_own_weights_take_the_published_form_and_return() -> None:
    published = _published(25)
    config, ours = from_released(FILE, published)
    bare = network_tensors(ours)
    back = to_released(config, bare)
    assert {name: value.shape for name, value in back.items()} == {
        name: value.shape for name, value in published.items()
    }
    again = network_tensors(from_released(FILE, back)[1])
    assert again.keys() == bare.keys()
    for name, value in bare.items():
        assert torch.equal(again[name], value), name


def test_a_file_that_is_not_the_published_network_is_refused_by_name() -> None:
    published = _published(18)
    lacking = dict(published)
    del lacking["forconv2.mask_conv.bias"]
    with pytest.raises(InputError, match=r"lacks the tensor 'forconv2\.mask_conv\.bias"):
        from_released(FILE, lacking)
    with pytest.raises(InputError, match=r"adds the tensor 'extra\.weight"):
        from_released(FILE, published | {"extra.weight": torch.zeros(1)})
    with pytest.raises(InputError, match=r"decoder256\.conv\.weight' has shape"):
        from_released(FILE, published | {"decoder256.conv.weight": torch.zeros(1, 3, 32, 1, 1)})
    with pytest.raises(InputError, match="not the known blur"):
        from_released(FILE, published | {"conv1up.conv.blur.kernel": torch.ones(4, 4)})


def test_another_network_has_no_published_form() -> None:
    config, ours = from_released(FILE, _published(25))
    with pytest.raises(InputError, match="Only the preset"):
        to_released(PRESETS["paper"], ours)
    name = next(name for name in ours if name.startswith("released/"))
    with pytest.raises(InputError, match="has not the released shape"):
        to_released(config, ours | {name: torch.zeros(7, 7)})
