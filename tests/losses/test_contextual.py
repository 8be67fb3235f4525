from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.losses.contextual import contextual_loss

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


@pytest.mark.parametrize("case", ["cx_a", "cx_b", "cx_relu"])
@pytest.mark.parametrize("pairs", [2**20, 300])
def test_equals_the_published_loss(case: str, pairs: int) -> None:
    with np.load(FIXTURES / "losses.npz") as file:
        generated, target, loss, gradient = (
            torch.from_numpy(file[f"{case}/{name}"])
            for name in ("gen", "target", "loss", "grad_gen")
        )
    ours = contextual_loss(generated.requires_grad_(), target, pairs=pairs)
    ours.backward()
    torch.testing.assert_close(ours, loss, atol=1e-8, rtol=0)
    torch.testing.assert_close(generated.grad, gradient, atol=1e-8, rtol=0)


def test_chunks_change_neither_value_nor_gradients() -> None:
    generated = torch.randn(2, 6, 5, 8, dtype=torch.double, requires_grad=True)
    target = torch.randn(2, 6, 7, 3, dtype=torch.double, requires_grad=True)
    results = []
    for pairs in (2**20, 300):
        loss = contextual_loss(generated, target, pairs=pairs)
        results.append((loss.detach(), *torch.autograd.grad(loss, (generated, target))))
    torch.testing.assert_close(results[0], results[1], atol=1e-14, rtol=0)


def test_gradients_agree_with_differences() -> None:
    generated = torch.randn(1, 3, 2, 2, dtype=torch.double, requires_grad=True)
    target = torch.randn(1, 3, 1, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda a, b: contextual_loss(a, b, pairs=8), (generated, target)
    )


def test_two_positions_by_hand() -> None:
    # Centred by the generated mean 0: unit features +x and -x face targets +x and +y.
    generated = torch.tensor([[[[1.0, -1.0]], [[0.0, 0.0]]]], dtype=torch.double)
    target = torch.tensor([[[[2.0, 0.0]], [[0.0, 3.0]]]], dtype=torch.double)
    # Target +x: distances 0 and 1, the second infinitely far in relation: attention (1, 0).
    # Target +y: distances 1/2 and 1/2: attention (1/2, 1/2). Best per position: 1 and 1/2.
    assert contextual_loss(generated, target).item() == pytest.approx(-np.log(0.75), abs=1e-12)


def test_where_the_features_stand_does_not_matter() -> None:
    generated, target = torch.randn(2, 1, 16, 6, 6).double()
    shuffled = target.flatten(2)[:, :, torch.randperm(36)].view_as(target)
    torch.testing.assert_close(
        contextual_loss(generated, target), contextual_loss(generated, shuffled)
    )
    assert contextual_loss(target, shuffled) < 0.1 < contextual_loss(generated, target)


def test_dead_features_give_no_nan() -> None:
    flat = torch.zeros(1, 4, 3, 3, requires_grad=True)
    loss = contextual_loss(flat, torch.zeros(1, 4, 3, 3))
    loss.backward()
    assert loss.isfinite()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_kept_memory_does_not_grow_with_the_square_of_positions() -> None:
    kept = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    generated, target = torch.randn(2, 1, 4, 48, 48)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        contextual_loss(generated.requires_grad_(), target, pairs=2**19)
    # The table of all pairs alone has (48 * 48)**2 numbers, and more than one would be kept.
    assert kept < 0.1 * (48 * 48) ** 2
