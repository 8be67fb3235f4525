from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.losses.adversarial import discriminator_loss, generator_loss, least_squares

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


@pytest.mark.parametrize(("name", "verdict"), [("real", True), ("fake", False)])
def test_equals_the_published_loss(name: str, verdict: bool) -> None:
    with np.load(FIXTURES / "losses.npz") as file:
        logits, expected = (torch.from_numpy(file[f"lsgan/{key}"]) for key in ("logits", name))
    torch.testing.assert_close(least_squares(logits, float(verdict)), expected, atol=1e-12, rtol=0)


def test_the_two_sides_pull_apart() -> None:
    true, fake = torch.full((1, 1, 2, 2), 0.7), torch.full((1, 1, 2, 2), 0.2)
    assert discriminator_loss(true, fake).item() == pytest.approx((0.3**2 + 0.2**2) / 2)
    assert generator_loss(fake).item() == pytest.approx(0.8**2)
    assert discriminator_loss(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)) == 0
