"""The full objective: its six terms over a window, weighted and added (equation 9)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.config import LossConfig
from bdmm.losses.contextual import contextual_loss
from bdmm.losses.perceptual import perceptual_loss, style_loss
from bdmm.losses.reconstruction import l1_loss
from bdmm.losses.vgg19 import Vgg19
from bdmm.shapes import Clips

Scalar = Float[Tensor, ""]


def supervised_terms(
    generated: Clips, target: Clips, vgg: Vgg19, config: LossConfig
) -> dict[str, Scalar]:
    """Return the four terms that compare a window with its target, not yet weighted.

    Args:
        generated: frames in [-1, 1].
        target: the true frames.
        vgg: from the same config.
        config: which layers each term reads.

    Returns:
        ``reconstruction``, ``perceptual``, ``style``, ``contextual``: each computed frame by frame
        and summed over the window, as the paper's authors ran it.
    """
    with torch.no_grad():
        true_features = [vgg(frame) for frame in target.unbind(1)]
    frames = [
        {
            "reconstruction": l1_loss(frame, true),
            "perceptual": perceptual_loss(ours := vgg(frame), theirs, config.perceptual_layers),
            "style": style_loss(ours, theirs, config.style_layers),
            "contextual": torch.stack(
                [contextual_loss(ours[name], theirs[name]) for name in config.contextual_layers]
            ).sum(),
        }
        for frame, true, theirs in zip(
            generated.unbind(1), target.unbind(1), true_features, strict=True
        )
    ]
    return {name: torch.stack([terms[name] for terms in frames]).sum() for name in frames[0]}


def weighted_sum(terms: Mapping[str, Scalar], config: LossConfig) -> Scalar:
    """Return the objective: each term times its weight, added (equation 9).

    Args:
        terms: unweighted terms, named as the weights of `bdmm.config.LossConfig`.
        config: the weights.
    """
    return torch.stack([getattr(config, name) * value for name, value in terms.items()]).sum()
