from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bdmm.network.layers import (
    EncoderBlock,
    ResidualBlock,
    StyledConv,
    StyledLayer,
    StyledUp,
    ToRGB,
)

BLOCKS = Path(__file__).resolve().parents[1] / "fixtures" / "blocks.npz"
PARTS = {
    "model.0": "norm1",
    "model.2": "conv1",
    "model.3": "norm2",
    "model.5": "conv2",
    "shortcut.0": "skip",
    "conv": "kernel",
    "conv.modulation": "kernel.scale",
    "activate": "",
    "": "",
}
"""Part of a published block -> part of ours."""


def _golden(name: str) -> dict[str, Tensor]:
    with np.load(BLOCKS) as file:
        return {
            key.removeprefix(f"{name}/"): torch.from_numpy(file[key]).double()
            for key in file.files
            if key.startswith(f"{name}/")
        }


def _our_name(published: str) -> str:
    part, _, kind = published.rpartition(".")
    return f"{PARTS[part]}.{kind}".lstrip(".")


def _load(block: nn.Module, golden: dict[str, Tensor]) -> None:
    """Fill our block with the published weights; the two biases that are added become one."""
    state = {name: torch.zeros_like(value) for name, value in block.state_dict().items()}
    for key, value in golden.items():
        if key.startswith("w/"):
            name = _our_name(key.removeprefix("w/"))
            state[name] = state[name] + value.reshape(state[name].shape)
    block.load_state_dict(state)


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("encoder_block", EncoderBlock(5, 8, 0.1)),
        ("res_block_shrink", ResidualBlock(12, 6, 0.1)),
        ("res_block_same_1x1shortcut", ResidualBlock(6, 6, 0.1)),
        ("styled_up", StyledUp(7, 5, 16)),
        ("styled_direct_nodemod", StyledConv(6, 5, 16, demodulated=False)),
        ("to_rgb", ToRGB(6, 16)),
    ],
)
def test_outputs_and_gradients_equal_the_published_blocks(name: str, block: nn.Module) -> None:
    golden = _golden(name)
    block.double()
    _load(block, golden)
    inputs = {
        key.removeprefix("in/"): value.requires_grad_()
        for key, value in golden.items()
        if key.startswith("in/")
    }
    if isinstance(block, StyledLayer):
        out = block(inputs["x"], block.fold(inputs["style"]))
    else:
        out = block(inputs["x"])
    torch.testing.assert_close(out, golden["out"], rtol=0, atol=1e-8)

    out.backward(golden["cotangent"])
    parameters = dict(block.named_parameters())
    for key, expected in golden.items():
        if key.startswith("grad_in/"):
            gradient = inputs[key.removeprefix("grad_in/")].grad
        elif key.startswith("grad_w/"):
            gradient = parameters[_our_name(key.removeprefix("grad_w/"))].grad
        else:
            continue
        assert gradient is not None
        torch.testing.assert_close(gradient, expected.reshape(gradient.shape), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "layer", [StyledUp(3, 4, 8), StyledConv(3, 4, 8, demodulated=True), ToRGB(3, 8)]
)
def test_each_sample_is_convolved_with_its_own_style(layer: StyledLayer) -> None:
    x, style = torch.randn(3, 3, 6, 4), torch.randn(3, 8)
    together = layer(x, layer.fold(style))
    for i in range(3):
        alone = layer(x[i : i + 1], layer.fold(style[i : i + 1]))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-5)
