import pytest
import torch
from torch.nn import functional

from bdmm.kernels.per_sample_conv import transposed_conv_per_sample
from bdmm.kernels.winograd_conv import (
    doubling_kernel,
    winograd_conv,
    winograd_kernel,
)
from bdmm.network.layers import blur


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [(4, 4), (1, 1), (7, 30), (33, 18), (6, 200)])
def test_it_is_the_convolution(size: tuple[int, int], threads: int) -> None:
    x, weight, bias = torch.randn(2, 5, *size), torch.randn(3, 5, 3, 3), torch.randn(3)
    plain = functional.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    ours = winograd_conv((x,), winograd_kernel(weight), bias)
    torch.set_num_threads(before)
    torch.testing.assert_close(ours.double(), plain, rtol=0, atol=1e-4)


@pytest.mark.parametrize("parts", [(24, 12), (3, 5), (5, 1), (48, 48)])
def test_inputs_are_joined_and_activated(parts: tuple[int, int]) -> None:
    inputs = [torch.randn(1, channels, 9, 14) for channels in parts]
    inputs[0] = inputs[0].contiguous(memory_format=torch.channels_last)
    x, weight, bias = torch.cat(inputs, 1), torch.randn(27, sum(parts), 3, 3), torch.randn(27)
    plain = functional.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    ours = winograd_conv(inputs, winograd_kernel(weight), bias, slope=0.2)
    expected = functional.leaky_relu(plain, 0.2)
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=5e-4)


def test_a_kernel_may_double_the_size_and_blur() -> None:
    x, kernel, bias = torch.randn(2, 6, 7, 5), torch.randn(1, 10, 6, 3, 3), torch.randn(10)
    expected = blur(transposed_conv_per_sample(x.double(), kernel.double()), bias.double())
    ours = winograd_conv((x,), doubling_kernel(kernel[0]), bias)
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=1e-4)


def test_single_precision_loses_a_few_of_its_last_bits() -> None:
    """How few, the plain convolution can't say: on some processors it sums far more precisely."""
    x = torch.randn(1, 256, 32, 32, dtype=torch.float64)
    weight = torch.randn(64, 256, 3, 3, dtype=torch.float64) / 48
    exact = functional.conv2d(x, weight, padding=1)
    ours = winograd_conv((x.float(),), winograd_kernel(weight.float()), torch.zeros(64))
    eps = torch.finfo(torch.float32).eps
    assert (ours - exact).square().mean().sqrt() < 16 * eps * exact.std()
    torch.testing.assert_close(ours.double(), exact, rtol=0, atol=2e-5)
