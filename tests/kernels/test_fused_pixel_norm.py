import pytest
import torch

from bdmm.kernels.fused_pixel_norm import fused_pixel_norm
from bdmm.network.layers import PixelNorm


@pytest.mark.parametrize("parts", [(24,), (5,), (24, 24), (3, 7)])
def test_it_is_the_norm_and_the_activation(parts: tuple[int, ...]) -> None:
    norm = PixelNorm(sum(parts))
    torch.nn.init.normal_(norm.gain)
    torch.nn.init.normal_(norm.bias)
    inputs = [torch.randn(2, channels, 37, 31) * 3 + 5 for channels in parts]
    inputs[0][0, :, 1, 2] = 0
    ours = fused_pixel_norm(inputs, norm.gain, norm.bias, 0.2)
    torch.testing.assert_close(ours, norm(*inputs, slope=0.2), rtol=0, atol=1e-5)
