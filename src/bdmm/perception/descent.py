"""Adam, with rates that fall along half a cosine."""

from collections.abc import Sequence
from math import cos, pi

import torch
from torch import Tensor

_BETAS, _EPSILON = (0.9, 0.99), 1e-8
_LEAST = 1e-3
"""Rate that all rates end at."""


class Descent:
    """Gradient descent by Adam (Kingma and Ba, 2015); rates are annealed (Loshchilov, 2017).

    Steps are those of ``torch.optim.Adam`` under ``CosineAnnealingLR``, to the bit; tests compare
    them. The optimisers of PyTorch import its compiler, which takes two seconds and 70 MiB.

    Args:
        parameters: each with its first rate.
        steps: how many will be made.
    """

    def __init__(self, parameters: Sequence[tuple[Tensor, float]], steps: int) -> None:
        self._parameters = [parameter for parameter, _ in parameters]
        self._rates = [rate for _, rate in parameters]
        self._means = [torch.zeros_like(one) for one in self._parameters]
        self._squares = [torch.zeros_like(one) for one in self._parameters]
        self._steps, self._done = steps, 0

    @torch.no_grad()
    def step(self) -> None:
        """Move all parameters by their gradients, and forget these."""
        self._done += 1
        first, second = (1 - beta**self._done for beta in _BETAS)
        found = zip(self._parameters, self._rates, self._means, self._squares, strict=True)
        for parameter, rate, mean, square in found:
            gradient = parameter.grad
            if gradient is None:
                continue
            mean.lerp_(gradient, 1 - _BETAS[0])
            square.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
            size = (square.sqrt() / second**0.5).add_(_EPSILON)
            parameter.addcdiv_(mean, size, value=-rate / first)
            parameter.grad = None
        self._anneal()

    def _anneal(self) -> None:
        """Set the next step's rates."""
        before, now = (1 + cos(pi * n / self._steps) for n in (self._done - 1, self._done))
        share = now / before
        self._rates = [share * (rate - _LEAST) + _LEAST for rate in self._rates]
