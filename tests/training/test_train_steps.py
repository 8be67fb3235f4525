"""The two steps: every loss can be switched off, gradients go where they belong, NaN has a name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bdmm.config import LossConfig
from bdmm.data.batch import Batch
from bdmm.errors import InputError
from bdmm.losses.objective import seen_frames, supervised_terms
from bdmm.losses.vgg19 import Vgg19
from bdmm.network.discriminators import build_discriminators
from bdmm.network.generator import Generator
from bdmm.training.settings import LAYERED, TrainSettings, weights
from bdmm.training.steps import (
    Players,
    check_finite,
    discriminator_step,
    generate,
    generator_step,
)
from bdmm.training.terms import active, load_eye

NAMES = tuple(name for name in weights(LossConfig()) if name not in LAYERED)


def _players(settings: TrainSettings, vgg: Vgg19 | None, paired: bool = False) -> Players:
    config = replace(settings.discriminators, paired=paired)
    return Players(Generator(settings.network), *build_discriminators(config), paired, vgg)


def _only(settings: TrainSettings, *names: str) -> LossConfig:
    return replace(settings.losses, **{name: 0.0 for name in NAMES if name not in names})


@pytest.mark.parametrize("paired", [False, True])
def test_both_steps_over_two_windows_teach_every_weight(
    settings: TrainSettings, vgg: Vgg19, make_batch: Callable[[int], Batch], paired: bool
) -> None:
    players, state = _players(settings, vgg, paired), None
    parts = list(make_batch(1).windows(settings.frames))
    assert [part.conditions.after is None for part in parts] == [False, True]
    for part in parts:
        frames, state = generate(players, part, state)
        assert not state.structural.requires_grad
        assert not any(features.requires_grad for features in state.forward)
        judged = discriminator_step(players, part, frames, 3, settings.losses)
        assert set(judged) == {"spatial_discriminator", "temporal_discriminator"}
        assert all(one.grad is None for one in players.generator.parameters())
        before = {one: one.grad.clone() for one in players.spatial.parameters()}
        terms = generator_step(players, part, frames, 3, settings.losses)
        assert set(terms) == {*NAMES, "total"}
        assert all(torch.equal(one.grad, value) for one, value in before.items())
        assert all(one.requires_grad for one in players.temporal.parameters())
        silent = [name for name, one in players.generator.named_parameters() if one.grad is None]
        assert silent == []
        players.generator.zero_grad()
    assert all(one.grad is not None for one in players.temporal.parameters())


def test_the_look_ahead_is_the_next_windows_first_frame(
    settings: TrainSettings, make_batch: Callable[[int], Batch]
) -> None:
    batch = make_batch(1)
    first, second = (part.conditions for part in batch.windows(settings.frames))
    assert torch.equal(first.after.source_grid, second.source_grid[:, :1])
    assert torch.equal(first.after.keypoints, second.keypoints[:, :1])


@pytest.mark.parametrize("name", NAMES)
def test_each_loss_can_be_the_only_one(
    settings: TrainSettings, vgg: Vgg19, make_batch: Callable[[int], Batch], name: str
) -> None:
    config = _only(settings, name)
    part = next(make_batch(2).windows(settings.frames))
    players = _players(settings, vgg)
    frames, _ = generate(players, part, None)
    terms = generator_step(players, part, frames, 0, config)
    assert set(terms) == {name, "total"}
    assert any(float(one.grad.abs().max()) > 0 for one in players.generator.parameters())
    judges = discriminator_step(players, part, frames, 0, config)
    assert set(judges) == {name.replace("adversarial", "discriminator")} - {name}


@pytest.mark.parametrize("name", LAYERED)
def test_each_layers_loss_can_be_the_only_one(
    settings: TrainSettings, make_batch: Callable[[int], Batch], name: str
) -> None:
    config = replace(_only(settings), **{name: 1.0})
    judges = build_discriminators(settings.discriminators)
    layered = replace(settings.network, head="layers", feeds_back=False)
    players = Players(Generator(layered), *judges, False)
    first, second = make_batch(2).windows(settings.frames)
    generated, state = generate(players, first, None)
    terms = generator_step(players, first, generated, 0, config)
    assert set(terms) == {name, "total"}
    assert any(float(one.grad.abs().max()) > 0 for one in players.generator.parameters())
    generated, _ = generate(players, second, state)
    assert not discriminator_step(players, second, generated, 0, config)


def test_a_part_of_the_frames_stands_for_all(settings: TrainSettings, vgg: Vgg19) -> None:
    assert seen_frames(6, 1, 0) == [0, 1, 2, 3, 4, 5]
    assert seen_frames(6, 5, 2) == [2, 5]
    assert seen_frames(5, 4, 3) == [0, 2, 4]
    frame = torch.rand(1, 1, 3, 32, 32).expand(-1, 4, -1, -1, -1)
    target = torch.zeros_like(frame)
    every = supervised_terms(frame, target, vgg, settings.losses)
    some = supervised_terms(frame, target, vgg, replace(settings.losses, frames_seen=1), 3)
    for name, value in every.items():
        assert torch.allclose(some[name], value, rtol=1e-4), name


def test_vgg_is_needed_only_by_losses_that_read_it(
    settings: TrainSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    pixels = _only(settings, "reconstruction", "spatial_adversarial")
    assert active(pixels).layers == ()
    assert load_eye(None, pixels) is None
    assert active(_only(settings, "style")).layers == settings.losses.style_layers
    with pytest.raises(InputError, match=r"VGG-19 weights are not at .*checkpoints/vgg19-"):
        load_eye(None, settings.losses)


def test_a_number_that_is_none_has_a_name(
    settings: TrainSettings, vgg: Vgg19, make_batch: Callable[[int], Batch]
) -> None:
    with pytest.raises(InputError, match="style loss is inf"):
        check_finite({"reconstruction": torch.tensor(1.0), "style": torch.tensor(torch.inf)})
    part = next(make_batch(3).windows(settings.frames))
    players = _players(settings, vgg)
    frames, _ = generate(players, part, None)
    with torch.no_grad():
        for one in players.temporal.parameters():
            one.fill_(torch.nan)
    with pytest.raises(InputError, match="temporal discriminator loss is nan"):
        discriminator_step(players, part, frames, 0, settings.losses)
    with pytest.raises(InputError, match="temporal adversarial loss is nan"):
        generator_step(players, part, frames, 0, settings.losses)
    assert all(one.grad is None for one in players.generator.parameters())
    assert all(one.requires_grad for one in players.temporal.parameters())
