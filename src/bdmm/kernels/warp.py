"""Backward sampling of images and features: the project's only call of ``grid_sample``."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def warp(
    image: Float[Tensor, "b c h w"],
    grid: Float[Tensor, "b h1 w1 2"],
    mode: Literal["bilinear", "nearest"] = "bilinear",
    beyond: Literal["zeros", "border"] = "zeros",
) -> Float[Tensor, "b c h1 w1"]:
    """Sample ``image`` at the positions of ``grid``.

    Convention:
        Backward: output pixel p takes the value that ``image`` has at ``grid[p]``. A position is
        (x, y), normalised so that -1 and 1 are the outer edges of the image, not the centres of
        its border pixels (``align_corners=False``). By default interpolation is bilinear
        and everything outside the image is zero, so a position of -2 or beyond yields zero.

    Args:
        image: what is sampled.
        grid: where, one position for each output pixel; its height and width are the output's.
        mode: how pixels are interpolated.
        beyond: what is found outside the image.

    Returns:
        The samples, in the image's number type.
    """
    return functional.grid_sample(
        image, grid.to(image.dtype), mode=mode, padding_mode=beyond, align_corners=False
    )
