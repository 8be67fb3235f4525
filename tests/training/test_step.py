"""The two steps: every loss can be switched off, gradients go where they belong, NaN has a name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bdmm.config import LossConfig
from bdmm.data.batch import Batch
from bdmm.errors import InputError, TrainingDiverged
from bdmm.losses.objective import seen_frames, supervised_terms
from bdmm.losses.vgg19 import Vgg19
from bdmm.network.discriminators import build_discriminators
from bdmm.network.generator import Generator
from bdmm.training.feature_extractor import load_features
from bdmm.training.settings import LAYERED, TrainSettings, weights
from bdmm.training.step import (
    Learning,
    Networks,
    check_finite,
    discriminator_terms,
    generate,
    generator_terms,
)

NAMES = tuple(name for name in weights(LossConfig()) if name not in LAYERED)


def _networks(settings: TrainSettings, vgg: Vgg19 | None, paired: bool = False) -> Networks:
    config = replace(settings.discriminators, paired=paired)
    return Networks(Generator(settings.network), *build_discriminators(config), paired, vgg)


def _only(settings: TrainSettings, *names: str) -> LossConfig:
    return replace(settings.losses, **{name: 0.0 for name in NAMES if name not in names})


@pytest.mark.parametrize("paired", [False, True])
def test_both_steps_over_two_windows_teach_every_weight(
    settings: TrainSettings, vgg: Vgg19, make_batch: Callable[[int], Batch], paired: bool
) -> None:
    networks, state = _networks(settings, vgg, paired), None
    learning = Learning(settings.losses, drawn=3)
    parts = list(make_batch(1).windows(settings.frames))
    assert [part.conditions.after is None for part in parts] == [False, True]
    for part in parts:
        frames, state = generate(networks, part, state)
        assert not state.structural.requires_grad
        assert not any(features.requires_grad for features in state.forward)
        discriminated = discriminator_terms(networks, part, frames, learning)
        assert set(discriminated) == {"spatial_discriminator", "temporal_discriminator"}
        assert all(one.grad is None for one in networks.generator.parameters())
        before = {one: one.grad.clone() for one in networks.spatial.parameters()}
        terms = generator_terms(networks, part, frames, learning)
        assert set(terms) == {*NAMES, "total"}
        assert all(torch.equal(one.grad, value) for one, value in before.items())
        assert all(one.requires_grad for one in networks.temporal.parameters())
        silent = [name for name, one in networks.generator.named_parameters() if one.grad is None]
        assert silent == []
        networks.generator.zero_grad()
    assert all(one.grad is not None for one in networks.temporal.parameters())


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
    networks = _networks(settings, vgg)
    frames, _ = generate(networks, part, None)
    terms = generator_terms(networks, part, frames, Learning(config, 0))
    assert set(terms) == {name, "total"}
    assert any(float(one.grad.abs().max()) > 0 for one in networks.generator.parameters())
    judges = discriminator_terms(networks, part, frames, Learning(config, 0))
    assert set(judges) == {name.replace("adversarial", "discriminator")} - {name}


@pytest.mark.parametrize("name", LAYERED)
def test_each_layers_loss_can_be_the_only_one(
    settings: TrainSettings, make_batch: Callable[[int], Batch], name: str
) -> None:
    config = replace(_only(settings), **{name: 1.0})
    judges = build_discriminators(settings.discriminators)
    layered = replace(settings.network, head="layers", feeds_back=False)
    networks = Networks(Generator(layered), *judges, False)
    first, second = make_batch(2).windows(settings.frames)
    generated, state = generate(networks, first, None)
    terms = generator_terms(networks, first, generated, Learning(config, 0))
    assert set(terms) == {name, "total"}
    assert any(float(one.grad.abs().max()) > 0 for one in networks.generator.parameters())
    generated, _ = generate(networks, second, state)
    assert not discriminator_terms(networks, second, generated, Learning(config, 0))


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
    assert pixels.layers == ()
    assert load_features(None, pixels) is None
    assert _only(settings, "style").layers == settings.losses.style_layers
    with pytest.raises(InputError, match=r"VGG-19 weights are not at .*checkpoints/vgg19-"):
        load_features(None, settings.losses)


def test_a_number_that_is_none_has_a_name(
    settings: TrainSettings, vgg: Vgg19, make_batch: Callable[[int], Batch]
) -> None:
    with pytest.raises(TrainingDiverged, match="style loss is inf"):
        check_finite({"reconstruction": torch.tensor(1.0), "style": torch.tensor(torch.inf)})
    part = next(make_batch(3).windows(settings.frames))
    networks = _networks(settings, vgg)
    frames, _ = generate(networks, part, None)
    with torch.no_grad():
        for one in networks.temporal.parameters():
            one.fill_(torch.nan)
    with pytest.raises(TrainingDiverged, match="temporal discriminator loss is nan"):
        discriminator_terms(networks, part, frames, Learning(settings.losses, 0))
    with pytest.raises(TrainingDiverged, match="temporal adversarial loss is nan"):
        generator_terms(networks, part, frames, Learning(settings.losses, 0))
    assert all(one.grad is None for one in networks.generator.parameters())
    assert all(one.requires_grad for one in networks.temporal.parameters())
