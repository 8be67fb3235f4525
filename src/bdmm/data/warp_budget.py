"""Warps as finely coded as a clip's bytes allow."""

from bdmm.data.warp_codec import RUN, Warps, pack_run
from bdmm.data.warp_detail import LEVELS

BYTES = 8192
"""Bytes of a clip per frame of 256x256 with `SOURCES` cached sources, ground truth not counted."""
SOURCES = 4
_BLOCK = 100
"""Bytes that the file needs to name a block."""
_METADATA = 2500
"""Bytes of ``clip.json``."""
_GROWTH = (1.2, 1.9, 1.5, 2.0, 1.4)
"""How many times more bytes each level's next finer one takes, about."""
_ROOM = 1.05
"""Bytes left, over those that a finer level is expected to take, for it to be tried."""


def allowance(used: int, frames: int, side: int) -> float:
    """Return the bytes that warps of one source may take per frame.

    Bytes grow with the frame's side, not with its area: most of them tell of edges.

    Args:
        used: bytes that the rest of the clip takes.
        frames: of the clip.
        side: of a frame in pixels.
    """
    left = BYTES * side / 256 - (used + _METADATA) / frames
    return left / SOURCES - _BLOCK / RUN


class WarpPacker:
    """Codes run after run of one clip; what one leaves over, the next ones may take.

    A run gets the finest of `LEVELS` that fits what is left; the coarsest, if none does.
    """

    def __init__(self, limit: float) -> None:
        """Begin with nothing left.

        Args:
            limit: bytes per frame and source.
        """
        self._limit, self._left = limit, 0.0
        self._level = 0
        self._taken: dict[int, int] = {}

    def pack(self, warps: Warps) -> bytes:
        """Return a block of at most `RUN` frames."""
        self._left += self._limit * len(warps.state)
        if self._level and self._expected(self._level - 1) * _ROOM < self._left:
            self._level -= 1
        block = self._packed(warps)
        while len(block) > self._left and self._level + 1 < len(LEVELS):
            self._level += 1
            block = self._packed(warps)
        self._left -= len(block)
        return block

    def _packed(self, warps: Warps) -> bytes:
        block = pack_run(warps, 0, LEVELS[self._level])
        self._taken[self._level] = len(block)
        return block

    def _expected(self, level: int) -> float:
        """Return the bytes that a finer level will take, by what it or this one took last."""
        coarser = self._taken.get(level + 1, 0) * _GROWTH[level]
        return max(coarser, 0.9 * self._taken.get(level, 0))
