"""The generator against recordings of the paper's released one, under random weights."""

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
from bdmm.network.released import from_released, network_tensors, released_shapes

RECIPE = Path(__file__).resolve().parents[1] / "fixtures" / "weights_recipe.py"


def _generator(joints: int, dtype: torch.dtype) -> Generator:
    values = runpy.run_path(str(RECIPE))["values"]
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    published = {
        name: taps.outer(taps).to(dtype)
        if name.endswith(".kernel")
        else torch.from_numpy(values(name, shape)).to(dtype)
        for name, shape in released_shapes(joints).items()
    }
    config, ours = from_released(published)
    with torch.device("meta"):
        generator = Generator(config)
    generator.load_state_dict(network_tensors(ours), assign=True)
    return generator.eval()


def _recording(path: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    with np.load(path) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    for prefix in ("in_", "b2_in_"):
        if f"{prefix}source_u8" in arrays:
            arrays[f"{prefix}source"] = arrays[f"{prefix}source_u8"].float() / 127.5 - 1
            arrays[f"{prefix}pose"] = arrays[f"{prefix}pose_u8"].float() / 255
    return {
        name: value.to(dtype) if name.startswith(("in_", "b2_in_")) else value
        for name, value in arrays.items()
    }


def _two_windows(generator: Generator, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Frames 0-5, then 6-8; grid 0 is the look-behind, grid i + 1 that of frame i."""
    source, poses, grids = inputs["in_source"], inputs["in_pose"], inputs["in_grid"]
    with torch.inference_mode():
        folded = generator.fold(source)
        first, state = generator(
            source, poses[:, :6], grids[:, 1:7], grids[:, 0], grids[:, 7], None, folded
        )
        second, _ = generator(
            source, poses[:, 6:], grids[:, 7:10], None, grids[:, 10], state, folded
        )
    return first, second


def _equal(ours: Tensor, published: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(ours.double(), published.double(), rtol=0, atol=tolerance)


def test_two_windows_in_double_precision(shared: Callable[[str], Path]) -> None:
    golden = _recording(shared("fixtures/official/generator_25ch_128.npz"), torch.float64)
    first, second = _two_windows(_generator(25, torch.float64), golden)
    _equal(first, golden["out64_images_window1"], 1e-6)
    _equal(second, golden["out64_images_window2"], 1e-6)


def test_a_batch_of_two_clips(shared: Callable[[str], Path]) -> None:
    golden = _recording(shared("fixtures/official/generator_18ch_128.npz"), torch.float32)
    grids = golden["b2_in_grid"]
    with torch.inference_mode():
        frames, _ = _generator(18, torch.float32)(
            golden["b2_in_source"], golden["b2_in_pose"], grids[:, 1:3], grids[:, 0], grids[:, 3]
        )
    _equal(frames, golden["b2_out_images"], 5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("accelerated", [False, True])
@pytest.mark.parametrize("joints", [25, 18])
def test_two_windows_in_single_precision(
    shared: Callable[[str], Path], joints: int, accelerated: bool
) -> None:
    golden = _recording(shared(f"fixtures/official/generator_{joints}ch_128.npz"), torch.float32)
    generator = _generator(joints, torch.float32)
    generator = accelerate(generator) if accelerated else generator
    first, second = _two_windows(generator, golden)
    _equal(first, golden["out_images_window1"], 5e-3)
    _equal(second, golden["out_images_window2"], 5e-3)


@pytest.mark.slow
def test_what_lies_between_in_single_precision(shared: Callable[[str], Path]) -> None:
    golden = _recording(shared("fixtures/official/generator_25ch_128.npz"), torch.float32)
    generator = _generator(25, torch.float32)
    source, grids = golden["in_source"], golden["in_grid"]
    with torch.inference_mode():
        _equal(generator.style_encoder(source), golden["mid_style_code"], 1e-3)
        inside, before, after = generator.encode_warped(
            source, grids[:, 1:7], grids[:, 0], grids[:, 7]
        )
        _equal(inside[0][0], golden["mid_warpfeat64_frame0"], 1e-3)
        _equal(before[0], golden["mid_warpfeat64_lookbehind"], 1e-3)
        _equal(after[0], golden["mid_warpfeat64_lookahead"], 1e-3)
        assert generator.forward_propagation is not None
        assert generator.backward_propagation is not None
        forward = generator.forward_propagation(inside, before)
        backward = generator.backward_propagation(inside, after)
        _equal(torch.stack(list(forward[0]), 1), golden["mid_forward64"], 2e-3)
        _equal(torch.stack(list(backward[0]), 1), golden["mid_backward64_in_time_order"], 2e-3)
        _, state = generator(
            source, golden["in_pose"][:, :6], grids[:, 1:7], grids[:, 0], grids[:, 7]
        )
    _equal(state.structural, golden["out_struct_state_window1"], 2e-2)
    _equal(state.forward[0], golden["out_forward64_state_window1"], 2e-3)
    _equal(state.forward[1][:, :16], golden["out_forward128_state_window1_ch0to16"], 2e-3)
