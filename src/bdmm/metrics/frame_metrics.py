"""SSIM, PSNR and L1 of generated frames against the true ones, whole or by region.

SSIM is Wang et al.'s (2004): Gaussian window of sigma 1.5 and 11 taps, population covariance, per
channel; the five rows and columns at each edge, where the window is cut, do not count. Protocols
differ only in the range that its constants are taken from. PSNR is of 255 levels, computed per
frame and then averaged. Everything is computed in float64.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from bdmm.errors import InputError
from bdmm.media.pixels import to_pictures
from bdmm.metrics.protocols import Protocol
from bdmm.shapes import Image

Item = TypeVar("Item")
Result = TypeVar("Result")
Levels = UInt8[np.ndarray, "h w 3"]
"""RGB in 0..255."""
Region = Float[np.ndarray, "h w"]
"""Weight of each pixel in [0, 1]."""

WHOLE = "frame"
"""Name of the whole frame among regions."""
EDGE = 5
"""Rows and columns at each edge where SSIM is not defined."""

_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_TOP = 255.0
_AHEAD = 2
_BAND = 48
_WINDOW = cv2.getGaussianKernel(2 * EDGE + 1, _SIGMA, cv2.CV_64F)


@dataclass(frozen=True)
class FramePair:
    """A generated frame and the true one.

    Attributes:
        generated_uint8: RGB in 0..255.
        target_uint8: RGB in 0..255, of the same size.
        regions: parts of the true frame to score apart, by name.
    """

    name: str
    generated_uint8: Levels
    target_uint8: Levels
    regions: Mapping[str, Region] = field(default_factory=dict)


@dataclass(frozen=True)
class FrameScores:
    """Numbers of one frame or of one region of it.

    Attributes:
        ssim: in [-1, 1]; NaN where the protocol takes its range from the generated frame and that
            has one level only, or where a region lies in the `EDGE` alone.
        psnr: decibels; infinite where nothing differs.
        l1: mean absolute difference in the protocol's scale.
    """

    ssim: float
    psnr: float
    l1: float


def pair_of(
    name: str, generated: Image, target: Image, regions: Mapping[str, Region] | None = None
) -> FramePair:
    """Return a generated frame and the true one, rounded to 8 bits as a file would be.

    Args:
        generated: RGB in [-1, 1]; what lies beyond is clipped.
        target: the same, of the same size.

    Raises:
        InputError: a frame holds values that are not finite.
    """
    for kind, frame in (("generated", generated), ("true", target)):
        if not bool(frame.isfinite().all()):
            raise InputError(
                f"The {kind} frame {name} holds values that are not finite (NaN): the weights or "
                "what the network was given are damaged."
            )
    ours, theirs = (to_pictures(frame[None])[0] for frame in (generated, target))
    return FramePair(name, ours, theirs, regions or {})


def score_pair(pair: FramePair, protocol: Protocol) -> dict[str, FrameScores]:
    """Return the numbers of the whole frame, named `WHOLE`, and of each region that is not empty.

    Args:
        pair: frames of one size, at least 11 pixels each way.
    """
    generated = pair.generated_uint8.astype(np.float64)
    target = pair.target_uint8.astype(np.float64)
    assert generated.shape == target.shape, "frames of a pair are of one size"
    similar = ssim_map(generated, target, _ssim_range(generated, protocol))
    away = np.subtract(generated, target, out=generated)
    np.abs(away, out=away)
    scores = {WHOLE: _score(similar, away, None, protocol)}
    for name, region in pair.regions.items():
        if region.any():
            scores[name] = _score(similar, away, region.astype(np.float64), protocol)
    return scores


def ordered_map(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Yield the result of each item, in order; an error of one item ends it at that item's turn.

    At most a few items per worker are held at once.

    Args:
        work: free of state; worth threads where it spends its time in NumPy, OpenCV and the like.
        items: read in the caller's thread as they are needed.
        workers: threads; with 1 none is started.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > _AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def ssim_map(
    generated: Float[np.ndarray, "h w 3"], target: Float[np.ndarray, "h w 3"], data_range: float
) -> Float[np.ndarray, "h_inner w_inner 3"]:
    """Return SSIM at each pixel and channel where the window fits, `EDGE` less on every side.

    Args:
        data_range: the range of levels; 0 makes every value NaN.
    """
    assert min(generated.shape[:2]) > 2 * EDGE, "SSIM needs at least 11 pixels each way"
    if data_range <= 0:
        return np.full(_inner(generated).shape, np.nan)
    similar = np.empty(_inner(generated).shape)
    for top in range(0, len(similar), _BAND):
        rows = slice(top, top + _BAND + 2 * EDGE)
        similar[top : top + _BAND] = _ssim_of_band(generated[rows], target[rows], data_range)
    return similar


def psnr_of(mean_square: float) -> float:
    """Return decibels for a mean squared difference in levels; infinite for 0."""
    return float("inf") if mean_square == 0 else 10 * float(np.log10(_TOP**2 / mean_square))


def _ssim_of_band(generated: np.ndarray, target: np.ndarray, data_range: float) -> np.ndarray:
    """Return SSIM of some rows: small arrays that are used again stay in the cache."""
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_x, mean_y = _blur(generated), _blur(target)
    covariance = _blur(generated * target)
    variances = _blur(generated * generated + target * target)
    product = mean_x * mean_y
    covariance -= product
    mean_x *= mean_x
    mean_y *= mean_y
    squares = np.add(mean_x, mean_y, out=mean_x)
    variances -= squares
    above = _scaled(product, 2.0, c1)
    above *= _scaled(covariance, 2.0, c2)
    above /= _scaled(squares, 1.0, c1)
    above /= _scaled(variances, 1.0, c2)
    return above


def _scaled(values: np.ndarray, factor: float, summand: float) -> np.ndarray:
    """Multiply and add in place."""
    values *= factor
    values += summand
    return values


def _ssim_range(generated: np.ndarray, protocol: Protocol) -> float:
    if protocol.ssim_range == "full":
        return _TOP
    return float(generated.max() - generated.min())


def _score(
    similar: np.ndarray, away: np.ndarray, region: np.ndarray | None, protocol: Protocol
) -> FrameScores:
    inner = None if region is None else _inner(region)
    return FrameScores(
        ssim=_mean(similar, inner),
        psnr=psnr_of(_mean(away * away, region)),
        l1=_mean(away, region) / protocol.l1_levels,
    )


def _mean(values: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the mean over pixels and channels, weighted by pixel; NaN where no pixel counts."""
    if weights is None:
        return float(values.mean())
    total = weights.sum()
    if total == 0:
        return float("nan")
    return float(np.einsum("hwc,hw->", values, weights) / (total * values.shape[2]))


def _inner(values: np.ndarray) -> np.ndarray:
    return values[EDGE:-EDGE, EDGE:-EDGE]


def _blur(values: np.ndarray) -> np.ndarray:
    return _inner(cv2.sepFilter2D(values, -1, _WINDOW, _WINDOW))
