"""L1, perceptual and style losses: distances of pixels, of features and of Gram matrices."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.shapes import Features

LayerFeatures = Mapping[str, Float[Tensor, "_ _ _ _"]]
"""Features by layer name, as `bdmm.losses.vgg19.Vgg19` gives them."""


def l1_loss(
    generated: Float[Tensor, "*batch c h w"], target: Float[Tensor, "*batch c h w"]
) -> Float[Tensor, ""]:
    """Return the mean absolute difference (the paper's appearance loss, section 3.3)."""
    return (generated - target).abs().mean()


def gram_matrix(features: Features) -> Float[Tensor, "b c c"]:
    """Return the products of all pairs of channels, divided by ``c h w`` (in equation 12)."""
    flat = features.flatten(2)
    return flat @ flat.mT / flat[0].numel()


def perceptual_loss(
    generated: LayerFeatures, target: LayerFeatures, layers: Sequence[str]
) -> Float[Tensor, ""]:
    """Return the mean L1 distance of features, summed over layers (equation 11).

    The paper prints a sum over channels and positions; its authors ran the mean.
    """
    return torch.stack([l1_loss(generated[name], target[name]) for name in layers]).sum()


def style_loss(
    generated: LayerFeatures, target: LayerFeatures, layers: Sequence[str]
) -> Float[Tensor, ""]:
    """Return the mean L1 distance of Gram matrices, summed over layers (equation 12)."""
    pairs = [(gram_matrix(generated[name]), gram_matrix(target[name])) for name in layers]
    return torch.stack([(ours - theirs).abs().mean() for ours, theirs in pairs]).sum()
