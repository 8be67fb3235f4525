"""Smooth filling of unknown pixels by an image pyramid; with it, the rim of a person in a photo."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.kernels.picture_filters import enlarged, shrunk

_PURE = 0.7
"""Foreground from which on a pixel may have the person's colour alone."""
_RIM = 1 / 256
"""Width of the rim in which the background shines through all the same, of the photo's side."""


def push_pull(
    image: Float[Tensor, "b c h w"], weight: Float[Tensor, "b 1 h w"]
) -> Float[Tensor, "b c h w"]:
    """Fill in what is unknown: near a hole's edge like the edge, deep inside like the far average.

    Known pixels are averaged into ever coarser pictures (pull), whose holes are filled from the
    next coarser one on the way back (push); Gortler et al., "The Lumigraph", 1996.

    Args:
        image: values; what they are where ``weight`` is 0 doesn't matter, but must be finite.
        weight: how well each pixel is known, in [0, 1]; pixels of weight 1 are kept as they are.

    Returns:
        The filled image; zeros if nothing at all is known.
    """
    height, width = image.shape[-2:]
    if height == 1 and width == 1:
        return image * (weight > 0)
    pad = (0, width % 2, 0, height % 2)
    weighted = shrunk(functional.pad(image * weight, pad), 2)
    known = shrunk(functional.pad(weight, pad), 2)
    coarse = weighted / known.clamp(min=1e-6)
    # A quarter of the pixels is enough to know a coarser pixel well.
    filled = push_pull(coarse, (4 * known).clamp(max=1))
    finer = enlarged(filled, (height + pad[3], width + pad[1]))
    return weight * image + (1 - weight) * finer[..., :height, :width]


def spread_person(
    image: Float[Tensor, "b 3 h w"], foreground: Float[Tensor, "b 1 h w"]
) -> Float[Tensor, "b 3 h w"]:
    """Return photos with everything that isn't purely person filled from the person's colours.

    Without it the background's colour would come along at the person's rim.

    Args:
        image: RGB in [-1, 1].
        foreground: in [0, 1].
    """
    rim = max(1, round(_RIM * min(image.shape[2:])))
    doubtful = (foreground < _PURE).to(image)
    near = functional.max_pool2d(doubtful, 2 * rim + 1, stride=1, padding=rim)
    return push_pull(image, 1 - near)
