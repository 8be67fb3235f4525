"""Batch normalisation by statistics that come with the weights and never change."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

EPSILON = 1e-3
"""Added to the variance: what TensorFlow's Inception networks were trained with."""


class FixedNorm(nn.Module):
    """Normalises each channel; tensors are named as `torch.nn.BatchNorm2d` names them.

    Args:
        channels: of the input.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Float[Tensor, "b c *place"]) -> Float[Tensor, "b c *place"]:
        """Return the input with mean and variance taken out, scaled and shifted."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=EPSILON
        )
