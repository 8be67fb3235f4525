import pytest
import torch

from bdmm.kernels.fused_shortcut import fused_shortcut, shortcut_kernel
from bdmm.network.layers import MOST, Shortcut


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("parts", [(24,), (5, 3), (24, 24)])
def test_it_is_the_end_of_a_residual_block(parts: tuple[int, ...], bounded: bool) -> None:
    shortcut = Shortcut(sum(parts), 11, bounded=bounded)
    inputs, added = [torch.randn(2, c, 13, 9) * 3 for c in parts], torch.randn(2, 11, 13, 9)
    with torch.no_grad():
        expected = shortcut(*inputs, added=added)
        kernel, bias = shortcut_kernel(shortcut.weight), shortcut.bias
        assert bias is not None
        ours = fused_shortcut(inputs, kernel, bias, added, MOST if bounded else 0.0)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
