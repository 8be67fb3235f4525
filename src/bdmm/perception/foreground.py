"""The person's foreground in a photo: the estimator's soft one, cleaned."""

import cv2
import numpy as np
from jaxtyping import Bool, Float

FADE = (0.3, 0.8)
"""The estimator's values that become 0 and 1: its rim reaches a pixel into the surroundings."""
PINHOLE = 0.002
"""Holes up to this share of the person's area are closed."""


def clean_foreground(soft: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Drop islands, close pinholes and tighten the rim.

    Args:
        soft: the estimator's foreground in [0, 1].
    """
    piece = largest_piece(soft > 0.5)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    near = cv2.dilate(piece.astype(np.uint8), disc) > 0
    holes = piece & (soft <= 0.5)
    low, high = FADE
    tight = ((soft - low) / (high - low)).clip(0, 1)
    return np.where(holes, 1.0, np.where(near, tight, 0.0)).astype(np.float32)


def largest_piece(inside: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Return the largest connected piece, its pinholes closed."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    if count < 2:
        return inside
    piece = pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((~piece).astype(np.uint8))
    most = max(4.0, PINHOLE * float(piece.sum()))
    pinholes = [hole for hole in range(1, count) if stats[hole, cv2.CC_STAT_AREA] < most]
    return piece | np.isin(pieces, pinholes)
