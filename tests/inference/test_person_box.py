"""The box around the person: only the person's part is computed, and windows still join."""

import dataclasses

import pytest
import torch

from bdmm.config import PRESETS
from bdmm.inference.compositing import refine
from bdmm.inference.person_box import Box, moved_state, pad_frames, person_box
from bdmm.inference.render import Scene
from bdmm.inference.renderers import NetworkRenderer
from bdmm.network.generator import Generator
from bdmm.records import Conditions, PixelState, PropagationState


def test_a_box_holds_the_person_and_some_room() -> None:
    state = torch.zeros(2, 128, 96, dtype=torch.int64)
    state[0, 40:60, 30] = PixelState.VISIBLE
    state[1, 50:70, 33] = PixelState.EXTENDED
    box = person_box(state, 8, 32)
    assert (box.top, box.bottom) == (32, 80)
    assert (box.left, box.right) == (24, 56)
    assert person_box(state, 8, 64) == Box(32, 96, 24, 88)
    state[1, 127, 95] = PixelState.HIDDEN
    assert person_box(state, 8, 32) == Box(32, 128, 24, 96)
    nobody = person_box(torch.zeros(1, 128, 96, dtype=torch.int64), 8, 64)
    assert (nobody.bottom - nobody.top, nobody.right - nobody.left) == (64, 64)


def test_a_state_moves_with_its_box() -> None:
    whole = torch.rand(1, 2, 16, 12), torch.rand(1, 3, 32, 24), torch.rand(1, 4, 8, 6)
    scales = (4, 2, 8)

    def seen(box: Box) -> PropagationState:
        quarter, half, eighth = (
            one[..., box.top // s : box.bottom // s, box.left // s : box.right // s]
            for one, s in zip(whole, scales, strict=True)
        )
        return PropagationState(structural=eighth, forward=(quarter, half))

    before, after = Box(8, 56, 0, 40), Box(16, 48, 8, 32)
    smaller, expected = moved_state(seen(before), before, after), seen(after)
    assert torch.equal(smaller.structural, expected.structural)
    for ours, theirs in zip(smaller.forward, expected.forward, strict=True):
        assert torch.equal(ours, theirs)
    larger = moved_state(seen(after), after, before)
    assert larger.structural.shape == seen(before).structural.shape
    assert float(larger.structural.sum()) == pytest.approx(float(expected.structural.sum()))


@pytest.mark.parametrize("part", [None, "forward_branch", "backward_branch"])
def test_frames_are_those_of_the_whole_picture(source, conditioned, motion, part) -> None:
    torch.manual_seed(3)
    config = dataclasses.replace(PRESETS["layered"], widths=(4, 6, 8), style_widths=(4, 6, 8))
    config = dataclasses.replace(config, **({part: False} if part else {}))
    generator = Generator(config)
    conditions = conditioned(motion[:5])
    windows = [conditions.frames(slice(0, 3)), conditions.frames(slice(3, 5))]
    rendered = list(NetworkRenderer(generator).render(Scene(source, windows)))
    made = torch.cat([window.frames for window in rendered])
    assert made.shape == (5, *source.image.shape)
    assert made.abs().max() <= 1

    whole = _whole(generator, source, windows)
    assert (made - whole).abs().mean() < 0.01
    far = conditions.state[0] == PixelState.NONE
    far = torch.nn.functional.avg_pool2d(far.float()[:, None], 41, 1, 20)[:, 0] == 1
    background = source.background.expand(5, -1, -1, -1)
    away = (made - background).abs().amax(dim=1)[far]
    assert away.numel() == 0 or away.max() < 0.2


def _whole(generator: Generator, source, windows: list[Conditions]) -> torch.Tensor:
    """Make frames without boxes."""
    height, width = source.image.shape[1:]
    size = (-(-height // 8) * 8, -(-width // 8) * 8)
    made, state = [], None
    with torch.no_grad():
        photo, foreground = (pad_frames(p[None], size) for p in (source.image, source.foreground))
        prepared = generator.prepare(photo, foreground)
        behind = pad_frames(source.background[None], size)[None]
        for window in windows:
            layers, state = generator(prepared, window.pad(size), state)
            frames = refine(layers, min(size)).over(behind)
            made.append(frames[0, :, :, :height, :width].clamp(-1, 1))
    return torch.cat(made)
