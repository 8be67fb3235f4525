"""Contextual loss: compare two images feature by feature, wherever the features stand.

Equation 13 of the paper, after Mechrez et al. 2018, in the form that the paper's authors ran:
every target position spreads its attention over the generated positions, and every generated
position is scored by the most attention that it gets.
"""

from math import ceil

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

_EPSILON = 1e-5
_BANDWIDTH = 0.5
"""Width of the attention: smaller is sharper."""


def contextual_loss(
    generated: Float[Tensor, "b c h w"],
    target: Float[Tensor, "b c h2 w2"],
    pairs: int = 2**23,
) -> Float[Tensor, ""]:
    """Return -log of the contextual similarity, averaged over the batch.

    Both maps are centred by the mean of the generated one over batch and positions: a batch is not
    the mean of its images. Memory does not grow with the square of the positions: the target's
    come in chunks, which are computed again on the way back.

    Args:
        generated: features of the generated frames.
        target: features of the true frames; any size, the same channels.
        pairs: pairs of positions compared at once. Changes memory and time, not the value; a
            much smaller table than the default's 32 MB stays in the C library's heap.
    """
    centre = generated.mean(dim=(0, 2, 3), keepdim=True)
    ours = F.normalize((generated - centre).flatten(2), dim=1)
    theirs = F.normalize((target - centre).flatten(2), dim=1)
    chunks = theirs.split(ceil(pairs / (len(ours) * ours.shape[2])), dim=2)
    if len(chunks) == 1:
        best = _best_attention(ours, theirs)
    else:
        scores = [checkpoint(_best_attention, ours, part, use_reentrant=False) for part in chunks]
        best = torch.stack(scores).amax(dim=0)
    return -best.mean(dim=1).log().mean()


def _best_attention(
    ours: Float[Tensor, "b c n"], theirs: Float[Tensor, "b c m"]
) -> Float[Tensor, "b n"]:
    """Return the most attention that each of our unit features gets from any of theirs."""
    distance = (1 - torch.einsum("bcn,bcm->bnm", ours, theirs)) / 2
    relative = distance / (distance.amin(dim=1, keepdim=True) + _EPSILON)
    return torch.softmax(-relative / _BANDWIDTH, dim=1).amax(dim=2)
