import dataclasses

import pytest
import torch

from bdmm.config import PRESETS
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
from bdmm.network.heads import Layers
from bdmm.network.layers import Conv3x3
from bdmm.records import Conditions


@pytest.mark.parametrize("preset", ["released", "layered"])
@pytest.mark.parametrize("clips", [1, 2])
def test_an_accelerated_generator_makes_the_same_frames(preset: str, clips: int) -> None:
    config = dataclasses.replace(
        PRESETS[preset], joints=4, widths=(12, 24, 32), style_widths=(8, 8)
    )
    generator = Generator(config).eval()
    for name, parameter in generator.named_parameters():
        if ".offset." in name or ".mask." in name:  # else no tap would move
            torch.nn.init.normal_(parameter, std=0.1)
    image, foreground = torch.rand(clips, 3, 40, 48) * 2 - 1, torch.ones(clips, 1, 40, 48)
    state = torch.ones(clips, 3, 40, 48, dtype=torch.long)
    grids = torch.rand(clips, 3, 40, 48, 2) * 2.4 - 1.2
    conditions = Conditions(
        torch.rand(clips, 3, 29, 3) * 40, grids, state, state > 1, joints=(0, 1, 2, 3)
    )
    with torch.inference_mode():
        plain, _ = generator(generator.prepare(image, foreground), conditions)
        fast = accelerate(generator)
        again, _ = fast(fast.prepare(image, foreground), conditions)
    assert not any(isinstance(module, Conv3x3) for module in fast.modules())
    names = ("alpha", "person") if isinstance(plain, Layers) else ()
    pairs = [(getattr(again, n), getattr(plain, n)) for n in names] or [(again, plain)]
    for ours, expected in pairs:
        torch.testing.assert_close(ours, expected, rtol=0, atol=6e-4)
