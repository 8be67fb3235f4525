"""How finely warps are coded, and a run of them made coarser."""

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from bdmm.data.squeeze import DamagedBlockError

_CODE = struct.Struct("<4B")
_PARTS = 64
"""Quanta are stored in 64ths of a pixel."""


@dataclass(frozen=True)
class Detail:
    """How finely a run of warps is coded.

    Attributes:
        step: sides in pixels of the squares that are told what they are together; 1 keeps what
            each pixel is exactly.
        cell: sides in such squares of the cells that have one flow value each.
        quantum: pixels to which the values of cells are rounded, a multiple of 1/64.
        filled: times this for hidden pixels that are filled.
    """

    step: int = 1
    cell: int = 4
    quantum: float = 0.25
    filled: int = 2

    def pack(self) -> bytes:
        """Return 4 bytes that say it."""
        return _CODE.pack(self.step, self.cell, round(self.quantum * _PARTS), self.filled)

    @classmethod
    def unpack(cls, code: bytes) -> "Detail":
        """Return what `pack` was called on.

        Raises:
            DamagedBlockError: the bytes say nothing of the kind.
        """
        if len(code) != _CODE.size or 0 in code:
            raise DamagedBlockError
        step, cell, quantum, filled = _CODE.unpack(code)
        return cls(step, cell, quantum / _PARTS, filled)


LEVELS = (
    Detail(),
    Detail(1, 4, 0.5),
    Detail(2, 2, 0.5, 4),
    Detail(2, 4, 0.5, 4),
    Detail(4, 2, 0.5, 4),
    Detail(4, 4, 1.0, 4),
)
"""From fine to coarse; each takes a half to nine tenths of the bytes of the one before."""


def coarsen(
    label: UInt8[np.ndarray, "t h w"], flow: Float[np.ndarray, "t h w 2"], step: int
) -> tuple[UInt8[np.ndarray, "t r c"], Float[np.ndarray, "t r c 2"]]:
    """Make one pixel of each square of ``step`` x ``step``.

    It becomes what most of its pixels are, the lower label where they are as many, and has their
    mean flow; squares at the right and lower border may be cut off.

    Args:
        label: of each pixel, under 8; 0 for pixels without a flow.
        flow: of each pixel, anything where there is none.
        step: sides of the squares in pixels.
    """
    if step == 1:
        return label, flow
    frames, height, width = label.shape
    rows, columns = -(-height // step), -(-width // step)
    pad = (0, 0), (0, rows * step - height), (0, columns * step - width)
    label = np.pad(label, pad, mode="edge")
    flow = np.pad(flow, (*pad, (0, 0)), mode="edge")
    shifts = [np.s_[:, down::step, right::step] for down in range(step) for right in range(step)]
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


def refine(
    values: UInt8[np.ndarray, "t r c"], step: int, size: tuple[int, int]
) -> UInt8[np.ndarray, "t h w"]:
    """Make squares of pixels again, cut off at a (height, width)."""
    if step == 1:
        return values
    return values.repeat(step, axis=1).repeat(step, axis=2)[:, : size[0], : size[1]]
