from dataclasses import replace

import pytest
import torch

from bdmm.config import NetworkConfig
from bdmm.errors import InputError
from bdmm.inference.compositing import refine
from bdmm.inference.recorder import Block, Recorder, blocks_of
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
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
def test_watching_changes_nothing_and_sees_all(config):
    generator = stirred(Generator(config))
    seen = window(generator)
    with torch.no_grad():
        alone, _ = generator(*seen)
        with Recorder(generator) as recorder:
            watched, _ = generator(*seen)
        after, _ = generator(*seen)
    assert torch.equal(alone, watched)
    assert torch.equal(alone, after)
    assert len(recorder) == FRAMES
    assert list(recorder.waiting()[0].blocks) == ALL
    for block, one in recorder.take().blocks.items():
        side = SIDE // block.shrink
        channels = {4: 6, 2: 4}[block.shrink]
        assert one.offsets.shape == (1, 18, side, side)
        assert one.masks.shape == (1, 9, side, side)
        assert one.propagated.shape == (1, channels, side, side)
        assert one.offsets.abs().max() > 0
        assert 0 <= one.masks.min() < one.masks.max() <= 2
    assert len(recorder) == FRAMES - 1


def test_frames_are_taken_in_the_order_of_time():
    generator = stirred(Generator(PAPER))
    source, conditions = window(generator)
    with torch.no_grad(), Recorder(generator) as recorder:
        generator(source, conditions)
        whole = [recorder.take() for _ in range(FRAMES)]
        _, state = generator(source, conditions.frames(slice(0, 1)))
        generator(source, conditions.frames(slice(1, None)), state)
        parts = [recorder.take() for _ in range(FRAMES)]
    block = Block("forward", 2)
    for one, other in zip(whole, parts, strict=True):
        same = one.blocks[block].propagated - other.blocks[block].propagated
        assert same.abs().max() < 1e-5
    assert not torch.equal(whole[0].blocks[block].offsets, whole[1].blocks[block].offsets)


def test_the_layers_of_each_frame_make_it():
    generator = stirred(accelerate(Generator(LAYERED)))
    seen = window(generator)
    with torch.no_grad(), Recorder(generator) as recorder:
        layers, _ = generator(*seen)
    layers = refine(layers, SIDE)
    for i in range(FRAMES):
        one = recorder.take()
        assert list(one.blocks) == ALL[2:]
        assert one.layers is not None
        assert torch.equal(one.layers.alpha[:, 0], layers.alpha[:, i])
        assert torch.equal(one.layers.person[:, 0], layers.person[:, i])


def test_parts_that_were_left_out():
    with Recorder(Generator(replace(PAPER, backward_branch=False))) as recorder:
        assert list(recorder._blocks) == ALL[::2]
    generator = Generator(replace(PAPER, deformable=False, motion_mask=False))
    with torch.no_grad(), Recorder(generator) as recorder:
        generator(*window(generator))
    one = recorder.take().blocks[Block("backward", 4)]
    assert (one.offsets == 0).all()
    assert (one.masks == 1).all()
    with pytest.raises(InputError, match="no motion modulation"):
        Recorder(Generator(replace(PAPER, motion_modulation=False)))
