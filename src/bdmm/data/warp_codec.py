"""Cached warps: from one source frame of a clip onto all its frames, in about 1 KB a frame.

Coded in runs of `RUN` frames that can be read alone, each as finely as its `Detail` says. Positions
are kept to a fraction of a pixel by `warp_lattice`, in two layers: hidden pixels that are filled,
whose positions jump, and all others. What a pixel is (`PixelState`) and choices of cells are one
byte map, coded as runs; cells' values as differences in time; LZMA does the rest (`squeeze`).
"""

import struct
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.data import warp_lattice
from bdmm.data.squeeze import (
    DamagedBlockError,
    join_blocks,
    pack_map,
    pack_tracks,
    split_blocks,
    unpack_map,
    unpack_tracks,
)
from bdmm.data.warp_detail import Detail, coarsen, refine
from bdmm.data.warp_lattice import AROUND
from bdmm.records import PixelState

RUN = 16
"""Frames that are coded together."""
FINEST = Detail()
NOWHERE = -2.0
"""Grid position of pixels of which nothing is known."""
_FILLED = 4
"""Label of a hidden pixel that is filled; the other labels are those of `PixelState`."""
_LABELS = 5
_LAYERS = ((1, 2, 3), (_FILLED,))
_IN_LAYER = {layer: np.isin(np.arange(_LABELS), layer) for layer in _LAYERS}
_HEAD = struct.Struct("<5H")
"""Frames, and the box of what is known."""
_ALIGNED = 4
"""Boxes begin at multiples of this."""
_FARTHEST = 8000.0
"""Pixels that a flow is cut off at."""


@dataclass(frozen=True)
class Warps:
    """One source frame of a clip onto every frame of that clip, or of a run of it.

    Attributes:
        source_frame: number of the source frame in its clip.
        source_grid: ``t h w 2`` normalised (x, y) positions in the source; `NOWHERE` where
            nothing is known.
        state: ``t h w`` values of `PixelState`.
        filled: ``t h w`` hidden pixels whose through-body position may be copied.
    """

    source_frame: int
    source_grid: Float[Tensor, "t h w 2"]
    state: Int[Tensor, "t h w"]
    filled: Bool[Tensor, "t h w"]


def pack_warps(warps: Warps, detail: Detail = FINEST) -> list[bytes]:
    """Code warps, `RUN` frames to a block.

    Args:
        warps: of all frames of a clip; sides of at most 65535 pixels.
        detail: how finely.
    """
    return [pack_run(warps, start, detail) for start in range(0, len(warps.state), RUN)]


def pack_run(warps: Warps, start: int = 0, detail: Detail = FINEST) -> bytes:
    """Code `RUN` frames of warps, or those that are left.

    Args:
        warps: sides of at most 65535 pixels.
        start: the first frame.
        detail: how finely.
    """
    run = slice(start, start + RUN)
    label = torch.where(warps.filled[run], _FILLED, warps.state[run]).to(torch.uint8).cpu().numpy()
    box, size = _box(label > 0), (label.shape[1], label.shape[2])
    inner = np.s_[:, box[0] : box[1], box[2] : box[3]]
    grid = warps.source_grid[run][inner].cpu()
    flow = to_flow(grid, size, (box[0], box[2])).clamp(-_FARTHEST, _FARTHEST).numpy()
    label, flow = coarsen(label[inner], flow, detail.step)
    choice = np.zeros(label.shape, np.uint8)
    layers = []
    for layer, step in zip(_LAYERS, _steps(detail), strict=True):
        inside = _IN_LAYER[layer][label]
        at = np.nonzero(inside)
        spots = warp_lattice.find_spots(at, inside.shape, detail.cell)
        own = np.ascontiguousarray(flow[at].T)
        values = np.round(warp_lattice.fit_cells(spots, own) / step)
        choice[at] = warp_lattice.choose_cells(values * step, spots, own)
        layers.append(_pack_cells(values, inside, detail.cell))
    head = _HEAD.pack(len(label), *box) + detail.pack()
    return join_blocks([head, pack_map(label + _LABELS * choice), *layers])


