"""The rim of a person in a photo: colours spread beyond it, staircases softened."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.kernels.push_pull import push_pull

_PURE = 0.7
"""Foreground from which on a pixel may have the person's colour alone."""
_RIM = 1 / 256
"""Width of the rim in which the background shines through all the same, of the photo's side."""


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


def smoothed(alpha: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Soften the staircase of pixels that are in or out."""
    taps = alpha.new_tensor([0.25, 0.5, 0.25])
    kernel = (taps[:, None] * taps)[None, None]
    return functional.conv2d(functional.pad(alpha, (1, 1, 1, 1), mode="replicate"), kernel)
