import dataclasses

import torch

from bdmm.config import PRESETS
from bdmm.network.acceleration import WinogradConv, accelerate
from bdmm.network.generator import Generator


def test_an_accelerated_generator_makes_the_same_frames() -> None:
    config = dataclasses.replace(
        PRESETS["released"], joints=4, widths=(16, 128, 128), style_widths=(8, 8)
    )
    generator = Generator(config).eval()
    source = torch.rand(1, 3, 40, 48) * 2 - 1
    poses = torch.rand(1, 3, 4, 40, 48)
    grids = torch.rand(1, 3, 40, 48, 2) * 2.4 - 1.2
    with torch.inference_mode():
        frames, _ = generator(source, poses, grids)
        fast = accelerate(generator)
        again, _ = fast(source, poses, grids)
    assert sum(isinstance(module, WinogradConv) for module in fast.modules()) > 5
    torch.testing.assert_close(again, frames, rtol=0, atol=6e-4)
