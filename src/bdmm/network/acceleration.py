"""Making a trained generator faster where it only generates."""

from typing import TypeVar

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


def accelerate(generator: _Module) -> _Module:
    """Exchange the layers of a generator that lies on a CPU for fast ones.

    All features then lie channels last, and convolutions are Winograd's. The generator is changed
    in place; afterwards it can neither be trained nor saved. On other devices nothing is changed:
    their libraries choose such methods themselves.

    Args:
        generator: with its final weights, on its final device.
    """
    if next(generator.parameters()).device.type == "cpu":
        from bdmm.network.fast_layers import FAST  # late: it starts warp-lang

        with torch.no_grad():
            for module in list(generator.modules()):
                for name, child in module.named_children():
                    if type(child) in FAST:
                        setattr(module, name, FAST[type(child)](child))
        generator.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return generator.eval()
