import dataclasses

import torch

from bdmm.config import PRESETS
from bdmm.network.acceleration import WinogradConv, accelerate
from bdmm.network.generator import Generator
from bdmm.records import Conditions


def test_an_accelerated_generator_makes_the_same_frames() -> None:
    config = dataclasses.replace(
        PRESETS["released"], joints=4, widths=(16, 128, 128), style_widths=(8, 8)
    )
    generator = Generator(config).eval()
    image, foreground = torch.rand(1, 3, 40, 48) * 2 - 1, torch.ones(1, 1, 40, 48)
    state = torch.ones(1, 3, 40, 48, dtype=torch.long)
    grids = torch.rand(1, 3, 40, 48, 2) * 2.4 - 1.2
    conditions = Conditions(
        torch.rand(1, 3, 29, 3) * 40, grids, state, state > 1, joints=(0, 1, 2, 3)
    )
    with torch.inference_mode():
        frames, _ = generator(generator.prepare(image, foreground), conditions)
        fast = accelerate(generator)
        again, _ = fast(fast.prepare(image, foreground), conditions)
    assert sum(isinstance(module, WinogradConv) for module in fast.modules()) > 5
    torch.testing.assert_close(again, frames, rtol=0, atol=6e-4)
