"""How finely warps are stored: quantisation levels, and a run of warps at a lower resolution."""

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from bdmm.data.compress import DamagedBlockError

_CODE = struct.Struct("<4B")
_PARTS = 64
"""Parts of a pixel in which the step is stored."""


@dataclass(frozen=True)
class Quantisation:
    """How finely a run of warps is stored.

    Attributes:
        square: sides in pixels of the squares that share one label; 1 keeps each pixel's own.
        cell: sides in such squares of the cells that share one flow value.
        step: pixels to which the flow values of cells are rounded, a multiple of 1/64.
        fallback: factor of the step for hidden pixels with a fallback correspondence.
    """

    square: int = 1
    cell: int = 4
    step: float = 0.25
    fallback: int = 2

    def pack(self) -> bytes:
        """Return the quantisation as 4 bytes."""
        return _CODE.pack(self.square, self.cell, round(self.step * _PARTS), self.fallback)

    @classmethod
    def unpack(cls, code: bytes) -> "Quantisation":
        """Return the quantisation of 4 bytes.

        Raises:
            DamagedBlockError: the bytes hold none.
        """
        if len(code) != _CODE.size or 0 in code:
            raise DamagedBlockError
        square, cell, step, fallback = _CODE.unpack(code)
        return cls(square, cell, step / _PARTS, fallback)


LEVELS = (
    Quantisation(),
    Quantisation(1, 4, 0.5),
    Quantisation(2, 2, 0.5, 4),
    Quantisation(2, 4, 0.5, 4),
    Quantisation(4, 2, 0.5, 4),
    Quantisation(4, 4, 1.0, 4),
)
"""From fine to coarse; each takes a half to nine tenths of the bytes of the one before."""


def downsample(
    label: UInt8[np.ndarray, "t h w"], flow: Float[np.ndarray, "t h w 2"], square: int
) -> tuple[UInt8[np.ndarray, "t r c"], Float[np.ndarray, "t r c 2"]]:
    """Return the most frequent label of each square, and the mean flow of its pixels.

    Of equally frequent labels the lower one wins. Squares at the right and lower border may be
    incomplete.

    Args:
        label: of each pixel, under 8; 0 for pixels without a flow.
        flow: of each pixel; any value where there is none.
    """
    if square == 1:
        return label, flow
    frames, height, width = label.shape
    rows, columns = -(-height // square), -(-width // square)
    pad = (0, 0), (0, rows * square - height), (0, columns * square - width)
    label = np.pad(label, pad, mode="edge")
    flow = np.pad(flow, (*pad, (0, 0)), mode="edge")
    shifts = [
        np.s_[:, down::square, right::square] for down in range(square) for right in range(square)
    ]
    votes = np.zeros((label.max(initial=0) + 1, frames, rows, columns), np.uint8)
    for shift in shifts:
        for kind, count in enumerate(votes):
            count += label[shift] == kind
    most = votes.argmax(axis=0).astype(np.uint8)
    total = np.zeros((frames, rows, columns, 2), np.float32)
    for shift in shifts:
        alike = label[shift] == most
        total[alike] += flow[shift][alike]
    return most, total / votes.max(axis=0)[..., None]


def upsample(
    values: UInt8[np.ndarray, "t r c"], square: int, size: tuple[int, int]
) -> UInt8[np.ndarray, "t h w"]:
    """Repeat each value over its square of pixels, up to a (height, width)."""
    if square == 1:
        return values
    return values.repeat(square, axis=1).repeat(square, axis=2)[:, : size[0], : size[1]]
