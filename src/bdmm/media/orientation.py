"""Turning frames upright by the display matrix that phones write into their videos."""

import struct
from dataclasses import dataclass

import numpy as np

from bdmm.media.image import Picture


@dataclass(frozen=True)
class Orientation:
    """A quarter turn and mirror, from stored pixels to shown ones.

    Attributes:
        transposed: rows and columns change places, before any flip.
        flip_rows: upside down.
        flip_columns: left and right change places.
    """

    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def shown_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) as shown, of stored (height, width)."""
        return (size[1], size[0]) if self.transposed else size

    def apply(self, frame: Picture) -> Picture:
        """Return the frame as it is to be shown, contiguous in memory."""
        if self.transposed:
            frame = frame.swapaxes(0, 1)
        if self.flip_rows:
            frame = frame[::-1]
        if self.flip_columns:
            frame = frame[:, ::-1]
        return np.ascontiguousarray(frame)


def orientation_of(display_matrix: bytes) -> Orientation:
    """Read a display matrix: nine little-endian 32-bit numbers, row vectors times matrix.

    A shown point is ``x' = a x + c y``, ``y' = b x + d y`` (ISO 14496-12, 8.3.2); angles between
    the quarter turns go to the nearest one.

    Args:
        display_matrix: ``a b u c d v x y w``.
    """
    a, b, _, c, d = struct.unpack_from("<5i", display_matrix)
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transposed=True, flip_rows=b < 0, flip_columns=c < 0)
    return Orientation(flip_rows=d < 0, flip_columns=a < 0)
