"""Layers: fresh weights give the coarse warp, and everything the head mixes has a gradient."""

import dataclasses

import pytest
import torch

from bdmm.config import PRESETS, NetworkConfig
from bdmm.errors import InputError
from bdmm.kernels.push_pull import spread_person
from bdmm.kernels.warp import warp
from bdmm.network.generator import Generator
from bdmm.network.heads import layer_inputs
from bdmm.network.weights import load_weights, save_weights, with_present_names
from bdmm.records import Conditions, PixelState

SMALL = dataclasses.replace(PRESETS["layered"], widths=(4, 6, 8), style_widths=(4, 6, 8), joints=3)
SIDE, FRAMES = 32, 4
PERSON = slice(8, 24)


@pytest.fixture
def person() -> tuple[torch.Tensor, torch.Tensor]:
    """A textured square person and its foreground."""
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    foreground = torch.zeros(1, 1, SIDE, SIDE)
    foreground[..., PERSON, PERSON] = 1
    return image, foreground


def _conditions(frames: int = FRAMES, moved: float = 2.0) -> Conditions:
    """The person moved by some pixels to the right; a column is hidden, another a fallback."""
    centres = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    y, x = torch.meshgrid(centres, centres - 2 * moved / SIDE, indexing="ij")
    state = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    state[PERSON, PERSON.start + 2 : PERSON.stop + 2] = PixelState.VISIBLE
    state[PERSON, 12:14] = PixelState.HIDDEN
    fallback = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    fallback[PERSON, 12] = True
    grid = torch.where((state > 0)[..., None], torch.stack((x, y), dim=-1), -2.0)
    random = torch.Generator().manual_seed(5)
    return Conditions(
        keypoints=torch.rand(1, frames, 29, 3, generator=random) * SIDE,
        source_grid=grid.expand(1, frames, -1, -1, -1),
        state=state.expand(1, frames, -1, -1),
        fallback=fallback.expand(1, frames, -1, -1),
        joints=(0, 4, 7),
    )


