"""The full objective: its six terms over a window, weighted and added (equation 9)."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.config import LossConfig
from bdmm.losses.contextual import contextual_loss
from bdmm.losses.perceptual import LayerFeatures, l1_loss, perceptual_loss, style_loss
from bdmm.losses.vgg19 import Vgg19
from bdmm.shapes import Clips

Scalar = Float[Tensor, ""]
_Compare = Callable[[LayerFeatures, LayerFeatures], Scalar]


def supervised_terms(
    generated: Clips, target: Clips, vgg: Vgg19 | None, config: LossConfig, drawn: int = 0
) -> dict[str, Scalar]:
    """Return the terms that compare a window with its target, not yet weighted.

    Each is computed frame by frame and summed over the window, as the paper's authors ran it; one
    of weight 0 is left out.

    Args:
        generated: frames in [-1, 1].
        vgg: of the same config; None where no term reads features.
        drawn: the frame from which on VGG-19's are counted, where it doesn't see all.
    """
    terms: dict[str, Scalar] = {}
    pairs = list(zip(generated.unbind(1), target.unbind(1), strict=True))
    if config.reconstruction:
        terms["reconstruction"] = torch.stack([l1_loss(*pair) for pair in pairs]).sum()
    comparisons = _comparisons(config)
    if comparisons:
        assert vgg is not None, "a loss needs VGG-19"
        chosen = seen_frames(len(pairs), drawn, config.frames_seen)
        each = []
        for ours, theirs in (pairs[frame] for frame in chosen):
            with torch.no_grad():
                wanted = vgg(theirs)
            found = vgg(ours)
            each.append({name: compare(found, wanted) for name, compare in comparisons.items()})
        share = len(pairs) / len(chosen)
        terms |= {
            name: share * torch.stack([one[name] for one in each]).sum() for name in comparisons
        }
    return terms


def seen_frames(count: int, first: int, seen: int) -> list[int]:
    """Return which frames of a window are looked at: spread evenly, from a drawn one on.

    Args:
        count: frames of the window.
        first: the drawn frame.
        seen: how many; 0 for all.
    """
    if not 0 < seen < count:
        return list(range(count))
    return sorted({(first + number * count // seen) % count for number in range(seen)})


def _comparisons(config: LossConfig) -> dict[str, _Compare]:
    """Return what is done with two tables of features, by the name of the loss."""

    def contextual(ours: LayerFeatures, theirs: LayerFeatures) -> Scalar:
        layers = config.contextual_layers
        return torch.stack([contextual_loss(ours[name], theirs[name]) for name in layers]).sum()

    every: dict[str, _Compare] = {
        "perceptual": lambda ours, theirs: perceptual_loss(ours, theirs, config.perceptual_layers),
        "style": lambda ours, theirs: style_loss(ours, theirs, config.style_layers),
        "contextual": contextual,
    }
    return {name: compare for name, compare in every.items() if getattr(config, name)}


def weighted_sum(terms: Mapping[str, Scalar], config: LossConfig) -> Scalar:
    """Return the objective: each term times its weight, added (equation 9)."""
    return torch.stack([getattr(config, name) * value for name, value in terms.items()]).sum()
