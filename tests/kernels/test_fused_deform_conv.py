import pytest
import torch
from torch.nn import functional

from bdmm.kernels.fused_deform_conv import flat_kernel, fused_deform_conv
from bdmm.kernels.modulated_deform_conv import modulated_deform_conv_ref


@pytest.mark.parametrize(("channels", "size"), [(24, 3), (5, 3), (12, 1), (8, 5)])
def test_it_is_the_modulated_deformable_convolution(channels: int, size: int) -> None:
    taps = size * size
    features = torch.randn(2, channels, 13, 17)
    offsets, masks = torch.randn(2, 2 * taps, 13, 17) * 6, torch.rand(2, taps, 13, 17) * 2
    kernel, bias = torch.randn(1, 10, channels, size, size) / taps, torch.randn(10)
    given = (one.double() for one in (features, offsets, masks, kernel))
    plain = modulated_deform_conv_ref(*given) + bias[:, None, None]
    last = features.contiguous(memory_format=torch.channels_last)
    ours = fused_deform_conv(last, offsets, masks, flat_kernel(kernel[0]), bias, 0.2)
    expected = functional.leaky_relu(plain, 0.2)
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=1e-4)


def test_offsets_far_away_read_zero_and_no_numbers_stay_in_their_pixel() -> None:
    features, masks = torch.randn(1, 8, 6, 9), torch.rand(1, 9, 6, 9)
    kernel = flat_kernel(torch.randn(4, 8, 3, 3))
    for far in (1e2, -1e7, 1e12, torch.inf):
        offsets = torch.full((1, 18, 6, 9), far)
        assert not fused_deform_conv(features, offsets, masks, kernel, torch.zeros(4)).any()
    offsets[:] = 0
    offsets[0, :, 2, 3] = torch.nan
    broken = fused_deform_conv(features, offsets, masks, kernel, torch.zeros(4)).isnan()
    assert broken[0, :, 2, 3].all()
    assert broken.sum() == 4