def test_hidden_pixels_take_their_inpainted_colours(
    person: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """Column 13 is hidden, column 12 a fallback, and all right of them visible."""
    conditions, appearance = _conditions(), torch.cat(person, dim=1)
    inpainted = torch.full((1, FRAMES, 3, SIDE, SIDE), 0.7)
    spread = layer_inputs(appearance, conditions)
    given = layer_inputs(appearance, dataclasses.replace(conditions, inpainted=inpainted))
    assert (given.colours[..., PERSON, 13] == 0.7).all()
    assert (spread.colours[..., PERSON, 13] != 0.7).all()
    for columns in (12, slice(14, PERSON.stop + 2)):
        same = (..., PERSON, columns)
        assert torch.equal(given.colours[same], spread.colours[same])
    assert torch.equal(given.known, spread.known)
    assert torch.equal(given.maps[:, :, 3:], spread.maps[:, :, 3:])


def _fresh(config: NetworkConfig = SMALL) -> Generator:
    torch.manual_seed(0)
    return Generator(config)


def test_fresh_weights_give_the_coarse_warp(person: tuple[torch.Tensor, torch.Tensor]) -> None:
    generator, conditions = _fresh(), _conditions()
    background = torch.full((1, 1, 3, SIDE, SIDE), 0.25)
    with torch.no_grad():
        layers, _ = generator(generator.prepare(*person), conditions)
    expected = warp(spread_person(*person), conditions.source_grid[:, 0])
    seen = (conditions.state[0, 0] == PixelState.VISIBLE)[1:-1, 1:-1]
    inside = torch.nn.functional.pad(seen, (1, 1, 1, 1))
    assert layers.copy[0, 0, 0][inside].mean() > 0.85
    assert layers.alpha[0, 0, 0][inside].mean() > 0.85
    assert (layers.person - layers.copied)[0, 0, :, inside].abs().mean() < 0.1
    away = conditions.state[0, 0] == 0
    away[:, 7:27] = False
    assert (layers.over(background)[0, 0, :, away] - 0.25).abs().max() < 0.1
    assert torch.equal(layers.copied[0, 0, :, inside], expected[0, :, inside])


def test_every_weight_learns(person: tuple[torch.Tensor, torch.Tensor]) -> None:
    generator = _fresh()
    conditions = dataclasses.replace(_conditions(), after=_conditions(1))
    layers, _ = generator(generator.prepare(*person), conditions)
    frames = layers.over(torch.zeros(1, FRAMES, 3, SIDE, SIDE))
    (frames.square().mean() + layers.synthesis.mean()).backward()
    silent = [name for name, one in generator.named_parameters() if one.grad is None]
    assert silent == []


def test_empty_surroundings_do_not_drown_the_gradient(
    person: tuple[torch.Tensor, torch.Tensor],
) -> None:
    generator, conditions = _fresh(), _conditions()
    empty = dataclasses.replace(conditions, keypoints=torch.zeros_like(conditions.keypoints))
    layers, _ = generator(generator.prepare(*person), empty)
    layers.over(torch.zeros(1, FRAMES, 3, SIDE, SIDE)).square().mean().backward()
    sizes = {name: one.grad.norm() for name, one in generator.named_parameters()}
    head = sizes.pop("head.layers.weight")
    name, largest = max(sizes.items(), key=lambda item: item[1])
    assert largest < 20 * head, f"where no joint is, {name} learns from noise"


def test_windows_go_on_where_the_one_before_ended(
    person: tuple[torch.Tensor, torch.Tensor],
) -> None:
    config = dataclasses.replace(SMALL, backward_branch=False)
    generator, conditions = _fresh(config), _conditions(2 * FRAMES)
    background = torch.zeros(1, 1, 3, SIDE, SIDE)
    with torch.no_grad():
        prepared = generator.prepare(*person)
        whole, _ = generator(prepared, conditions)
        first, state = generator(prepared, conditions.frames(slice(0, FRAMES)))
        second, _ = generator(prepared, conditions.frames(slice(FRAMES, None)), state)
    joined = torch.cat([layers.over(background) for layers in (first, second)], dim=1)
    assert torch.allclose(joined, whole.over(background), atol=1e-5)


@pytest.mark.slow
def test_a_long_clip_stays_bounded(person: tuple[torch.Tensor, torch.Tensor]) -> None:
    generator, state = _fresh(), None
    sizes = []
    with torch.no_grad():
        prepared = generator.prepare(*person)
        for _ in range(30):
            _, state = generator(prepared, _conditions(), state)
            sizes.append(float(state.forward[-1].abs().mean()))
    assert sizes[-1] < 2 * sizes[2]


def test_weights_are_kept_with_the_head(tmp_path) -> None:
    generator = _fresh()
    path = tmp_path / "weights.safetensors"
    halves = {name: value.half() for name, value in generator.state_dict().items()}
    save_weights(path, halves, SMALL)
    config, tensors = load_weights(path)
    assert config == SMALL
    again = Generator(config)
    again.load_state_dict(tensors)
    for name, value in generator.state_dict().items():
        assert torch.allclose(again.state_dict()[name], value, rtol=1e-3, atol=1e-6), name
    with pytest.raises(InputError, match="head"):
        NetworkConfig(head="none")


def test_weights_of_earlier_files_have_their_present_names(tmp_path) -> None:
    generator = _fresh()
    old = {
        name.removeprefix("head.") if name.startswith("head.") else f"core.{name}": value
        for name, value in generator.state_dict().items()
    }
    assert with_present_names(old).keys() == generator.state_dict().keys()
    assert with_present_names({"decoder.to_rgb.bias": old["mix.bias"]}).keys() == {
        "head.to_rgb.bias"
    }
    assert with_present_names(generator.state_dict()).keys() == generator.state_dict().keys()
