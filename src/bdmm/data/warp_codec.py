"""Stored warps: from one source frame of a clip onto all its frames, in about 1 kB a frame.

Warps are coded in runs of `RUN` frames that can be read alone, each with its own `Quantisation`.
Flow is stored on a lattice (`warp_lattice`), in two layers: hidden pixels with a fallback
correspondence, whose flow is not continuous with the rest, and all others. Pixel states and
choices of cells form one map of bytes, coded as runs; values of cells are coded as differences in
time; LZMA compresses both (`compress`). `WarpPacker` chooses the quantisation by a byte budget.
"""

import struct
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from bdmm.data import warp_lattice
from bdmm.data.compress import (
    DamagedBlockError,
    join_blocks,
    pack_map,
    pack_tracks,
    split_blocks,
    unpack_map,
    unpack_tracks,
)
from bdmm.data.warp_lattice import AROUND
from bdmm.records import NOWHERE, PixelState

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


FINEST = Quantisation()
LEVELS = (
    FINEST,
    Quantisation(1, 4, 0.5),
    Quantisation(2, 2, 0.5, 4),
    Quantisation(2, 4, 0.5, 4),
    Quantisation(4, 2, 0.5, 4),
    Quantisation(4, 4, 1.0, 4),
)
"""From fine to coarse; each takes a half to nine tenths of the bytes of the one before."""

RUN = 16
"""Frames that are coded together."""
_FALLBACK = 4
"""Label of a hidden pixel with a fallback; the other labels are those of `PixelState`."""
_LABELS = 5
_LAYERS = ((1, 2, 3), (_FALLBACK,))
_IN_LAYER = {layer: np.isin(np.arange(_LABELS), layer) for layer in _LAYERS}
_HEAD = struct.Struct("<5H")
"""Number of frames, and the box of known pixels."""
_ALIGNED = 4
"""Boxes start at multiples of this."""
_FARTHEST = 8000.0
"""Pixels to which flow is clamped."""


BYTES = 8192
"""Bytes of a clip per frame of 256x256 with `SOURCES` stored sources, without ground truth."""
SOURCES = 4
_BLOCK = 100
"""Bytes of a block's name in its file."""
_METADATA = 2500
"""Bytes of ``clip.json``."""
_GROWTH = (1.2, 1.9, 1.5, 2.0, 1.4)
"""Typical ratio of bytes between each level and the next coarser one."""
_SPARE = 1.05
"""A finer level is tried when this many times its expected bytes are left."""


@dataclass(frozen=True)
class Warps:
    """One source frame of a clip onto every frame of that clip, or of a run of it.

    Attributes:
        source_grid: ``t h w 2`` normalised (x, y) positions in the source; `NOWHERE` where
            nothing is known.
        state: ``t h w`` values of `PixelState`.
        fallback: ``t h w`` hidden pixels whose fallback correspondence may be copied.
    """

    source_frame: int
    source_grid: Float[Tensor, "t h w 2"]
    state: Int[Tensor, "t h w"]
    fallback: Bool[Tensor, "t h w"]


def pack_run(warps: Warps, start: int = 0, level: Quantisation = FINEST) -> bytes:
    """Code `RUN` frames of warps, or those that are left.

    Args:
        warps: sides of at most 65535 pixels.
    """
    run = slice(start, start + RUN)
    label = (
        torch.where(warps.fallback[run], _FALLBACK, warps.state[run]).to(torch.uint8).cpu().numpy()
    )
    box, size = _box(label > 0), (label.shape[1], label.shape[2])
    inner = np.s_[:, box[0] : box[1], box[2] : box[3]]
    grid = warps.source_grid[run][inner].cpu()
    flow = to_flow(grid, size, (box[0], box[2])).clamp(-_FARTHEST, _FARTHEST).numpy()
    label, flow = downsample(label[inner], flow, level.square)
    choice = np.zeros(label.shape, np.uint8)
    layers = []
    for layer, step in zip(_LAYERS, _steps(level), strict=True):
        inside = _IN_LAYER[layer][label]
        at = np.nonzero(inside)
        pixels = warp_lattice.find_pixels(at, inside.shape, level.cell)
        own = np.ascontiguousarray(flow[at].T)
        values = np.round(warp_lattice.fit_cells(pixels, own) / step)
        choice[at] = warp_lattice.choose_cells(values * step, pixels, own)
        layers.append(_pack_cells(values, inside, level.cell))
    head = _HEAD.pack(len(label), *box) + level.pack()
    return join_blocks([head, pack_map(label + _LABELS * choice), *layers])


