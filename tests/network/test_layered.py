"""Layers: fresh weights give the coarse warp, and everything the head mixes has a gradient."""

import dataclasses

import pytest
import torch
from torch.nn import functional

from bdmm.config import PRESETS, NetworkConfig
from bdmm.errors import InputError
from bdmm.kernels.rim import spread_person
from bdmm.kernels.warp import warp
from bdmm.network.layer_inputs import Guide, layer_inputs
from bdmm.network.layered import LayeredGenerator, PreparedSource, build_generator
from bdmm.network.weights import load_weights, save_weights
from bdmm.records import PixelState

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


def _guide(frames: int = FRAMES, moved: float = 2.0) -> Guide:
    """The person moved by some pixels to the right; a column is hidden, another filled."""
    centres = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    y, x = torch.meshgrid(centres, centres - 2 * moved / SIDE, indexing="ij")
    state = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    state[PERSON, PERSON.start + 2 : PERSON.stop + 2] = PixelState.VISIBLE
    state[PERSON, 12:14] = PixelState.HIDDEN
    filled = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    filled[PERSON, 12] = True
    grid = torch.where((state > 0)[..., None], torch.stack((x, y), dim=-1), -2.0)
    random = torch.Generator().manual_seed(5)
    return Guide(
        pose_heatmaps=torch.rand(1, frames, SMALL.joints, SIDE, SIDE, generator=random),
        source_grid=grid.expand(1, frames, -1, -1, -1),
        state=state.expand(1, frames, -1, -1),
        filled=filled.expand(1, frames, -1, -1),
    )


