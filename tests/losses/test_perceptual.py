from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.losses.perceptual import gram_matrix, perceptual_loss, style_loss

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


@pytest.mark.parametrize("case", ["gram_a", "gram_b"])
def test_style_equals_the_published_loss(case: str) -> None:
    with np.load(FIXTURES / "losses.npz") as file:
        generated, target, gram, loss, gradient = (
            torch.from_numpy(file[f"{case}/{name}"])
            for name in ("gen", "target", "gram_gen", "l1", "grad_gen")
        )
    torch.testing.assert_close(gram_matrix(generated), gram, atol=1e-12, rtol=0)
    ours = style_loss({"x": generated.requires_grad_()}, {"x": target}, ["x"])
    ours.backward()
    torch.testing.assert_close(ours, loss, atol=1e-8, rtol=0)
    torch.testing.assert_close(generated.grad, gradient, atol=1e-8, rtol=0)


def test_gram_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])
    expected = torch.tensor([[[5.0, 1.0], [1.0, 10.0]]]) / 4
    torch.testing.assert_close(gram_matrix(features), expected)


def test_style_ignores_places_and_perceptual_does_not() -> None:
    features = torch.randn(1, 5, 4, 4)
    mirrored = features.flip(-1)
    zero = torch.tensor(0.0)
    torch.testing.assert_close(style_loss({"x": features}, {"x": mirrored}, ["x"]), zero)
    assert perceptual_loss({"x": features}, {"x": mirrored}, ["x"]) > 0.5


def test_layers_are_added_and_unnamed_ones_ignored() -> None:
    ours = {name: torch.full((1, 2, 3, 3), value) for name, value in [("a", 1.0), ("b", 2.0)]}
    theirs = {name: torch.zeros(1, 2, 3, 3) for name in ours}
    assert perceptual_loss(ours, theirs, ["a", "b"]) == 3
    assert perceptual_loss(ours, theirs, ["b"]) == 2
