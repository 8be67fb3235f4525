from dataclasses import replace

import pytest
import torch

from bdmm.config import NetworkConfig
from bdmm.errors import InputError
from bdmm.inference.renderers import NetworkRenderer
from bdmm.inference.trace import Block, blocks_of, trace
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
from bdmm.network.heads import Layers, frame_of
from bdmm.records import Conditions, joints_of

PAPER = NetworkConfig(joints=18, feeds_back=False, widths=(4, 6, 8), style_widths=(4, 6, 8))
RELEASED = replace(PAPER, joints=25, feeds_back=True)
LAYERED = replace(PAPER, head="layers", norm="pixel", widths=(4, 6), style_widths=(4, 6))
SIDE, FRAMES = 32, 3
ALL = [Block(branch, shrink) for shrink in (4, 2) for branch in ("forward", "backward")]


def stirred(generator):
    """Give the regression of offsets and masks numbers, as training would."""
    for module in blocks_of(generator).values():
        for conv in (module.offset, module.mask):
            if conv is not None:
                torch.nn.init.normal_(conv.weight, std=0.1)
    return generator.eval()


def window(generator):
    flat = torch.ones(1, FRAMES, SIDE, SIDE, dtype=torch.long)
    conditions = Conditions(
        keypoints=torch.rand(1, FRAMES, 29, 3) * SIDE,
        source_grid=torch.rand(1, FRAMES, SIDE, SIDE, 2) * 2 - 1,
        state=flat,
        fallback=flat > 1,
        joints=joints_of(generator.config.joints),
    )
    image, foreground = torch.rand(1, 3, SIDE, SIDE) * 2 - 1, torch.ones(1, 1, SIDE, SIDE)
    with torch.no_grad():
        return generator.prepare(image, foreground), conditions


@pytest.mark.parametrize("config", [PAPER, RELEASED], ids=["paper", "released"])
def test_tracing_changes_nothing_and_sees_all(config):
    generator = stirred(Generator(config))
    seen = window(generator)
    with torch.no_grad():
        alone, _ = generator(*seen)
        traced, _, frames = trace(generator, *seen)
        after, _ = generator(*seen)
    assert torch.equal(alone, traced)
    assert torch.equal(alone, after)
    assert len(frames) == FRAMES
    assert list(frames[0]) == ALL
    for block, one in frames[0].items():
        side = SIDE // block.shrink
        channels = {4: 6, 2: 4}[block.shrink]
        assert one.offsets.shape == (1, 18, side, side)
        assert one.masks.shape == (1, 9, side, side)
        assert one.propagated.shape == (1, channels, side, side)
        assert one.offsets.abs().max() > 0
        assert 0 <= one.masks.min() < one.masks.max() <= 2


def test_frames_are_traced_in_the_order_of_time():
    generator = stirred(Generator(PAPER))
    source, conditions = window(generator)
    with torch.no_grad():
        *_, whole = trace(generator, source, conditions)
        _, state, first = trace(generator, source, conditions.frames(slice(0, 1)))
        *_, rest = trace(generator, source, conditions.frames(slice(1, None)), state)
    block = Block("forward", 2)
    for one, other in zip(whole, first + rest, strict=True):
        assert (one[block].propagated - other[block].propagated).abs().max() < 1e-5
    assert not torch.equal(whole[0][block].offsets, whole[1][block].offsets)


def test_the_layers_of_each_frame_make_it():
    generator = accelerate(stirred(Generator(LAYERED)))
    with torch.no_grad():
        layers, _, frames = trace(generator, *window(generator))
    assert isinstance(layers, Layers)
    assert len(frames) == FRAMES
    for i, one in enumerate(frames):
        assert list(one) == ALL[2:]
        assert torch.equal(frame_of(layers, i).alpha[:, 0], layers.alpha[:, i])
        assert torch.equal(frame_of(layers, i).person[:, 0], layers.person[:, i])


def test_parts_that_were_left_out():
    assert list(blocks_of(Generator(replace(PAPER, backward_branch=False)))) == ALL[::2]
    generator = Generator(replace(PAPER, deformable=False, motion_mask=False))
    with torch.no_grad():
        *_, frames = trace(generator, *window(generator))
    one = frames[0][Block("backward", 4)]
    assert (one.offsets == 0).all()
    assert (one.masks == 1).all()
    blind = Generator(replace(PAPER, motion_modulation=False))
    with pytest.raises(InputError, match="no motion modulation"):
        NetworkRenderer(blind, traces=True)
