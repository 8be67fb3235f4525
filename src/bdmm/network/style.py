"""The style encoder: the source photo's appearance as one vector."""

from jaxtyping import Float
from torch import Tensor, nn

from bdmm.config import NetworkConfig
from bdmm.network.layers import encoder_blocks
from bdmm.shapes import Style

_EPSILON = 1e-6


class StyleEncoder(nn.Module):
    """Encoder blocks, then the mean over all pixels (figure 3, "Style Encoder")."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build one block for each of the config's style widths."""
        super().__init__()
        self.unit = config.unit_style
        widths = (3, *config.style_widths)
        self.blocks = nn.Sequential(*encoder_blocks(widths, config.slope, config.norm))

    def forward(self, source: Float[Tensor, "b 3 h w"]) -> Style:
        """Encode photos, RGB in [-1, 1]; the last block must see more than one pixel."""
        style = self.blocks(source).mean((2, 3))
        if self.unit:
            # Nothing inside the encoder holds its size, and it scales every kernel.
            style = style * (style.square().mean(dim=1, keepdim=True) + _EPSILON).rsqrt()
        return style