def test_hidden_pixels_take_their_painted_colours(
    person: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """Column 13 is hidden, column 12 filled, and all right of them visible."""
    guide = _guide()
    painted = torch.full((1, FRAMES, 3, SIDE, SIDE), 0.7)
    spread = layer_inputs(*person, guide)
    given = layer_inputs(*person, dataclasses.replace(guide, painted=painted))
    assert (given.colours[..., PERSON, 13] == 0.7).all()
    assert (spread.colours[..., PERSON, 13] != 0.7).all()
    for columns in (12, slice(14, PERSON.stop + 2)):
        same = (..., PERSON, columns)
        assert torch.equal(given.colours[same], spread.colours[same])
    assert torch.equal(given.known, spread.known)
    assert torch.equal(given.maps[:, :, 3:], spread.maps[:, :, 3:])


def _fresh(config: NetworkConfig = SMALL) -> LayeredGenerator:
    torch.manual_seed(0)
    return LayeredGenerator(config)


def test_fresh_weights_give_the_coarse_warp(person: tuple[torch.Tensor, torch.Tensor]) -> None:
    generator, guide = _fresh(), _guide()
    background = torch.full((1, 1, 3, SIDE, SIDE), 0.25)
    with torch.no_grad():
        layers, _ = generator(generator.prepare(*person), guide, background)
    expected = warp(spread_person(*person), guide.source_grid[:, 0])
    seen = (guide.state[0, 0] == PixelState.VISIBLE)[1:-1, 1:-1]
    inside = torch.nn.functional.pad(seen, (1, 1, 1, 1))
    assert layers.copy[0, 0, 0][inside].mean() > 0.85
    assert layers.alpha[0, 0, 0][inside].mean() > 0.85
    assert (layers.person - layers.copied)[0, 0, :, inside].abs().mean() < 0.1
    away = guide.state[0, 0] == 0
    away[:, 7:27] = False
    assert (layers.frames[0, 0, :, away] - 0.25).abs().max() < 0.1
    assert torch.equal(layers.copied[0, 0, :, inside], expected[0, :, inside])


def test_in_evaluation_all_that_the_photo_shows_is_copied(
    person: tuple[torch.Tensor, torch.Tensor],
) -> None:
    generator, guide = _fresh(), _guide()
    background = torch.zeros(1, 1, 3, SIDE, SIDE)
    with torch.no_grad():
        prepared = generator.prepare(*person)
        learned, _ = generator(prepared, guide, background)
        made, _ = generator.eval()(prepared, guide, background)
    seen = (made.visible > 0).expand_as(made.person)
    known = layer_inputs(prepared.person, prepared.foreground, guide).known.expand_as(seen) > 0
    assert seen.any()
    assert (known & ~seen).any()
    assert torch.equal(made.person[seen], made.copied[seen])
    assert torch.equal(made.person[~known], learned.person[~known])


def test_a_print_that_stands_in_for_what_is_hidden_stays_strong(
    person: tuple[torch.Tensor, torch.Tensor],
) -> None:
    guide = _guide()
    seen = guide.state == PixelState.VISIBLE
    guide = dataclasses.replace(
        guide,
        state=torch.where(seen, int(PixelState.HIDDEN), guide.state),
        filled=guide.filled | seen,
    )
    stripes = torch.tensor([-0.8, 0.8]).repeat(SIDE // 2).expand(1, 3, SIDE, SIDE)
    generator = _fresh()
    with torch.no_grad():
        generator.layers.weight[:3].mul_(30)
        prepared = generator.prepare(stripes.contiguous(), person[1])
        learned, _ = generator(prepared, guide, torch.zeros(1, 1, 3, SIDE, SIDE))
        made, _ = generator.eval()(prepared, guide, torch.zeros(1, 1, 3, SIDE, SIDE))
    inner = (0, 0, slice(None), slice(PERSON.start + 4, PERSON.stop - 4), slice(16, 22))
    gone, left = ((one.copied - one.person)[inner].abs().mean() for one in (learned, made))
    assert gone > 0.05
    assert left < 0.7 * gone


def test_in_evaluation_the_outline_has_half_a_say_but_in_its_gaps(
    person: tuple[torch.Tensor, torch.Tensor],
) -> None:
    generator, guide = _fresh(), _guide()
    torn = guide.state.clone()
    torn[:, :, PERSON, 18:20] = PixelState.NONE
    torn = dataclasses.replace(guide, state=torn)
    background = torch.zeros(1, 1, 3, SIDE, SIDE)
    with torch.no_grad():
        prepared = generator.prepare(*person)
        # As if the frame were cut out of one of 256 pixels.
        large = (prepared.image, prepared.person, prepared.foreground)
        large = (functional.interpolate(part, scale_factor=8) for part in large)
        prepared = PreparedSource(*large, prepared.folded)
        learned, _ = generator(prepared, torn, background)
        made, _ = generator.eval()(prepared, torn, background)
    assert torch.equal(made.frames, made.alpha * made.person)
    inner = slice(PERSON.start + 4, PERSON.stop - 4)
    alone = learned.alpha[..., inner, 18:20]
    gap = made.alpha[..., inner, 18:20], alone * ((alone - 0.06) / 0.06).clamp(0, 1)
    torch.testing.assert_close(*gap)
    body = made.alpha[..., inner, 22] - learned.alpha[..., inner, 22]
    torch.testing.assert_close(body, (1 - learned.alpha[..., inner, 22]) / 2)
    assert (made.alpha[..., :4] == 0).all()


def test_every_weight_learns(person: tuple[torch.Tensor, torch.Tensor]) -> None:
    generator, guide = _fresh(), _guide()
    background = torch.zeros(1, FRAMES, 3, SIDE, SIDE)
    prepared = generator.prepare(*person)
    layers, _ = generator(prepared, guide, background, after=_guide(1))
    (layers.frames.square().mean() + layers.synthesis.mean()).backward()
    silent = [name for name, one in generator.named_parameters() if one.grad is None]
    assert silent == []


def test_empty_surroundings_do_not_drown_the_gradient(
    person: tuple[torch.Tensor, torch.Tensor],
) -> None:
    generator, guide = _fresh(), _guide()
    empty = dataclasses.replace(guide, pose_heatmaps=torch.zeros_like(guide.pose_heatmaps))
    background = torch.zeros(1, FRAMES, 3, SIDE, SIDE)
    layers, _ = generator(generator.prepare(*person), empty, background)
    layers.frames.square().mean().backward()
    sizes = {name: one.grad.norm() for name, one in generator.named_parameters()}
    head = sizes.pop("layers.weight")
    name, largest = max(sizes.items(), key=lambda item: item[1])
    assert largest < 20 * head, f"where no joint is, {name} learns from noise"


def test_windows_go_on_where_the_one_before_ended(
    person: tuple[torch.Tensor, torch.Tensor],
) -> None:
    config = dataclasses.replace(SMALL, backward_branch=False)
    generator, guide = _fresh(config), _guide(2 * FRAMES)
    background = torch.zeros(1, 1, 3, SIDE, SIDE)

    def part(frames: slice) -> Guide:
        names = ("pose_heatmaps", "source_grid", "state", "filled")
        return Guide(*(getattr(guide, name)[:, frames] for name in names))

    with torch.no_grad():
        prepared = generator.prepare(*person)
        whole, _ = generator(prepared, guide, background)
        first, state = generator(prepared, part(slice(0, FRAMES)), background)
        second, _ = generator(prepared, part(slice(FRAMES, None)), background, state=state)
    joined = torch.cat((first.frames, second.frames), dim=1)
    assert torch.allclose(joined, whole.frames, atol=1e-5)


def test_a_long_clip_stays_bounded(person: tuple[torch.Tensor, torch.Tensor]) -> None:
    generator, state = _fresh(), None
    background = torch.zeros(1, 1, 3, SIDE, SIDE)
    sizes = []
    with torch.no_grad():
        prepared = generator.prepare(*person)
        for _ in range(30):
            _, state = generator(prepared, _guide(), background, state=state)
            sizes.append(float(state.forward[-1].abs().mean()))
    assert sizes[-1] < 2 * sizes[2]


def test_weights_are_kept_with_the_head(tmp_path) -> None:
    generator = _fresh()
    path = tmp_path / "weights.safetensors"
    halves = {name: value.half() for name, value in generator.state_dict().items()}
    save_weights(path, halves, SMALL)
    config, tensors = load_weights(path)
    assert config == SMALL
    again = build_generator(config)
    again.load_state_dict(tensors)
    for name, value in generator.state_dict().items():
        assert torch.allclose(again.state_dict()[name], value, rtol=1e-3, atol=1e-6), name
    with pytest.raises(InputError, match="head"):
        NetworkConfig(head="none")
