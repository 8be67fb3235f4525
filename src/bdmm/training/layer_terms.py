"""What a generator with a head of layers learns from beside its frames: the layers themselves."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.config import LossConfig
from bdmm.data.batch import Batch
from bdmm.network.heads import Layers

Scalar = Float[Tensor, ""]
_CROSS_ENTROPY = 0.25
"""Its share beside the L1 distance of alpha."""
_CERTAIN = 1e-4


def layer_terms(layers: Layers, batch: Batch, config: LossConfig) -> dict[str, Scalar]:
    """Return the terms that only layers have, not yet weighted, without those of weight 0.

    Args:
        layers: of a window, in 32 bit.
        batch: the window's truth.
        config: weights.

    Returns:
        ``person``, ``alpha``, ``synthesis`` and ``copy`` of `bdmm.config.LossConfig`: means over
        the window's pixels, those of the first, third and fourth over the person's alone.
    """
    person, target = batch.target_foreground, batch.target_frames
    terms: dict[str, Scalar] = {}
    if config.person:
        # Of the colours, not of the frames: those would be rewarded for a person that is too wide.
        terms["person"] = _mean_over((layers.person - target).abs(), person)
    if config.alpha:
        alpha = layers.alpha.clamp(_CERTAIN, 1 - _CERTAIN)
        entropy = functional.binary_cross_entropy(alpha, person)
        terms["alpha"] = (layers.alpha - person).abs().mean() + _CROSS_ENTROPY * entropy
    if config.synthesis:
        terms["synthesis"] = _mean_over((layers.synthesis - target).abs(), person)
    if config.copy:
        terms["copy"] = _mean_over(1 - layers.copy, layers.visible * person)
    return terms


def _mean_over(values: Float[Tensor, "b t c h w"], weight: Float[Tensor, "b t 1 h w"]) -> Scalar:
    channels = values.shape[2]
    return (values * weight).sum() / (channels * weight.sum()).clamp(min=1.0)
