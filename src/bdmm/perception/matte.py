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
from jaxtyping import Bool, Float, UInt8
from scipy.sparse import csr_array, diags_array
from scipy.special import expit, logit

from bdmm.kernels.sparse_solve import solve_symmetric
from bdmm.perception.silhouette import clean_foreground

BAND = 0.006
"""Half the width of the rim that is solved for, in heights of the person."""
SURE = (0.1, 0.9)
"""The estimator's values up to which a pixel is outside, and from which on it is inside."""
_EPSILON = 1e-6
"""Variance of colours (of [0, 1]) that counts as none."""
_PRIOR = 1e-2
"""Weight of the likely alpha: it decides where windows don't."""
_NEARBY = 0.1
"""Half the side of the square whose colours are nearby, in heights of the person."""
_NOISE, _TEMPER, _CLEAR = 0.01, 0.5, 6.0
"""Standard deviation of colours (of [0, 1]) at least; share of their log-likelihood ratio that
counts, as channels are correlated; and its limit."""
_WINDOWS = 4096
"""Windows whose affinities are held at once."""
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
    pixels = image.astype(np.float32) / 255
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
    laplacian, own = _laplacian(image, unknown), np.flatnonzero(unknown)
    inner = laplacian[:, own] + _PRIOR * diags_array(np.ones(len(own)))
    border = _PRIOR * prior[unknown] - laplacian @ np.where(unknown, 0, known).ravel()
    return solve_symmetric(inner, border)


def _laplacian(image: Float[np.ndarray, "h w 3"], unknown: Bool[np.ndarray, "h w"]) -> csr_array:
    """Return the unknown pixels' rows of the matting Laplacian."""
    width, size = unknown.shape[1], unknown.size
    near = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    near[[0, -1]] = near[:, [0, -1]] = False
    window = np.add.outer(np.arange(-1, 2) * width, np.arange(-1, 2)).ravel()
    steps = np.add.outer(np.arange(-2, 3) * width, np.arange(-2, 3)).ravel()
    own, colours = np.flatnonzero(unknown), image.reshape(-1, 3)
    number = np.full(size, -1)
    number[own] = np.arange(len(own))
    values = np.zeros((len(own), len(steps)))
    centres = np.flatnonzero(near)
    for start in range(0, len(centres), _WINDOWS):  # fresh memory costs more than arithmetic
        pixels = centres[start : start + _WINDOWS, None] + window
        affinity = _affinity(colours[pixels])
        for first, step in enumerate(window):
            row = number[pixels[:, first]]
            some = row >= 0
            to_others = np.searchsorted(steps, window - step)
            values[row[some, None], to_others] -= affinity[some, first]
            values[row[some], len(steps) // 2] += 1
    columns = (own[:, None] + steps).clip(0, size - 1)
    rows = np.arange(0, values.size + 1, len(steps))
    laplacian = csr_array((values.ravel(), columns.ravel(), rows), shape=(len(own), size))
    laplacian.eliminate_zeros()
    return laplacian


def _affinity(colours: Float[np.ndarray, "m 9 3"]) -> Float[np.ndarray, "m 9 9"]:
    """Return how alike the pixels of each window are."""
    count = colours.shape[1]
    centred = colours - colours.mean(axis=1, keepdims=True)
    spread = centred.transpose(0, 2, 1) @ centred / count + _EPSILON / count * np.eye(3)
    return (1 + centred @ np.linalg.solve(spread, centred.transpose(0, 2, 1))) / count
