"""A flow of many pixels as few numbers: one value per cell, slopes read off its neighbours.

A frame is divided into cells of `CELL` x `CELL` pixels, once for each layer of pixels. A cell's
value is the flow at its centre; within the cell the flow rises with the smaller one of its
neighbours' differences, so that it runs smoothly inside a body part and doesn't mix at the edge of
one. A pixel beyond such an edge says which of the eight neighbouring cells it belongs to.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

CELL = 4
AROUND = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""Steps (down, right) to the cells that a pixel may belong to; its own first."""
LEAVING = 2.0
"""Pixels of error from which another cell than its own is looked for."""
GOOD = 1.5
"""Pixels of error up to which the first cell in the order of `AROUND` is taken."""
GAIN = 0.8
"""Pixels by which the other cell must be better."""
_ROUNDS = 1


@dataclass(frozen=True)
class Spots:
    """The known pixels of one layer in a run of frames.

    Attributes:
        frame: ``m`` their frames.
        row: ``m`` their rows.
        column: ``m`` their columns.
        shape: (frames, rows of cells, columns of cells) with a rim of one cell.
    """

    frame: Int[np.ndarray, "m"]
    row: Int[np.ndarray, "m"]
    column: Int[np.ndarray, "m"]
    shape: tuple[int, int, int]

    def cell(self, step: Int[np.ndarray, "*m 2"]) -> Int[np.ndarray, "m"]:
        """Return the flat index of each pixel's own cell or of one beside it."""
        _, rows, columns = self.shape
        row = self.row // CELL + 1 + step[..., 0]
        column = self.column // CELL + 1 + step[..., 1]
        return (self.frame * rows + row) * columns + column

    def away(self, step: Int[np.ndarray, "*m 2"]) -> Float[np.ndarray, "m 2"]:
        """Return (right, down) pixels from the centre of that cell to the pixel's centre."""
        middle = (CELL - 1) / 2
        right = self.column % CELL - middle - CELL * step[..., 1]
        down = self.row % CELL - middle - CELL * step[..., 0]
        return np.stack([right, down], axis=-1).astype(np.float32)


def find_spots(layer: Bool[np.ndarray, "t h w"]) -> Spots:
    """Return the pixels of a layer."""
    frames, height, width = layer.shape
    frame, row, column = np.nonzero(layer)
    return Spots(frame, row, column, (frames, -(-height // CELL) + 2, -(-width // CELL) + 2))


def fit_cells(spots: Spots, flow: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "cells 2"]:
    """Return the value of every cell, NaN for cells without pixels.

    Args:
        spots: the pixels.
        flow: (dx, dy) of each.
    """
    home = spots.cell(np.array(AROUND[0]))
    cells, place = np.unique(home, return_inverse=True)
    within = (spots.row % CELL) * CELL + spots.column % CELL
    values = np.full((int(np.prod(spots.shape)), 2), np.nan, np.float32)
    values[cells] = _medians(flow, place, within, len(cells))
    for _ in range(_ROUNDS):
        rest = flow - reach(values, spots, np.zeros(len(flow), np.int64))
        values[cells] += _medians(rest, place, within, len(cells))
    return values


def choose_cells(
    values: Float[np.ndarray, "cells 2"], spots: Spots, flow: Float[np.ndarray, "m 2"]
) -> Int[np.ndarray, "m"]:
    """Return for each pixel the place in `AROUND` of the cell that tells its flow."""
    tilt = slopes(values, spots.shape)
    own = _error(values, tilt, spots, flow, 0)
    choice = np.zeros(len(flow), np.int64)
    apart = np.nonzero(own > LEAVING)[0]
    part = Spots(spots.frame[apart], spots.row[apart], spots.column[apart], spots.shape)
    errors = np.stack([_error(values, tilt, part, flow[apart], i) for i in range(len(AROUND))])
    good = errors < GOOD
    best = np.where(good.any(axis=0), good.argmax(axis=0), errors.argmin(axis=0))
    error = np.take_along_axis(errors, best[None], axis=0)[0]
    choice[apart] = np.where(own[apart] - error > GAIN, best, 0)
    return choice


def reach(
    values: Float[np.ndarray, "cells 2"], spots: Spots, choice: Int[np.ndarray, "m"]
) -> Float[np.ndarray, "m 2"]:
    """Return each pixel's flow by the cell of its choice, NaN where that has no value."""
    return _tell(values, slopes(values, spots.shape), spots, np.array(AROUND)[choice])


def slopes(
    values: Float[np.ndarray, "cells 2"], shape: tuple[int, int, int]
) -> tuple[Float[np.ndarray, "cells 2"], Float[np.ndarray, "cells 2"]]:
    """Return each cell's change per pixel to the right and downwards.

    Of the differences to the two neighbours the smaller one, 0 where they disagree in sign; the
    only one where there is one neighbour.
    """
    grid = values.reshape(*shape, 2)
    result = []
    for axis in (2, 1):
        step = np.diff(grid, axis=axis)
        gap = np.full_like(np.take(grid, [0], axis=axis), np.nan)
        before, after = (np.concatenate(pair, axis=axis) for pair in ((gap, step), (step, gap)))
        before = np.where(np.isnan(before), after, before)
        after = np.where(np.isnan(after), before, after)
        smaller = np.where(np.abs(before) < np.abs(after), before, after)
        slope = np.where(before * after > 0, smaller, 0) / CELL
        result.append(slope.reshape(-1, 2).astype(np.float32))
    return result[0], result[1]


def _tell(values: np.ndarray, tilt: tuple, spots: Spots, step: np.ndarray) -> np.ndarray:
    """Return each pixel's flow by the cell that lies a step (one, or each pixel's) away."""
    cell, away = spots.cell(step), spots.away(step)
    right, down = tilt
    return values[cell] + right[cell] * away[:, :1] + down[cell] * away[:, 1:]


def _error(
    values: Float[np.ndarray, "cells 2"],
    tilt: tuple,
    spots: Spots,
    flow: Float[np.ndarray, "m 2"],
    place: int,
) -> Float[np.ndarray, "m"]:
    told = _tell(values, tilt, spots, np.array(AROUND[place]))
    return np.nan_to_num(np.hypot(*(told - flow).T), nan=np.inf)


def _medians(
    flow: Float[np.ndarray, "m 2"],
    cell: Int[np.ndarray, "m"],
    within: Int[np.ndarray, "m"],
    count: int,
) -> Float[np.ndarray, "n 2"]:
    """Return the lower median of each cell's pixels, component by component."""
    table = np.full((count, CELL * CELL, 2), np.inf, np.float32)
    table[cell, within] = flow
    table.sort(axis=1)
    middle = (np.bincount(cell, minlength=count) - 1) // 2
    return table[np.arange(count), middle]
