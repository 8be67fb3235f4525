"""The style encoder: the source photo's appearance as one vector."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from bdmm.config import NetworkConfig
from bdmm.network.layers import EncoderBlock
from bdmm.shapes import Style


class StyleEncoder(nn.Module):
    """Encoder blocks, then the mean over all pixels (figure 3, "Style Encoder")."""

    def __init__(self, config: NetworkConfig) -> None:
        """Build one block for each of the config's style widths."""
        super().__init__()
        widths = (3, *config.style_widths)
        self.blocks = nn.Sequential(
            *(
                EncoderBlock(a, b, config.slope, normed=config.colour_norm)
                for a, b in pairwise(widths)
            )
        )

    def forward(self, source: Float[Tensor, "b 3 h w"]) -> Style:
        """Encode photos, RGB in [-1, 1]; the last block must see more than one pixel."""
        return self.blocks(source).mean((2, 3))
