"""Trained weights without their backward branch: not a network trained forward only."""

from dataclasses import replace
from pathlib import Path

import torch

from bdmm.errors import InputError
from bdmm.inference.layered import Layered
from bdmm.inference.renderers import RENDERERS, Network
from bdmm.network.acceleration import accelerate
from bdmm.network.generator import Generator
from bdmm.network.weights import load_weights

_BACKWARD = ("backward_propagation.", "decoder.backward_branch.")


def without_backward(weights: str | Path, device: torch.device | str = "cpu") -> Network | Layered:
    """Load a trained network and leave its backward branch out.

    The decoder adds the branches up, so the others work as before, but they have learnt to be
    added to. What is lost is more than what a network trained without the branch lacks.

    Args:
        weights: a file of weights or the folder of a run.
        device: where the network shall run.

    Raises:
        InputError: the file is missing, damaged, not ours, or its network has one branch only.
    """
    config, tensors = load_weights(weights)
    if not (config.forward_branch and config.backward_branch):
        raise InputError(f"The network of {weights} has one branch only: none can be left out.")
    generator = Generator(replace(config, backward_branch=False))
    generator.load_state_dict(
        {name: value for name, value in tensors.items() if not name.startswith(_BACKWARD)}
    )
    return RENDERERS[config.head](accelerate(generator.to(device)))