def unpack_run(
    block: bytes, size: tuple[int, int], wanted: slice, old: Detail = FINEST
) -> tuple[Float[Tensor, "t h w 2"], Int[Tensor, "t h w"], Bool[Tensor, "t h w"]]:
    """Return grid, state and filled of some frames of a block.

    Args:
        block: what `pack_run` made.
        size: (height, width) of the frames.
        wanted: which of the block's frames.
        old: of blocks of the first version, which don't tell.

    Raises:
        DamagedBlockError: the block is damaged.
    """
    parts = split_blocks(block)
    if len(parts) != 2 + len(_LAYERS):
        raise DamagedBlockError
    frames, box, detail = _read_head(parts[0], size, old)
    inner = box[1] - box[0], box[3] - box[2]
    rows, columns = (-(-side // detail.step) for side in inner)
    codes = unpack_map(parts[1], (frames, rows, columns))
    if codes.size and codes.max() >= _LABELS * len(AROUND):
        raise DamagedBlockError
    coarse = codes % _LABELS
    choice, label = np.divmod(refine(codes[wanted], detail.step, inner), _LABELS)
    flow = np.full((*label.shape, 2), np.nan, np.float32)
    for layer, step, data in zip(_LAYERS, _steps(detail), parts[2:], strict=True):
        values = _unpack_cells(data, _IN_LAYER[layer][coarse], detail.cell) * step
        at = np.nonzero(_IN_LAYER[layer][label])
        spots = warp_lattice.find_spots(at, label.shape, detail.cell * detail.step)
        flow[at] = warp_lattice.reach(values[wanted].reshape(-1, 2), spots, choice[at]).T
    return _assemble(label, flow, box, size)


def to_flow(
    grid: Float[Tensor, "t h w 2"], size: tuple[int, int], corner: tuple[int, int] = (0, 0)
) -> Float[Tensor, "t h w 2"]:
    """Return (dx, dy) pixels from target to source pixel centres.

    Args:
        grid: positions for a part of the frame, `NOWHERE` and beyond included.
        size: (height, width) of the whole frame.
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
        size: (height, width) of the whole frame.
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


def _steps(detail: Detail) -> tuple[np.float32, np.float32]:
    """Return the pixels to which the values of each layer are rounded."""
    return np.float32(detail.quantum), np.float32(detail.quantum * detail.filled)


def _box(known: Bool[np.ndarray, "t h w"]) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of what is known in any frame."""
    sides: list[int] = []
    for axes in ((0, 2), (0, 1)):
        places = np.nonzero(known.any(axis=axes))[0]
        first, last = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
        sides += [first // _ALIGNED * _ALIGNED, last]
    return sides[0], sides[1], sides[2], sides[3]


def _read_head(
    head: bytes, size: tuple[int, int], old: Detail
) -> tuple[int, tuple[int, int, int, int], Detail]:
    if len(head) < _HEAD.size:
        raise DamagedBlockError
    frames, top, bottom, left, right = _HEAD.unpack_from(head)
    if not (top <= bottom <= size[0] and left <= right <= size[1] and frames <= RUN):
        raise DamagedBlockError
    code = head[_HEAD.size :]
    return frames, (top, bottom, left, right), Detail.unpack(code) if code else old


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
    """Return which cells have pixels, in which frame and in any, and each one's forerunner.

    The forerunner of a cell is the one to its left, else the one above, else the one before it in
    the order of reading.
    """
    known = warp_lattice.known_cells(inside, side)
    used = known.any(axis=0)
    number = np.where(used, np.cumsum(used).reshape(used.shape) - 1, -1)
    row, column = np.nonzero(used)
    left, above = number[row, column - 1], number[row - 1, column]
    before = np.maximum(np.arange(len(row)) - 1, 0)
    parents = np.where(left >= 0, left, np.where(above >= 0, above, before))
    return known, used, parents


def _held(
    tracks: Float[np.ndarray, "t n 2"], known: Bool[np.ndarray, "t n"]
) -> Float[np.ndarray, "t n 2"]:
    """Fill the frames in which a cell has no pixels from the last one that has, else the next."""
    frames = np.arange(len(tracks))[:, None]
    last = np.maximum.accumulate(np.where(known, frames, -1), axis=0)
    following = np.minimum.accumulate(np.where(known, frames, len(tracks))[::-1], axis=0)[::-1]
    source = np.where(last >= 0, last, following)
    return np.take_along_axis(tracks, source[..., None], axis=0)


def _assemble(
    label: np.ndarray, flow: np.ndarray, box: tuple[int, int, int, int], size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Lay the box's labels and flows onto whole frames."""
    top, bottom, left, right = box
    inner = np.s_[:, top:bottom, left:right]
    whole = torch.zeros(len(label), *size, dtype=torch.int64)
    whole[inner] = torch.from_numpy(label.astype(np.int64))
    grid = torch.full((len(label), *size, 2), NOWHERE)
    grid[inner] = to_grid(torch.from_numpy(flow), size, (top, left))
    filled = whole == _FILLED
    whole[filled] = int(PixelState.HIDDEN)
    return grid, whole, filled
