from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bdmm.config import DISCRIMINATOR_PRESETS, DiscriminatorConfig
from bdmm.errors import InputError
from bdmm.network.discriminators import (
    ClipDownBlock,
    DownBlock,
    PairedSpatialDiscriminator,
    PairedTemporalDiscriminator,
    SpatialDiscriminator,
    TemporalDiscriminator,
    WeightedClipDownBlock,
    build_discriminators,
)

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
BLOCK_NAMES = {"model.1": "conv", "model.3": "down", "shortcut.1": "shortcut"}
SMALL = DiscriminatorConfig(width=8, max_width=32)


def _read(path: Path, prefix: str) -> dict[str, Tensor]:
    with np.load(path) as file:
        return {
            name.removeprefix(prefix): torch.from_numpy(file[name]).double()
            for name in file.files
            if name.startswith(prefix)
        }


def _our_name(released: str) -> str:
    """Released name of a discriminator's tensor -> ours (temporal: see `_load`)."""
    head = {
        "conv.bias": "head.bias",
        "conv.weight_orig": "head.parametrizations.weight.original",
        "conv.weight_u": "head.parametrizations.weight.0._u",
        "conv.weight_v": "head.parametrizations.weight.0._v",
    }
    if released in head:
        return head[released]
    block, leaf = released.split(".", 1)
    part, kind = leaf.rsplit(".", 1)
    return f"{block}.{BLOCK_NAMES[part]}.{kind}"


def _load(net: nn.Module, weights: dict[str, Tensor], blocks: dict[str, str]) -> None:
    state = {}
    for released, value in weights.items():
        block, _, rest = _our_name(released).partition(".")
        state[f"{blocks.get(block, block)}.{rest}"] = value
    net.load_state_dict(state)


SPATIAL = {
    "block0": "blocks.0",
    "encoder0": "blocks.1",
    "encoder1": "blocks.2",
    "encoder2": "blocks.3",
}
TEMPORAL = {
    "block0": "clip_blocks.0",
    "block1": "clip_blocks.1",
    "encoder0": "blocks.0",
    "encoder1": "blocks.1",
}


@pytest.mark.parametrize(
    ("name", "block"), [("disc_block2d", DownBlock), ("disc_block3d", ClipDownBlock)]
)
def test_blocks_equal_the_published_ones(name: str, block: type[nn.Module]) -> None:
    golden = _read(FIXTURES / "blocks.npz", f"{name}/")
    net = block(5, 6, 8, 0.1).double()
    names = {
        f"{theirs}.{leaf}": f"{ours}.{leaf}"
        for theirs, ours in BLOCK_NAMES.items()
        for leaf in ("weight", "bias")
    }
    net.load_state_dict({ours: golden[f"w/{theirs}"] for theirs, ours in names.items()})
    x = golden["in/x"].requires_grad_()
    out = net(x)
    (out * golden["cotangent"]).sum().backward()
    torch.testing.assert_close(out, golden["out"], atol=1e-8, rtol=0)
    torch.testing.assert_close(x.grad, golden["grad_in/x"], atol=1e-8, rtol=0)
    for theirs, ours in names.items():
        gradient = net.get_parameter(ours).grad
        torch.testing.assert_close(gradient, golden[f"grad_w/{theirs}"], atol=1e-8, rtol=0)


