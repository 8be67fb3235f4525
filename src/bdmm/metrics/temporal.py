"""How steady a video is: the warping error between neighbouring frames.

Lai et al. (2018): frame t + 1 is warped onto frame t along the optical flow, and the squared
differences where the flow can be trusted are averaged. The flow is that of the *true* video, so
that a generated one cannot win by moving wrongly but smoothly, and every system is scored on the
same pixels. The true video has an error of its own, reported too: noise, shadows, flow mistakes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from bdmm.kernels.warp import warp
from bdmm.metrics.frame_metrics import FramePair, Levels

_CONSISTENT_SHARE, _CONSISTENT_LEAST = 0.01, 0.5


@dataclass(frozen=True)
class WarpingError:
    """The step from a frame to the next.

    Attributes:
        generated: mean over trusted pixels of the squared difference, summed over RGB in [0, 1];
            NaN where no pixel can be trusted.
        target: the same of the true video.
        trusted: share of the pixels whose flow can be trusted.
    """

    generated: float
    target: float
    trusted: float


def warping_error(before: FramePair, after: FramePair) -> WarpingError:
    """Return the warping error of the step from a frame of a clip to the next."""
    flow = dense_flow(before.target_uint8, after.target_uint8)
    back = dense_flow(after.target_uint8, before.target_uint8)
    trusted = trusted_pixels(flow, back)
    return WarpingError(
        generated=_difference(before.generated_uint8, after.generated_uint8, flow, trusted),
        target=_difference(before.target_uint8, after.target_uint8, flow, trusted),
        trusted=float(trusted.mean()),
    )


def dense_flow(start_uint8: Levels, end_uint8: Levels) -> Float[np.ndarray, "h w 2"]:
    """Return where each pixel of ``start`` goes in ``end``: (dx, dy) in pixels, by OpenCV's DIS.

    Args:
        start_uint8: RGB in 0..255, at least 16 pixels each way.
        end_uint8: of the same size.
    """
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return estimator.calc(_grey(start_uint8), _grey(end_uint8), np.empty(0, np.float32))


def trusted_pixels(
    flow: Float[np.ndarray, "h w 2"], flow_back: Float[np.ndarray, "h w 2"]
) -> Bool[np.ndarray, "h w"]:
    """Return where flow and the flow back agree (Sundaram et al. 2010) and stay in the frame."""
    returned = _follow(flow_back, flow)
    gap = ((flow + returned) ** 2).sum(-1)
    size = (flow**2).sum(-1) + (returned**2).sum(-1)
    height, width = gap.shape
    y, x = np.mgrid[:height, :width]
    x, y = x + flow[..., 0], y + flow[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside & (gap <= _CONSISTENT_SHARE * size + _CONSISTENT_LEAST)


def _difference(start: np.ndarray, end: np.ndarray, flow: np.ndarray, trusted: np.ndarray) -> float:
    if not trusted.any():
        return float("nan")
    warped = _follow(end.astype(np.float32), flow)
    away = (warped - start)[trusted].astype(np.float64) / 255
    return float((away**2).sum(-1).mean())


def _follow(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Return, at each pixel, what ``values`` (``h w c``) has where the flow leads from there."""
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = np.stack([x + flow[..., 0], y + flow[..., 1]], -1) + 0.5
    grid = torch.from_numpy(places / np.array([width, height], np.float32) * 2 - 1).float()
    image = torch.from_numpy(values).float().movedim(-1, 0)
    return warp(image[None], grid[None])[0].movedim(0, -1).numpy()


def _grey(frame_uint8: np.ndarray) -> UInt8[np.ndarray, "h w"]:
    return cv2.cvtColor(np.ascontiguousarray(frame_uint8), cv2.COLOR_RGB2GRAY)