def unpack_run(
    block: bytes, size: tuple[int, int], wanted: slice, old: Quantisation = FINEST
) -> tuple[Float[Tensor, "t h w 2"], Int[Tensor, "t h w"], Bool[Tensor, "t h w"]]:
    """Return grid, state and fallback of some frames of a block.

    Args:
        block: what `pack_run` made.
        old: quantisation of blocks of format version 1, which do not store it.

    Raises:
        DamagedBlockError: the block is damaged.
    """
    parts = split_blocks(block)
    if len(parts) != 2 + len(_LAYERS):
        raise DamagedBlockError
    frames, box, level = _read_head(parts[0], size, old)
    inner = box[1] - box[0], box[3] - box[2]
    rows, columns = (-(-side // level.square) for side in inner)
    codes = unpack_map(parts[1], (frames, rows, columns))
    if codes.size and codes.max() >= _LABELS * len(AROUND):
        raise DamagedBlockError
    coarse = codes % _LABELS
    choice, label = np.divmod(upsample(codes[wanted], level.square, inner), _LABELS)
    flow = np.full((*label.shape, 2), np.nan, np.float32)
    for layer, step, data in zip(_LAYERS, _steps(level), parts[2:], strict=True):
        values = _unpack_cells(data, _IN_LAYER[layer][coarse], level.cell) * step
        at = np.nonzero(_IN_LAYER[layer][label])
        pixels = warp_lattice.find_pixels(at, label.shape, level.cell * level.square)
        flow[at] = warp_lattice.evaluate(values[wanted].reshape(-1, 2), pixels, choice[at]).T
    return _assemble(label, flow, box, size)


def byte_budget(used: int, frames: int, side: int) -> float:
    """Return the bytes per frame that the warps of one source may take.

    The budget grows with the frame's side, not with its area, because most bytes describe edges.
    """
    left = BYTES * side / 256 - (used + _METADATA) / frames
    return left / SOURCES - _BLOCK / RUN


class WarpPacker:
    """Codes the runs of one clip within a byte budget.

    Each run gets the finest of `LEVELS` that fits the bytes left, or the coarsest. Bytes left over
    are added to those of the next run.
    """

    def __init__(self, budget: float) -> None:
        """Start with nothing left over.

        Args:
            budget: bytes per frame and source.
        """
        self._budget, self._left = budget, 0.0
        self._level = 0
        self._taken: dict[int, int] = {}

    def pack(self, warps: Warps) -> bytes:
        """Return a block of at most `RUN` frames."""
        self._left += self._budget * len(warps.state)
        if self._level and self._expected(self._level - 1) * _SPARE < self._left:
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
        """Estimate the bytes of a finer level from the last runs at it and at the one below."""
        coarser = self._taken.get(level + 1, 0) * _GROWTH[level]
        return max(coarser, 0.9 * self._taken.get(level, 0))


def to_flow(
    grid: Float[Tensor, "t h w 2"], size: tuple[int, int], corner: tuple[int, int] = (0, 0)
) -> Float[Tensor, "t h w 2"]:
    """Return (dx, dy) pixels from target to source pixel centres.

    Args:
        grid: positions for a part of the frame, `NOWHERE` included.
        corner: (row, column) of the part's first pixel.
    """
    place = (grid + 1) * grid.new_tensor([size[1] / 2, size[0] / 2])
    return place - _centres(grid.shape[1], grid.shape[2], corner)


def to_grid(
    flow: Float[Tensor, "t h w 2"], size: tuple[int, int], corner: tuple[int, int] = (0, 0)
) -> Float[Tensor, "t h w 2"]:
    """Return normalised positions of flows; `NOWHERE` where the flow is not a number.

    Args:
        flow: (dx, dy) pixels for a part of the frame.
        corner: (row, column) of the part's first pixel.
    """
    place = flow + _centres(flow.shape[1], flow.shape[2], corner)
    grid = place * flow.new_tensor([2 / size[1], 2 / size[0]]) - 1
    return torch.where(grid.isnan(), NOWHERE, grid)


def _centres(height: int, width: int, corner: tuple[int, int]) -> Float[Tensor, "h w 2"]:
    rows, columns = torch.meshgrid(
        torch.arange(height) + (corner[0] + 0.5),
        torch.arange(width) + (corner[1] + 0.5),
        indexing="ij",
    )
    return torch.stack([columns, rows], dim=-1)


def _steps(level: Quantisation) -> tuple[np.float32, np.float32]:
    """Return the quantisation steps of both layers in pixels."""
    return np.float32(level.step), np.float32(level.step * level.fallback)


def _box(known: Bool[np.ndarray, "t h w"]) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of what is known in any frame."""
    sides: list[int] = []
    for axes in ((0, 2), (0, 1)):
        places = np.nonzero(known.any(axis=axes))[0]
        first, last = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
        sides += [first // _ALIGNED * _ALIGNED, last]
    return sides[0], sides[1], sides[2], sides[3]


def _read_head(
    head: bytes, size: tuple[int, int], old: Quantisation
) -> tuple[int, tuple[int, int, int, int], Quantisation]:
    if len(head) < _HEAD.size:
        raise DamagedBlockError
    frames, top, bottom, left, right = _HEAD.unpack_from(head)
    if not (top <= bottom <= size[0] and left <= right <= size[1] and frames <= RUN):
        raise DamagedBlockError
    code = head[_HEAD.size :]
    return frames, (top, bottom, left, right), Quantisation.unpack(code) if code else old


def _pack_cells(
    values: Float[np.ndarray, "cells 2"], inside: Bool[np.ndarray, "t h w"], side: int
) -> bytes:
    known, used, parents = _tree(inside, side)
    tracks = values.reshape(*known.shape, 2)[:, used]
    return pack_tracks(_held(tracks, known[:, used]).astype(np.int32), parents)


def _unpack_cells(
    data: bytes, inside: Bool[np.ndarray, "t h w"], side: int
) -> Float[np.ndarray, "t r c 2"]:
    known, used, parents = _tree(inside, side)
    values = np.full((*known.shape, 2), np.nan, np.float32)
    values[:, used] = unpack_tracks(data, len(inside), 2, parents)
    values[~known] = np.nan
    return values


def _tree(
    inside: Bool[np.ndarray, "t h w"], side: int
) -> tuple[Bool[np.ndarray, "t r c"], Bool[np.ndarray, "r c"], Int[np.ndarray, "n"]]:
    """Return which cells have pixels in each frame and in any frame, and each cell's parent.

    The parent of a cell is the one to its left, else the one above, else the one before it.
    """
    known = warp_lattice.known_cells(inside, side)
    used = np.logical_or.reduce(known)
    number = np.where(used, np.cumsum(used).reshape(used.shape) - 1, -1)
    row, column = np.nonzero(used)
    left, above = number[row, column - 1], number[row - 1, column]
    before = np.maximum(np.arange(len(row)) - 1, 0)
    parents = np.where(left >= 0, left, np.where(above >= 0, above, before))
    return known, used, parents


def _held(
    tracks: Float[np.ndarray, "t n 2"], known: Bool[np.ndarray, "t n"]
) -> Float[np.ndarray, "t n 2"]:
    """Fill frames without pixels in a cell from the last frame with some, else from the next."""
    frames = np.arange(len(tracks))[:, None]
    last = np.maximum.accumulate(np.where(known, frames, -1), axis=0)
    following = np.minimum.accumulate(np.where(known, frames, len(tracks))[::-1], axis=0)[::-1]
    source = np.where(last >= 0, last, following)
    return np.take_along_axis(tracks, source[..., None], axis=0)


def _assemble(
    label: np.ndarray, flow: np.ndarray, box: tuple[int, int, int, int], size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return grid, state and fallback of whole frames from labels and flow of a box."""
    top, bottom, left, right = box
    inner = np.s_[:, top:bottom, left:right]
    whole = torch.zeros(len(label), *size, dtype=torch.int64)
    whole[inner] = torch.from_numpy(label.astype(np.int64))
    grid = torch.full((len(label), *size, 2), NOWHERE)
    grid[inner] = to_grid(torch.from_numpy(flow), size, (top, left))
    fallback = whole == _FALLBACK
    whole[fallback] = int(PixelState.HIDDEN)
    return grid, whole, fallback


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
