"""The weights that are kept: an exponential moving average of those that are learned."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """Averaged tensors of a module.

    Early updates count more: after ``n`` of them the share kept is ``(1 + n) / (10 + n)`` at most,
    so that the random weights of the beginning are soon forgotten.

    Args:
        module: gives the first values.
        keep: share of the average that an update keeps, in [0, 1); 0 follows the module exactly.

    Attributes:
        tensors: the average, by the names of the module's state dict.
        updates: how many there were.
    """

    def __init__(self, module: nn.Module, keep: float) -> None:
        assert 0 <= keep < 1
        self.keep = keep
        self.updates = 0
        self.tensors = {name: value.clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the module's present values; whole numbers are copied."""
        self.updates += 1
        keep = min(self.keep, (1 + self.updates) / (10 + self.updates))
        for name, value in module.state_dict().items():
            average = self.tensors[name]
            if value.is_floating_point():
                average.lerp_(value.to(average.dtype), 1 - keep)
            else:
                average.copy_(value)

    def load(self, tensors: Mapping[str, Tensor], updates: int) -> None:
        """Go on from an earlier average.

        Args:
            tensors: of the same names and shapes.
            updates: how many had been made.
        """
        assert tensors.keys() == self.tensors.keys()
        for name, value in tensors.items():
            self.tensors[name].copy_(value)
        self.updates = updates
