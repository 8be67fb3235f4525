"""Smooth filling of unknown pixels from the known ones around them, by an image pyramid."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


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
    weighted = functional.avg_pool2d(functional.pad(image * weight, pad), 2)
    known = functional.avg_pool2d(functional.pad(weight, pad), 2)
    coarse = weighted / known.clamp(min=1e-6)
    # A quarter of the pixels is enough to know a coarser pixel well.
    filled = push_pull(coarse, (4 * known).clamp(max=1))
    finer = functional.interpolate(
        filled,
        size=(height + pad[3], width + pad[1]),
        mode="bilinear",
        align_corners=False,
    )
    return weight * image + (1 - weight) * finer[..., :height, :width]
