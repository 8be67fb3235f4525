"""A flow of many pixels as few numbers: one value per cell, slopes read off its neighbours.

A frame is divided into square cells, once for each layer of pixels. A cell's value is the flow at
its centre; within the cell the flow rises with the smaller one of its neighbours' differences, so
that it runs smoothly inside a body part and doesn't mix at the edge of one. A pixel beyond such an
edge says which of the eight neighbouring cells it belongs to.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

AROUND = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""Steps (down, right) to the cells that a pixel may belong to; its own first."""
LEAVING = 2.0
"""Pixels of error from which another cell than its own is looked for."""
GOOD = 1.5
"""Pixels of error up to which the first cell in the order of `AROUND` is taken."""
GAIN = 0.8
"""Pixels by which the other cell must be better."""
_ROUNDS = 1
_STEPS = np.array(AROUND, np.int32)


@dataclass(frozen=True)
class Spots:
    """The known pixels of one layer in a run of frames.

    Attributes:
        home: ``m`` flat index of the cell that each lies in.
        right: ``m`` pixels to the right of that cell's first column.
        down: ``m`` pixels down from its first row.
        side: of a cell, in pixels.
        shape: (frames, rows of cells, columns of cells) with a rim of one cell.
    """

    home: Int[np.ndarray, "m"]
    right: Int[np.ndarray, "m"]
    down: Int[np.ndarray, "m"]
    side: int
    shape: tuple[int, int, int]

    def part(self, chosen: Int[np.ndarray, "k"]) -> "Spots":
        """Return some of the pixels."""
        return Spots(
            self.home[chosen], self.right[chosen], self.down[chosen], self.side, self.shape
        )


