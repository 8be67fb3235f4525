import pytest
import torch

from bdmm.kernels.per_sample_conv import conv_per_sample, transposed_conv_per_sample


@pytest.mark.parametrize("batch", [1, 3])
def test_twins_agree_in_outputs_and_gradients(batch: int) -> None:
    x = torch.randn(batch, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(batch, 2, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, dtype=torch.float64, requires_grad=True)
    for run in (
        lambda how: conv_per_sample(x, kernel, bias, how),
        lambda implementation: (
            transposed_conv_per_sample(x, kernel, implementation) + bias[:, None, None]
        ),
    ):
        fast, reference = run("fast"), run("reference")
        torch.testing.assert_close(fast, reference)
        cotangent = torch.randn_like(fast)
        for ours, specified in zip(
            torch.autograd.grad(fast, (x, kernel, bias), cotangent),
            torch.autograd.grad(reference, (x, kernel, bias), cotangent),
            strict=True,
        ):
            torch.testing.assert_close(ours, specified)


def test_transposed_convolution_of_one_pixel_is_the_kernel() -> None:
    x = torch.zeros(1, 1, 2, 3)
    x[0, 0, 1, 2] = 2
    kernel = torch.arange(9.0).view(1, 1, 1, 3, 3)
    out = transposed_conv_per_sample(x, kernel)
    assert out.shape == (1, 1, 5, 7)
    torch.testing.assert_close(out[0, 0, 2:, 4:], 2 * kernel[0, 0, 0])
    assert out.sum() == 2 * kernel.sum()
