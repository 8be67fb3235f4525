import pytest
import torch
from torch import Tensor
from torch.nn import functional

from bdmm.kernels.modulated_deform_conv import modulated_deform_conv, modulated_deform_conv_ref

TWINS = [modulated_deform_conv, modulated_deform_conv_ref]


def _inputs(
    batch: int = 2, size: int = 3, channels: int = 3, height: int = 6, width: int = 9
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random tensors whose offsets reach well past the border; nothing lies on a whole pixel."""
    taps = size * size
    return (
        torch.randn(batch, channels, height, width, dtype=torch.float64),
        torch.randn(batch, 2 * taps, height, width, dtype=torch.float64) * 4,
        torch.rand(batch, taps, height, width, dtype=torch.float64) * 2,
        torch.randn(batch, 4, channels, size, size, dtype=torch.float64),
    )


@pytest.mark.parametrize("conv", TWINS)
def test_offsets_are_dy_then_dx_by_tap(conv) -> None:
    features = torch.zeros(1, 1, 5, 6)
    features[0, 0, 1, 4] = 7  # the only lit pixel: row 1, column 4
    kernel = torch.zeros(1, 1, 1, 3, 3)
    kernel[0, 0, 0, 1, 2] = 10  # only tap 5: same row, one column to the right
    masks = torch.zeros(1, 9, 5, 6)
    masks[0, 5] = 0.5
    offsets = torch.zeros(1, 18, 5, 6)
    offsets[0, 10, 2, 1] = -1  # tap 5 of pixel (2, 1): up by one,
    offsets[0, 11, 2, 1] = 1.75  # right by one and three quarters: to row 1, column 3.75
    out = conv(features, offsets, masks, kernel)
    expected = torch.zeros(1, 1, 5, 6)
    expected[0, 0, 2, 1] = 10 * 0.5 * 0.75 * 7
    expected[0, 0, 1, 3] = 10 * 0.5 * 7  # not moved: its tap 5 is the lit pixel itself
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_twins_agree_in_outputs_and_gradients(size: int) -> None:
    inputs = [value.requires_grad_() for value in _inputs(size=size)]
    fast, reference = (conv(*inputs) for conv in TWINS)
    torch.testing.assert_close(fast, reference, rtol=0, atol=1e-12)
    cotangent = torch.randn_like(fast)
    for ours, specified in zip(
        torch.autograd.grad(fast, inputs, cotangent),
        torch.autograd.grad(reference, inputs, cotangent),
        strict=True,
    ):
        torch.testing.assert_close(ours, specified, rtol=0, atol=1e-11)


@pytest.mark.parametrize("conv", TWINS)
def test_gradients_are_those_of_the_function(conv) -> None:
    inputs = _inputs(batch=1, channels=2, height=2, width=3)
    inputs = [value.requires_grad_() for value in inputs]
    assert torch.autograd.gradcheck(conv, inputs, fast_mode=True)


def test_twins_agree_over_many_chunks_in_single_precision() -> None:
    features, offsets, masks, kernel = (
        value.float() for value in _inputs(batch=1, channels=64, height=45, width=41)
    )
    fast = modulated_deform_conv(features, offsets, masks, kernel)
    reference = modulated_deform_conv(features, offsets, masks, kernel, implementation="reference")
    torch.testing.assert_close(fast, reference, rtol=0, atol=3e-4)
    last = features.contiguous(memory_format=torch.channels_last)
    fast = modulated_deform_conv(last, offsets, masks, kernel)
    torch.testing.assert_close(fast, reference, rtol=0, atol=3e-4)
    assert fast.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("conv", TWINS)
def test_without_motion_it_is_a_convolution(conv) -> None:
    features, offsets, masks, kernel = _inputs()
    out = conv(features, torch.zeros_like(offsets), torch.ones_like(masks), kernel)
    for sample in range(2):
        plain = functional.conv2d(features[sample, None], kernel[sample], padding=1)
        torch.testing.assert_close(out[sample, None], plain)


@pytest.mark.parametrize("conv", TWINS)
def test_outside_is_zero_however_far(conv) -> None:
    features, offsets, masks, kernel = (value.float() for value in _inputs())
    for far in (1e2, -1e2, 1e7, -1e12):
        assert not conv(features, torch.full_like(offsets, far), masks, kernel).any()


def test_offsets_that_are_no_numbers_stay_in_their_sample() -> None:
    features, offsets, masks, kernel = _inputs()
    broken = offsets.clone()
    broken[0] = torch.nan
    out = modulated_deform_conv(features, broken, masks, kernel)
    assert out[0].isnan().all()
    torch.testing.assert_close(out[1], modulated_deform_conv(features, offsets, masks, kernel)[1])
