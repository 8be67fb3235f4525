"""The foreground's rim at the photo's own resolution: closed-form matting.

The estimator's foreground has a cell of 256 across the person; where it says neither inside nor
outside for sure, alpha is solved for. Of all alphas it is the one that is, in each window of three
by three pixels, most nearly linear in the colours (Levin, Lischinski and Weiss, "A Closed-Form
Solution to Natural Image Matting", 2008, equation 12).
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import splu

from bdmm.perception.silhouette import clean_foreground

BAND = 0.006
"""Half the width of the rim that is solved for, in heights of the person."""
SURE = (0.1, 0.9)
"""The estimator's values up to which a pixel is outside, and from which on it is inside."""
_EPSILON = 1e-6
"""Variance of colours (of [0, 1]) that counts as none."""
_PRIOR = 1e-2
"""Weight of the estimator's alpha: it decides where colours don't."""


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
    unknown = ~inside & ~outside
    if not unknown.any():
        return cleaned
    known = inside.astype(np.float64)
    alpha = known.copy()
    alpha[unknown] = _solve(image / 255.0, unknown, known, cleaned.astype(np.float64))
    return alpha.clip(0, 1).astype(np.float32)


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
