"""Flow on a lattice: one value for each cell of pixels, slopes taken from the neighbouring cells.

A frame is divided into square cells, once for each layer of pixels. The value of a cell is the flow
at its centre. Within the cell the flow changes linearly, by the smaller of the differences to the
two neighbours: smooth inside a body part, not mixed at its edge. A pixel beyond such an edge stores
which of the eight neighbouring cells it belongs to.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

AROUND = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""Steps (down, right) to the cells that a pixel may belong to; its own first."""
LEAVING = 2.0
"""Pixels of error above which another cell is considered."""
GOOD = 1.5
"""Pixels of error below which the first such cell in the order of `AROUND` is taken."""
GAIN = 0.8
"""Pixels of error that the other cell must save."""
_ROUNDS = 1
_STEPS = np.array(AROUND, np.int32)


@dataclass(frozen=True)
class Pixels:
    """The known pixels of one layer in a run of frames, by their cells.

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

    def part(self, chosen: Int[np.ndarray, "k"]) -> "Pixels":
        """Return some of the pixels."""
        return Pixels(
            self.home[chosen], self.right[chosen], self.down[chosen], self.side, self.shape
        )


def find_pixels(at: tuple[np.ndarray, ...], size: tuple[int, ...], side: int) -> Pixels:
    """Find the cells of pixels."""
    shape = size[0], -(-size[1] // side) + 2, -(-size[2] // side) + 2
    row_cell, down = np.divmod(np.arange(size[1], dtype=np.int32), np.int32(side))
    column_cell, right = np.divmod(np.arange(size[2], dtype=np.int32), np.int32(side))
    first = np.arange(size[0], dtype=np.int32) * np.int32(shape[1] * shape[2])
    frame, row, column = at
    home = first[frame] + ((row_cell + 1) * shape[2])[row] + (column_cell + 1)[column]
    return Pixels(home, right[column], down[row], side, shape)


def known_cells(layer: Bool[np.ndarray, "t h w"], side: int) -> Bool[np.ndarray, "t r c"]:
    """Return which cells have pixels of a layer, with a rim of one cell."""
    frames, height, width = layer.shape
    rows, columns = -(-height // side), -(-width // side)
    whole = np.pad(layer, ((0, 0), (0, rows * side - height), (0, columns * side - width)))
    known = np.zeros((frames, rows + 2, columns + 2), bool)
    known[:, 1:-1, 1:-1] = whole.reshape(frames, rows, side, columns, side).any(axis=(2, 4))
    return known


def fit_cells(pixels: Pixels, flow: Float[np.ndarray, "2 m"]) -> Float[np.ndarray, "cells 2"]:
    """Return the value of every cell, NaN for cells without pixels."""
    count = np.bincount(pixels.home, minlength=int(np.prod(pixels.shape)))
    cells = np.flatnonzero(count)
    place = (np.cumsum(count > 0, dtype=np.int32) - 1)[pixels.home]
    middle = (count[cells] - 1) // 2
    within = pixels.down * pixels.side + pixels.right
    table = np.full((2, len(cells), pixels.side**2), np.inf, np.float32)
    values = np.full((len(count), 2), np.nan, np.float32)
    values[cells] = _medians(flow, table, place, within, middle)
    for _ in range(_ROUNDS):
        rest = flow - evaluate(values, pixels)
        values[cells] += _medians(rest, table, place, within, middle)
    return values


def choose_cells(
    values: Float[np.ndarray, "cells 2"], pixels: Pixels, flow: Float[np.ndarray, "2 m"]
) -> UInt8[np.ndarray, "m"]:
    """Return the index in `AROUND` of the cell that predicts each pixel's flow best."""
    planes = _planes(values, pixels)
    own = _error(planes, pixels, flow, 0)
    choice = np.zeros(len(own), np.uint8)
    apart = np.nonzero(own > LEAVING)[0]
    part = pixels.part(apart)
    errors = np.stack([_error(planes, part, flow[:, apart], i) for i in range(len(AROUND))])
    good = errors < GOOD
    best = np.where(good.any(axis=0), good.argmax(axis=0), errors.argmin(axis=0))
    error = np.take_along_axis(errors, best[None], axis=0)[0]
    choice[apart] = np.where(own[apart] - error > GAIN, best, 0)
    return choice


def evaluate(
    values: Float[np.ndarray, "cells 2"],
    pixels: Pixels,
    choice: UInt8[np.ndarray, "m"] | None = None,
) -> Float[np.ndarray, "2 m"]:
    """Return each pixel's flow by its chosen cell (by default its own), NaN without a value."""
    planes = _planes(values, pixels)
    flow = _evaluate(planes, pixels, _STEPS[0])
    if choice is not None:
        others = np.flatnonzero(choice)
        flow[:, others] = _evaluate(planes, pixels.part(others), _STEPS[choice[others]])
    return flow


def slopes(
    values: Float[np.ndarray, "cells 2"], pixels: Pixels
) -> tuple[Float[np.ndarray, "cells 2"], Float[np.ndarray, "cells 2"]]:
    """Return each cell's change per pixel to the right and downwards.

    This is the smaller of the differences to the two neighbours, 0 where their signs differ, and
    the only difference where there is one neighbour.
    """
    grid = values.reshape(*pixels.shape, 2)
    result = []
    for axis in (2, 1):
        step = np.diff(grid, axis=axis)
        gap = np.full_like(np.take(grid, [0], axis=axis), np.nan)
        before, after = (np.concatenate(pair, axis=axis) for pair in ((gap, step), (step, gap)))
        before = np.where(np.isnan(before), after, before)
        after = np.where(np.isnan(after), before, after)
        smaller = np.where(np.abs(before) < np.abs(after), before, after)
        slope = np.where(before * after > 0, smaller, 0) / pixels.side
        result.append(slope.reshape(-1, 2).astype(np.float32))
    return result[0], result[1]


def _planes(values: Float[np.ndarray, "cells 2"], pixels: Pixels) -> Float[np.ndarray, "6 cells"]:
    """Return value, slope to the right and slope downwards of each cell."""
    return np.concatenate([values.T, *(slope.T for slope in slopes(values, pixels))])


def _evaluate(
    planes: Float[np.ndarray, "6 cells"], pixels: Pixels, step: np.ndarray
) -> Float[np.ndarray, "2 m"]:
    """Return each pixel's flow by the cell one step away: one step for all, or one for each."""
    down, right = step[..., 0], step[..., 1]
    cell = pixels.home + down * np.int32(pixels.shape[2]) + right
    middle = np.float32((pixels.side - 1) / 2)
    right = (pixels.right - pixels.side * right).astype(np.float32) - middle
    down = (pixels.down - pixels.side * down).astype(np.float32) - middle
    x, y, x_right, y_right, x_down, y_down = planes
    flow = np.empty((2, len(cell)), np.float32)
    flow[0] = x[cell] + x_right[cell] * right + x_down[cell] * down
    flow[1] = y[cell] + y_right[cell] * right + y_down[cell] * down
    return flow


def _error(
    planes: Float[np.ndarray, "6 cells"],
    pixels: Pixels,
    flow: Float[np.ndarray, "2 m"],
    place: int,
) -> Float[np.ndarray, "m"]:
    off = _evaluate(planes, pixels, _STEPS[place]) - flow
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
        table: infinite where there is no pixel; overwritten elsewhere.
        cell: row of the table of each pixel.
        within: place of each pixel in its cell.
        middle: place of each cell's median among its sorted pixels.
    """
    table[:, cell, within] = flow
    ordered = np.sort(table, axis=2)
    return ordered[:, np.arange(len(middle)), middle].T
