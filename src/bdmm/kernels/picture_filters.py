"""Filters and changes of size of pictures: OpenCV's where nothing is learned, on a CPU.

The reference implementations are PyTorch's pooling and interpolation, which are differentiable and
run on any device. OpenCV's are up to twenty times as fast and agree to rounding.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Pictures = Float[Tensor, "n c h w"]
Resized = Float[Tensor, "n c _ _"]


def box_mean(values: Pictures, reach: int) -> Pictures:
    """Return the mean of each square neighbourhood; beyond the picture lie zeros.

    Args:
        reach: pixels to each side.
    """
    if not _opencv_takes(values):
        return box_mean_ref(values, reach)
    size = (2 * reach + 1, 2 * reach + 1)
    return _planes(
        values, lambda one, out: cv2.blur(one, size, out, borderType=cv2.BORDER_CONSTANT)
    )


def box_mean_ref(values: Pictures, reach: int) -> Pictures:
    """Specify `box_mean`: one pooling for each side."""
    size = 2 * reach + 1
    rows = functional.avg_pool2d(values, (1, size), stride=1, padding=(0, reach))
    return functional.avg_pool2d(rows, (size, 1), stride=1, padding=(reach, 0))


def closing(values: Pictures, reach: int) -> Pictures:
    """Close gaps that are narrower than a square: the least of the largest values around.

    Args:
        reach: pixels of the square to each side.
    """
    if not _opencv_takes(values):
        return closing_ref(values, reach)
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return _planes(values, lambda one, out: cv2.morphologyEx(one, cv2.MORPH_CLOSE, square, out))


def closing_ref(values: Pictures, reach: int) -> Pictures:
    """Specify `closing`."""
    return -_grown(-_grown(values, reach), reach)


def shrunk(values: Pictures, factor: int) -> Resized:
    """Return the means of squares; both sides are multiples of the factor."""
    if not _opencv_takes(values):
        return functional.avg_pool2d(values, factor)
    size = values.shape[2] // factor, values.shape[3] // factor
    return _resized(values, size, cv2.INTER_AREA)


def enlarged(values: Pictures, size: tuple[int, int]) -> Resized:
    """Interpolate bilinearly to (height, width), outer edges on outer edges."""
    if not _opencv_takes(values):
        return functional.interpolate(values, size, mode="bilinear", align_corners=False)
    return _resized(values, size, cv2.INTER_LINEAR)


def smoothed(alpha: Float[Tensor, "n 1 h w"], times: int = 1) -> Float[Tensor, "n 1 h w"]:
    """Soften the staircase of pixels that are in or out: a quarter, a half, a quarter.

    Args:
        times: how often, 0 for not at all.
    """
    for _ in range(times):
        alpha = _smoothed_once(alpha)
    return alpha


def _smoothed_once(alpha: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    if not _opencv_takes(alpha):
        return smoothed_ref(alpha)
    border = cv2.BORDER_REPLICATE
    return _planes(alpha, lambda one, out: cv2.GaussianBlur(one, (3, 3), 0, out, borderType=border))


def smoothed_ref(alpha: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Specify `smoothed`, once."""
    taps = alpha.new_tensor([0.25, 0.5, 0.25])
    kernel = (taps[:, None] * taps)[None, None]
    return functional.conv2d(functional.pad(alpha, (1, 1, 1, 1), mode="replicate"), kernel)


def _grown(values: Pictures, reach: int) -> Pictures:
    """Return the largest value in each square neighbourhood, side by side: rows, then columns."""
    size = 2 * reach + 1
    rows = functional.max_pool2d(values, (1, size), stride=1, padding=(0, reach))
    return functional.max_pool2d(rows, (size, 1), stride=1, padding=(reach, 0))


def _opencv_takes(values: Pictures) -> bool:
    return (
        values.device.type == "cpu"
        and values.dtype == torch.float32
        and not (values.requires_grad and torch.is_grad_enabled())
        and not torch.compiler.is_compiling()
    )


def _resized(values: Pictures, size: tuple[int, int], how: int) -> Resized:
    def change(one: np.ndarray, out: np.ndarray) -> None:
        cv2.resize(one, size[::-1], out, interpolation=how)

    return _planes(values, change, size)


def _planes(
    values: Pictures,
    change: Callable[[np.ndarray, np.ndarray], Any],
    size: tuple[int, int] | None = None,
) -> Resized:
    """Change each channel of each picture as a picture of its own.

    Args:
        change: is given a plane and where to write the changed one.
        size: (height, width) of the result; that of the pictures if None.
    """
    planes = values.detach().contiguous()
    changed = planes.new_empty(*planes.shape[:2], *(size or planes.shape[2:]))
    for one, out in zip(planes.flatten(0, 1).numpy(), changed.flatten(0, 1).numpy(), strict=True):
        change(one, out)
    return changed
