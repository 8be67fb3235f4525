"""Growing pictures to sizes that a network takes; `Conditions.pad` grows conditions."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def padded_size(size: tuple[int, int], step: int, least: int) -> tuple[int, int]:
    """Return the next (height, width) that are multiples of ``step`` and at least ``least``."""
    height, width = (max(-(-side // step) * step, least) for side in size)
    return height, width


def pad_image(image: Float[Tensor, "c h w"], size: tuple[int, int]) -> Float[Tensor, "c h1 w1"]:
    """Grow a picture to the right and below by repeating its rim."""
    return pad_frames(image[None], size)[0]


def pad_frames(
    frames: Float[Tensor, "t c h w"], size: tuple[int, int]
) -> Float[Tensor, "t c h1 w1"]:
    """Grow frames to the right and below by repeating their rims."""
    height, width = frames.shape[-2:]
    grow = (0, size[1] - width, 0, size[0] - height)
    return functional.pad(frames, grow, mode="replicate")