@pytest.mark.parametrize(
    ("name", "net", "blocks"),
    [
        ("spatial", SpatialDiscriminator, SPATIAL),
        ("temporal", TemporalDiscriminator, TEMPORAL),
    ],
)
def test_released_discriminators_equal_the_published_ones(
    name: str, net: type[nn.Module], blocks: dict[str, str], shared: Callable[[str], Path]
) -> None:
    golden = _read(shared("fixtures/official/discriminators.npz"), f"{name}/")
    judge = net(SMALL).double()
    weights = {key[2:]: value for key, value in golden.items() if key.startswith("w/")}
    _load(judge, weights, blocks)
    x = golden["in"] if name == "spatial" else golden["in"].transpose(1, 2).contiguous()

    judge.eval()
    torch.testing.assert_close(judge(x), golden["out_eval"], atol=1e-8, rtol=0)
    head = judge.get_submodule("head")
    torch.testing.assert_close(head.weight, golden["spectral_weight_eval"], atol=1e-8, rtol=0)

    judge.train()
    x.requires_grad_()
    out = judge(x)
    torch.testing.assert_close(out, golden["out_train_one_power_iteration"], atol=1e-8, rtol=0)
    vectors = dict(judge.get_submodule("head.parametrizations.weight.0").named_buffers())
    theirs = torch.outer(golden["after_train_u"], golden["after_train_v"])  # signs are free
    torch.testing.assert_close(torch.outer(vectors["_u"], vectors["_v"]), theirs, atol=1e-8, rtol=0)

    loss = (out - 1).square().mean()
    loss.backward()
    theirs = golden["train_mse_to_one_grad_in"]
    theirs = theirs if name == "spatial" else theirs.transpose(1, 2)
    torch.testing.assert_close(loss, golden["train_mse_to_one"], atol=1e-8, rtol=0)
    torch.testing.assert_close(x.grad, theirs, atol=1e-8, rtol=0)


def test_released_discriminators_have_the_published_size() -> None:
    spatial, temporal = build_discriminators(DISCRIMINATOR_PRESETS["released"])
    assert sum(p.numel() for p in spatial.parameters()) == 664_577
    assert sum(p.numel() for p in temporal.parameters()) == 1_032_961


def test_a_released_verdict_has_one_number_per_16_pixels() -> None:
    spatial, temporal = build_discriminators(DISCRIMINATOR_PRESETS["released"])
    with torch.no_grad():
        assert spatial(torch.zeros(1, 3, 64, 96)).shape == (1, 1, 4, 6)
        assert temporal(torch.zeros(1, 6, 3, 64, 96)).shape == (1, 1, 4, 6)


def test_the_papers_discriminators_halve_three_and_four_times() -> None:
    config = DiscriminatorConfig(paired=True, width=2, max_width=8, slope=0.2)
    spatial, temporal = PairedSpatialDiscriminator(config), PairedTemporalDiscriminator(config)
    frame, window = torch.randn(2, 3, 256, 256), torch.randn(1, 6, 3, 256, 256)
    seen: list[torch.Size] = []
    for blocks in (spatial.blocks, temporal.blocks):
        blocks.register_forward_hook(lambda _, __, out: seen.append(out.shape))
    with torch.no_grad():
        assert spatial(frame, frame).shape == (2, 1, 31, 31)
        assert temporal(window, window).shape == (1, 1, 15, 15)
    assert seen == [(2, 8, 32, 32), (1, 8, 2, 16, 16)]


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_every_frame_and_partner_counts_and_every_weight_learns(preset: str) -> None:
    config = DISCRIMINATOR_PRESETS[preset]
    for judge, shape in zip(
        build_discriminators(config), [(1, 3, 64, 64), (1, 6, 3, 64, 64)], strict=True
    ):
        inputs = [torch.randn(shape, requires_grad=True) for _ in range(1 + config.paired)]
        judge(*inputs).square().sum().backward()
        for x in inputs:
            assert x.grad is not None
            per_frame = x.grad.flatten(0, -4).abs().amax(dim=(1, 2, 3))
            assert (per_frame > 0).all()
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in judge.parameters())


def test_fusion_weighs_the_two_branches() -> None:
    block = WeightedClipDownBlock(3, 4, 5, 0.2)
    x = torch.randn(1, 3, 6, 8, 8)
    with torch.no_grad():
        both = block(x)
        block.fusion.copy_(torch.tensor([1.0, 0.0]))
        main = block(x)
        block.fusion.copy_(torch.tensor([0.0, 1.0]))
        pooled = block(x)
        average = (x[:, :, 0, :2, :2] + x[:, :, 1, :2, :2]).mean(dim=(2, 3)) / 2
        expected = block.shortcut(average[:, :, None, None, None])[:, :, 0, 0, 0]
        torch.testing.assert_close(pooled[:, :, 0, 0, 0], expected)
    torch.testing.assert_close(both, 0.5**0.5 * (main + pooled))


def test_a_window_too_short_for_the_temporal_judge_is_refused() -> None:
    with pytest.raises(InputError, match="5 frames"):
        DiscriminatorConfig(frames=4)
