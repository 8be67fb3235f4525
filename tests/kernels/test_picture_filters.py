"""Filters of pictures: OpenCV's do what the reference implementations specify."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bdmm.kernels.picture_filters import (
    box_mean,
    box_mean_ref,
    closing,
    closing_ref,
    enlarged,
    shrunk,
    smoothed,
    smoothed_ref,
)

Change = Callable[[Tensor], Tensor]


def _larger(values: Tensor) -> Tensor:
    return functional.interpolate(values, (27, 30), mode="bilinear", align_corners=False)


@pytest.mark.parametrize(
    ("fast", "reference"),
    [
        (lambda x: box_mean(x, 3), lambda x: box_mean_ref(x, 3)),
        (lambda x: closing(x, 2), lambda x: closing_ref(x, 2)),
        (lambda x: shrunk(x, 3), lambda x: functional.avg_pool2d(x, 3)),
        (lambda x: enlarged(x, (27, 30)), _larger),
        (lambda x: smoothed(x[:, :1]), lambda x: smoothed_ref(x[:, :1])),
    ],
)
def test_opencv_does_what_the_reference_specifies(fast: Change, reference: Change) -> None:
    values = torch.rand(2, 4, 12, 15, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fast(values), reference(values), rtol=1e-5, atol=1e-6)
    learned = values.clone().requires_grad_()
    fast(learned).sum().backward()
    assert learned.grad is not None


def test_the_mean_counts_zeros_beyond_the_picture() -> None:
    assert box_mean(torch.ones(1, 1, 5, 5), 1)[0, 0, 0, 0] == pytest.approx(4 / 9)


def test_closing_fills_narrow_gaps_only() -> None:
    legs = torch.ones(1, 1, 9, 12)
    legs[..., 2:4] = legs[..., 7:12] = 0
    closed = closing(legs, 1)
    assert torch.all(closed[..., :7] == 1)
    assert torch.all(closed[..., 8:] == 0)
