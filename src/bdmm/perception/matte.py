"""The foreground's rim at the photo's own resolution: closed-form matting.

The estimator's foreground has a cell of 256 across the person. Where it says neither inside nor
outside for sure, and in gaps that it overlooks (between arm and waist), alpha is solved for. Of all
alphas it is the one that is, in each window of three by three pixels, most nearly linear in the
colours (Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", 2008,
equation 12), and not far from how likely each pixel's colour is among those of the person and of
the background nearby.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import splu
from scipy.special import expit, logit

from bdmm.perception.silhouette import clean_foreground

BAND = 0.006
"""Half the width of the rim that is solved for, in heights of the person."""
SURE = (0.1, 0.9)
"""The estimator's values up to which a pixel is outside, and from which on it is inside."""
_EPSILON = 1e-6
"""Variance of colours (of [0, 1]) that counts as none."""
_PRIOR = 1e-2
"""Weight of the likely alpha: it decides where windows don't."""
_NEARBY = 0.07
"""Half the side of the square whose colours are nearby, in heights of the person."""
_NOISE, _TEMPER, _CLEAR = 0.01, 0.5, 6.0
"""Standard deviation of colours (of [0, 1]) at least; share of their log-likelihood ratio that
counts, as channels are correlated; and its limit."""
_LIMIT = 0.02
"""The estimator's alpha is taken for no surer than this."""


def refine_foreground(
    image: UInt8[np.ndarray, "h w 3"], soft: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Return the person's alpha in a photo.

    Args:
        soft: the estimator's foreground, in [0, 1].

    Returns:
        Alpha in [0, 1]: 1 and 0 outside of a narrow rim.
    """
    cleaned = clean_foreground(soft)
    rows = np.flatnonzero((cleaned > SURE[1]).any(axis=1))
    if not len(rows):
        return cleaned
    radius = max(2, round(BAND * (rows[-1] - rows[0] + 1)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    inside = cv2.erode((cleaned > SURE[1]).astype(np.uint8), disc) > 0
    outside = cv2.dilate((cleaned > SURE[0]).astype(np.uint8), disc) == 0
    doubtful = inside & (cv2.erode(soft, disc) < SURE[1])
    pixels = np.float32(image) / 255
    nearby = round(_NEARBY * (rows[-1] - rows[0] + 1))
    likely = _likely_alpha(pixels, soft, inside & ~doubtful, outside, nearby)
    gaps = cv2.dilate((doubtful & (likely < 0.5)).astype(np.uint8), disc) > 0
    unknown = (~inside | gaps) & ~outside
    if not unknown.any():
        return cleaned
    known = (inside & ~unknown).astype(np.float64)
    alpha = known.copy()
    alpha[unknown] = _solve(pixels.astype(np.float64), unknown, known, likely)
    return alpha.clip(0, 1).astype(np.float32)


def _likely_alpha(
    image: Float[np.ndarray, "h w 3"],
    soft: Float[np.ndarray, "h w"],
    inside: Bool[np.ndarray, "h w"],
    outside: Bool[np.ndarray, "h w"],
    nearby: int,
) -> Float[np.ndarray, "h w"]:
    """Return how likely each pixel is the person's, by the estimator and by colour."""
    (own, known), (other, other_known) = (
        _log_likelihood(image, region, nearby) for region in (inside, outside)
    )
    ratio = np.where(known & other_known, _TEMPER * (own - other), 0).clip(-_CLEAR, _CLEAR)
    return expit(logit(soft.clip(_LIMIT, 1 - _LIMIT)) + ratio).astype(np.float64)


def _log_likelihood(
    image: Float[np.ndarray, "h w 3"], region: Bool[np.ndarray, "h w"], nearby: int
) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return that of each pixel's colour among a region's nearby, and where there are any."""
    weight = region.astype(np.float32)[..., None]
    side = (2 * nearby + 1, 2 * nearby + 1)
    total, colours, squares = (
        cv2.blur(weight * values, side) for values in (np.ones_like(image), image, image**2)
    )
    known, total = total[..., 0] > 1e-6, total.clip(1e-6)
    mean = colours / total
    variance = (squares / total - mean**2).clip(0) + _NOISE**2
    return -0.5 * ((image - mean) ** 2 / variance + np.log(variance)).sum(axis=2), known


def _solve(
    image: Float[np.ndarray, "h w 3"],
    unknown: Bool[np.ndarray, "h w"],
    known: Float[np.ndarray, "h w"],
    prior: Float[np.ndarray, "h w"],
) -> Float[np.ndarray, "n"]:
    """Return the alphas of the unknown pixels, row by row."""
    laplacian = _laplacian(image, _windows(unknown))[np.flatnonzero(unknown)]
    inner = laplacian[:, np.flatnonzero(unknown)] + _PRIOR * diags_array(np.ones(unknown.sum()))
    border = _PRIOR * prior[unknown] - laplacian @ np.where(unknown, 0, known).ravel()
    return splu(inner.tocsc()).solve(border)


def _windows(unknown: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "m 9"]:
    """Return the pixels' indices of each window that an unknown pixel lies in."""
    width = unknown.shape[1]
    near = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    near[[0, -1]] = near[:, [0, -1]] = False
    around = np.add.outer(np.arange(-1, 2) * width, np.arange(-1, 2)).ravel()
    return np.flatnonzero(near)[:, None] + around


def _laplacian(image: Float[np.ndarray, "h w 3"], windows: Int[np.ndarray, "m 9"]) -> csr_array:
    """Return the matting Laplacian over all pixels."""
    count = windows.shape[1]
    colours = image.reshape(-1, 3)[windows]
    centred = colours - colours.mean(axis=1, keepdims=True)
    spread = centred.transpose(0, 2, 1) @ centred / count + _EPSILON / count * np.eye(3)
    affinity = (1 + centred @ np.linalg.solve(spread, centred.transpose(0, 2, 1))) / count
    values = np.eye(count) - affinity
    row = np.broadcast_to(windows[:, :, None], values.shape)
    column = np.broadcast_to(windows[:, None], values.shape)
    size = image.shape[0] * image.shape[1]
    return csr_array((values.ravel(), (row.ravel(), column.ravel())), shape=(size, size))
