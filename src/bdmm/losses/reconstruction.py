"""Appearance loss: the distance between pixels."""

from jaxtyping import Float
from torch import Tensor


def l1_loss(
    generated: Float[Tensor, "*batch c h w"], target: Float[Tensor, "*batch c h w"]
) -> Float[Tensor, ""]:
    """Return the mean absolute difference (the paper's appearance loss, section 3.3)."""
    return (generated - target).abs().mean()
