import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from bdmm.config import PRESETS
from bdmm.kernels.per_sample_conv import conv_per_sample
from bdmm.network.layers import styled_activation
from bdmm.network.motion_modulation import MotionModulation

DMM = Path(__file__).resolve().parents[1] / "fixtures" / "dmm_block.npz"
NAMES = {
    "conv.weight": "kernel.weight",
    "conv.modulation.weight": "kernel.scale.weight",
    "conv.modulation.bias": "kernel.scale.bias",
    "bias": "bias",
    "activate.bias": "bias",
    "flow_conv.0.weight": "context.weight",
    "flow_conv.0.bias": "context.bias",
    "offset_conv.weight": "offset.weight",
    "offset_conv.bias": "offset.bias",
    "mask_conv.weight": "mask.weight",
    "mask_conv.bias": "mask.bias",
}
CONFIG = dataclasses.replace(PRESETS["released"], style_widths=(24,))


@pytest.fixture
def golden() -> dict[str, Tensor]:
    with np.load(DMM) as file:
        return {key: torch.from_numpy(file[key]).double() for key in file.files}


@pytest.mark.parametrize("implementation", ["fast", "reference"])
def test_the_block_and_its_gradients_equal_the_published_ones(
    golden: dict[str, Tensor], implementation: Literal["fast", "reference"]
) -> None:
    block = MotionModulation(12, 10, 20, 14, CONFIG).double()
    block.implementation = implementation
    state = {name: torch.zeros_like(value) for name, value in block.state_dict().items()}
    for published, name in NAMES.items():
        state[name] = state[name] + golden[f"w/{published}"].reshape(state[name].shape)
    block.load_state_dict(state)

    inputs = {
        name: golden[f"in_{name}"].requires_grad_() for name in ("feature", "style", "flow_feature")
    }
    offsets, masks = block.motion(inputs["flow_feature"])
    out = block.deform(inputs["feature"], offsets, masks, block.fold(inputs["style"]))

    def equal(ours: Tensor, name: str) -> None:
        expected = golden[name].reshape(ours.shape)
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-8)

    equal(block.kernel.scale_of(inputs["style"]), "style_scale_A")
    equal(block.kernel(inputs["style"]), "demodulated_weight")
    equal(offsets, "offset")
    equal(masks, "mask")
    equal(out, "out")
    out.backward(golden["cotangent"])
    for name, value in inputs.items():
        assert value.grad is not None
        equal(value.grad, f"grad_in/{name}")
    parameters = dict(block.named_parameters())
    for published, name in NAMES.items():
        gradient = parameters[name].grad
        assert gradient is not None
        equal(gradient, f"grad_w/{published}")


def test_a_fresh_block_is_a_plain_modulated_convolution() -> None:
    block = MotionModulation(6, 6, 12, 6, CONFIG)
    propagated, decoded = torch.randn(2, 2, 6, 8, 10)
    folded = block.fold(torch.randn(2, 24))
    plain = styled_activation(conv_per_sample(propagated, *folded))
    torch.testing.assert_close(block(propagated, decoded, folded), plain, rtol=0, atol=1e-5)


def _disturbed(block: MotionModulation) -> MotionModulation:
    for conv in (block.offset, block.mask):
        if conv is not None:
            torch.nn.init.normal_(conv.weight)
    return block


@pytest.mark.parametrize(
    ("switch", "sees_decoder", "sees_style"),
    [("deformable", True, True), ("motion_mask", True, True), ("feature_concat", False, True),
     ("style_weight", True, False)],
)  # fmt: skip
def test_each_ablation_takes_away_what_it_says(
    switch: str, sees_decoder: bool, sees_style: bool
) -> None:
    config = dataclasses.replace(CONFIG, **{switch: False})
    context = 12 if config.feature_concat else 6
    block = _disturbed(MotionModulation(6, 6, context, 6, config))
    propagated, decoded, other = torch.randn(3, 1, 6, 8, 10)
    style, other_style = torch.randn(2, 1, 24)
    out = block(propagated, decoded, block.fold(style))
    assert sees_decoder != torch.equal(out, block(propagated, other, block.fold(style)))
    assert sees_style != torch.equal(out, block(propagated, decoded, block.fold(other_style)))
    offsets, masks = block.motion(torch.randn(1, context, 8, 10))
    assert offsets.any().item() == (switch != "deformable")
    assert (masks == 1).all().item() == (switch == "motion_mask")
