import pytest
import torch
from torch.nn import functional

from bdmm.kernels.winograd_conv import winograd_conv, winograd_kernel


@pytest.mark.parametrize("size", [(4, 4), (1, 1), (7, 30), (33, 18), (6, 700)])
def test_it_is_the_convolution(size: tuple[int, int]) -> None:
    x = torch.randn(2, 5, *size, dtype=torch.float64)
    weight, bias = torch.randn(3, 5, 3, 3, dtype=torch.float64), torch.randn(3).double()
    plain = functional.conv2d(x, weight, bias, padding=1)
    ours = winograd_conv(x, winograd_kernel(weight), bias)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-11)


def test_single_precision_loses_a_few_of_its_last_bits() -> None:
    """How few, the plain convolution can't say: on some processors it sums far more precisely."""
    x = torch.randn(1, 256, 32, 32, dtype=torch.float64)
    weight = torch.randn(64, 256, 3, 3, dtype=torch.float64) / 48
    exact = functional.conv2d(x, weight, padding=1)
    ours = winograd_conv(x.float(), winograd_kernel(weight.float()), torch.zeros(64))
    eps = torch.finfo(torch.float32).eps
    assert (ours - exact).square().mean().sqrt() < 16 * eps * exact.std()
    torch.testing.assert_close(ours.double(), exact, rtol=0, atol=2e-5)
