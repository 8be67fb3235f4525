"""From samples to a picture: layers painted, hair drawn over them, averaged down."""

import numpy as np

from sample_person.camera import Camera, Seen


def splat(
    picture: np.ndarray, seen: Seen, colour: np.ndarray
) -> None:
    """Write samples' colours into ``h w 4`` (RGB premultiplied, coverage)."""
    picture[seen.row, seen.column, :3] = colour
    picture[seen.row, seen.column, 3] = 1


def shrink(picture: np.ndarray, factor: int) -> np.ndarray:
    """Average ``factor x factor`` samples into one pixel."""
    height, width, channels = picture.shape
    blocks = picture.reshape(height // factor, factor, width // factor, factor, channels)
    return blocks.mean(axis=(1, 3))


__all__ = ["Camera", "shrink", "splat"]
