import math
from dataclasses import replace

import pytest

from bdmm.config import LossConfig
from bdmm.errors import InputError
from bdmm.training.settings import LAYERED, TRAIN_PRESETS, TrainSettings, weights


def test_rates_rise_and_fall() -> None:
    settings = TrainSettings(steps=100, learning_rate=1e-3, final_rate=1e-4, warm_up=9)
    assert settings.rate(0) == pytest.approx(1e-4, rel=1e-3)
    assert settings.rate(9) == pytest.approx(1e-4 + 9e-4 * (1 + math.cos(0.09 * math.pi)) / 2)
    assert settings.rate(50) == pytest.approx(5.5e-4)
    assert settings.rate(100) == settings.rate(500) == pytest.approx(1e-4)
    assert TrainSettings(learning_rate=2e-4).rate(40_000) == 2e-4


def test_the_papers_numbers() -> None:
    paper = TRAIN_PRESETS["paper"]
    assert (paper.steps, paper.frames, paper.windows) == (50_000, 6, 5)
    assert (paper.learning_rate, paper.discriminator_share) == (1e-4, 0.1)
    assert paper.betas == (0.5, 0.999)
    assert weights(paper.losses) == {
        "reconstruction": 5.0,
        "spatial_adversarial": 2.0,
        "temporal_adversarial": 2.0,
        "perceptual": 0.5,
        "style": 500.0,
        "contextual": 0.1,
        **dict.fromkeys(LAYERED, 0.0),
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": math.nan}, "learning rate"),
        ({"learning_rate": 0.0}, "learning rate"),
        ({"learning_rate": math.inf}, "learning rate"),
        ({"final_rate": math.nan}, "learning rate"),
        ({"warm_up": -1}, "warm up"),
        ({"window": 3}, "temporal discriminator sees 6 frames, not 3"),
        ({"steps": 0}, "steps"),
        ({"save_every": 0}, "save every"),
        ({"average": 1.0}, "average"),
        ({"gradient_limit": -1.0}, "gradient limit"),
        ({"losses": LossConfig(style=math.nan)}, "style loss"),
        ({"losses": LossConfig(contextual=-1.0)}, "contextual loss"),
        ({"losses": LossConfig(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)}, "nothing to learn"),
    ],
)
def test_impossible_numbers_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(TrainSettings(), **changes)