def find_spots(at: tuple[np.ndarray, ...], size: tuple[int, ...], side: int) -> Spots:
    """Find the cells of pixels.

    Args:
        at: frames, rows and columns of the pixels.
        size: frames, height and width of the run.
        side: of a cell, in pixels.
    """
    shape = size[0], -(-size[1] // side) + 2, -(-size[2] // side) + 2
    row_cell, down = np.divmod(np.arange(size[1], dtype=np.int32), np.int32(side))
    column_cell, right = np.divmod(np.arange(size[2], dtype=np.int32), np.int32(side))
    first = np.arange(size[0], dtype=np.int32) * np.int32(shape[1] * shape[2])
    frame, row, column = at
    home = first[frame] + ((row_cell + 1) * shape[2])[row] + (column_cell + 1)[column]
    return Spots(home, right[column], down[row], side, shape)


def known_cells(layer: Bool[np.ndarray, "t h w"], side: int) -> Bool[np.ndarray, "t r c"]:
    """Return which cells have pixels of a layer, with a rim of one cell."""
    frames, height, width = layer.shape
    rows, columns = -(-height // side), -(-width // side)
    whole = np.pad(layer, ((0, 0), (0, rows * side - height), (0, columns * side - width)))
    known = np.zeros((frames, rows + 2, columns + 2), bool)
    known[:, 1:-1, 1:-1] = whole.reshape(frames, rows, side, columns, side).any(axis=(2, 4))
    return known


def fit_cells(spots: Spots, flow: Float[np.ndarray, "2 m"]) -> Float[np.ndarray, "cells 2"]:
    """Return the value of every cell, NaN for cells without pixels.

    Args:
        spots: the pixels.
        flow: (dx, dy) of each.
    """
    count = np.bincount(spots.home, minlength=int(np.prod(spots.shape)))
    cells = np.flatnonzero(count)
    place = (np.cumsum(count > 0, dtype=np.int32) - 1)[spots.home]
    middle = (count[cells] - 1) // 2
    within = spots.down * spots.side + spots.right
    table = np.full((2, len(cells), spots.side**2), np.inf, np.float32)
    values = np.full((len(count), 2), np.nan, np.float32)
    values[cells] = _medians(flow, table, place, within, middle)
    for _ in range(_ROUNDS):
        rest = flow - reach(values, spots)
        values[cells] += _medians(rest, table, place, within, middle)
    return values


def choose_cells(
    values: Float[np.ndarray, "cells 2"], spots: Spots, flow: Float[np.ndarray, "2 m"]
) -> UInt8[np.ndarray, "m"]:
    """Return for each pixel the place in `AROUND` of the cell that tells its flow."""
    planes = _planes(values, spots)
    own = _error(planes, spots, flow, 0)
    choice = np.zeros(len(own), np.uint8)
    apart = np.nonzero(own > LEAVING)[0]
    part = spots.part(apart)
    errors = np.stack([_error(planes, part, flow[:, apart], i) for i in range(len(AROUND))])
    good = errors < GOOD
    best = np.where(good.any(axis=0), good.argmax(axis=0), errors.argmin(axis=0))
    error = np.take_along_axis(errors, best[None], axis=0)[0]
    choice[apart] = np.where(own[apart] - error > GAIN, best, 0)
    return choice


def reach(
    values: Float[np.ndarray, "cells 2"],
    spots: Spots,
    choice: UInt8[np.ndarray, "m"] | None = None,
) -> Float[np.ndarray, "2 m"]:
    """Return each pixel's flow by the cell of its choice (its own), NaN where that has no value."""
    planes = _planes(values, spots)
    told = _tell(planes, spots, _STEPS[0])
    if choice is not None:
        others = np.flatnonzero(choice)
        told[:, others] = _tell(planes, spots.part(others), _STEPS[choice[others]])
    return told


def slopes(
    values: Float[np.ndarray, "cells 2"], spots: Spots
) -> tuple[Float[np.ndarray, "cells 2"], Float[np.ndarray, "cells 2"]]:
    """Return each cell's change per pixel to the right and downwards.

    Of the differences to the two neighbours the smaller one, 0 where they disagree in sign; the
    only one where there is one neighbour.
    """
    grid = values.reshape(*spots.shape, 2)
    result = []
    for axis in (2, 1):
        step = np.diff(grid, axis=axis)
        gap = np.full_like(np.take(grid, [0], axis=axis), np.nan)
        before, after = (np.concatenate(pair, axis=axis) for pair in ((gap, step), (step, gap)))
        before = np.where(np.isnan(before), after, before)
        after = np.where(np.isnan(after), before, after)
        smaller = np.where(np.abs(before) < np.abs(after), before, after)
        slope = np.where(before * after > 0, smaller, 0) / spots.side
        result.append(slope.reshape(-1, 2).astype(np.float32))
    return result[0], result[1]


def _planes(values: Float[np.ndarray, "cells 2"], spots: Spots) -> Float[np.ndarray, "6 cells"]:
    """Return value, slope to the right and slope downwards of each cell."""
    return np.concatenate([values.T, *(slope.T for slope in slopes(values, spots))])


def _tell(
    planes: Float[np.ndarray, "6 cells"], spots: Spots, step: np.ndarray
) -> Float[np.ndarray, "2 m"]:
    """Return each pixel's flow by the cell that lies a step (one, or each pixel's) away."""
    down, right = step[..., 0], step[..., 1]
    cell = spots.home + down * np.int32(spots.shape[2]) + right
    middle = np.float32((spots.side - 1) / 2)
    right = (spots.right - spots.side * right).astype(np.float32) - middle
    down = (spots.down - spots.side * down).astype(np.float32) - middle
    x, y, x_right, y_right, x_down, y_down = planes
    told = np.empty((2, len(cell)), np.float32)
    told[0] = x[cell] + x_right[cell] * right + x_down[cell] * down
    told[1] = y[cell] + y_right[cell] * right + y_down[cell] * down
    return told


def _error(
    planes: Float[np.ndarray, "6 cells"], spots: Spots, flow: Float[np.ndarray, "2 m"], place: int
) -> Float[np.ndarray, "m"]:
    off = _tell(planes, spots, _STEPS[place]) - flow
    error = np.hypot(off[0], off[1])
    error[np.isnan(error)] = np.inf
    return error


def _medians(
    flow: Float[np.ndarray, "2 m"],
    table: Float[np.ndarray, "2 n pixels"],
    cell: Int[np.ndarray, "m"],
    within: Int[np.ndarray, "m"],
    middle: Int[np.ndarray, "n"],
) -> Float[np.ndarray, "n 2"]:
    """Return the lower median of each cell's pixels, component by component.

    Args:
        flow: of each pixel.
        table: infinite where there is no pixel; the rest is overwritten.
        cell: row of the table of each pixel.
        within: place of each pixel in its cell.
        middle: place of each cell's median among its sorted pixels.
    """
    table[:, cell, within] = flow
    ordered = np.sort(table, axis=2)
    return ordered[:, np.arange(len(middle)), middle].T
