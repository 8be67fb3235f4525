"""The generator against recordings of the paper's released one, under random weights."""

import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator, PreparedSource, SeenWindow
from bdmm.network.released import from_released, network_tensors, released_shapes
from bdmm.records import Conditions, PropagationState

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
    config, ours = from_released(Path("released.pth"), published)
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
    poses, grids = inputs["in_pose"], inputs["in_grid"]
    with torch.inference_mode():
        source = _prepared(generator, inputs["in_source"])
        seen = _seen(generator, source, poses[:, :6], grids[:, :8])
        first, state = generator.propagate(source, seen)
        seen = _seen(generator, source, poses[:, 6:], grids[:, 6:], state)
        second, _ = generator.propagate(source, seen, state)
    return first, second


def _prepared(generator: Generator, source: Tensor) -> PreparedSource:
    return generator.prepare(source, torch.ones_like(source[:, :1]))


def _seen(
    generator: Generator,
    source: PreparedSource,
    poses: Tensor,
    grids: Tensor,
    state: PropagationState | None = None,
) -> SeenWindow:
    """Look at the window of some heatmaps, which lies between the first grid and the last."""
    edge = torch.zeros(grids.shape[:4], dtype=torch.long)
    every = Conditions(grids.new_zeros(*grids.shape[:2], 29, 3), grids, edge, edge > 0)
    before = replace(every.frames(slice(0, 1)), after=None)
    window = replace(every.frames(slice(1, grids.shape[1] - 1)), before=before)
    return replace(generator.look(source, window, state), heatmaps=poses)


def _equal(ours: Tensor, published: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(ours.double(), published.double(), rtol=0, atol=tolerance)


@pytest.mark.slow
def test_two_windows_in_double_precision(shared: Callable[[str], Path]) -> None:
    golden = _recording(shared("fixtures/official/generator_25ch_128.npz"), torch.float64)
    first, second = _two_windows(_generator(25, torch.float64), golden)
    _equal(first, golden["out64_images_window1"], 1e-6)
    _equal(second, golden["out64_images_window2"], 1e-6)


def test_a_batch_of_two_clips(shared: Callable[[str], Path]) -> None:
    golden = _recording(shared("fixtures/official/generator_18ch_128.npz"), torch.float32)
    generator = _generator(18, torch.float32)
    with torch.inference_mode():
        source = _prepared(generator, golden["b2_in_source"])
        seen = _seen(generator, source, golden["b2_in_pose"], golden["b2_in_grid"][:, :4])
        frames, _ = generator.propagate(source, seen)
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
        prepared = _prepared(generator, source)
        seen = _seen(generator, prepared, golden["in_pose"][:, :6], grids[:, :8])
        encoded = seen.encoded
        _equal(encoded.inside[0][0], golden["mid_warpfeat64_frame0"], 1e-3)
        _equal(encoded.before[0], golden["mid_warpfeat64_lookbehind"], 1e-3)
        _equal(encoded.after[0], golden["mid_warpfeat64_lookahead"], 1e-3)
        assert generator.forward_propagation is not None
        assert generator.backward_propagation is not None
        forward = generator.forward_propagation(encoded.inside, encoded.before)
        backward = generator.backward_propagation(encoded.inside, encoded.after)
        _equal(torch.stack(list(forward[0]), 1), golden["mid_forward64"], 2e-3)
        _equal(torch.stack(list(backward[0]), 1), golden["mid_backward64_in_time_order"], 2e-3)
        _, state = generator.propagate(prepared, seen)
    _equal(state.structural, golden["out_struct_state_window1"], 2e-2)
    _equal(state.forward[0], golden["out_forward64_state_window1"], 2e-3)
    _equal(state.forward[1][:, :16], golden["out_forward128_state_window1_ch0to16"], 2e-3)
