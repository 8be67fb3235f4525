"""Least-squares adversarial losses: true is 1, generated is 0.

The paper prints logarithms in equation 10 and trains with least squares (Mao et al. 2017), as the
supplement says; so do we. The same functions serve the spatial and the temporal discriminator.
"""

from jaxtyping import Float
from torch import Tensor

Logits = Float[Tensor, "b 1 hp wp"]


def least_squares(logits: Logits, label: float) -> Float[Tensor, ""]:
    """Return the mean squared distance of a map of logits from 1 (true) or 0 (generated)."""
    return (logits - label).square().mean()


def discriminator_loss(true: Logits, fake: Logits) -> Float[Tensor, ""]:
    """Return what the discriminator minimises; ``fake`` comes from detached generated frames."""
    return 0.5 * (least_squares(true, 1.0) + least_squares(fake, 0.0))


def generator_loss(fake: Logits) -> Float[Tensor, ""]:
    """Return what the generator minimises: its frames should be taken for true ones."""
    return least_squares(fake, 1.0)
