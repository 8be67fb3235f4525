"""Copies joined without seams: their slopes are kept, their levels give way."""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import cg

_REACH = 0.15
"""How far a level gives way, as a share of the picture's longer side."""


def join_copies(
    picture: UInt8[np.ndarray, "h w 3"],
    hole: Bool[np.ndarray, "h w"],
    shifts: Int[np.ndarray, "h w 2"],
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the picture with its hole copied from where the shifts lead.

    The colours of the hole solve a screened Poisson equation (Pérez et al., Poisson Image Editing,
    2003; Bhat et al., Fourier Analysis of the 2D Screened Poisson Equation, 2008): between
    neighbours they differ as they do where they were copied from, by the mean of both places
    across a seam, and they stay near the copied colours far from the hole's rim.

    Args:
        picture: RGB in 0..255.
        hole: what is replaced; neither empty nor everything.
        shifts: (rows, columns) to each pixel's copy; those that end in the hole or off the picture
            copy nothing, and the colours around are drawn over there.
    """
    colours = picture.astype(np.float64)
    rows, columns = np.indices(hole.shape)
    place = np.stack((rows, columns), axis=-1)
    copied, found = _taken(colours, hole, place + shifts)
    unknown = np.flatnonzero(hole)
    number = np.zeros(hole.size, np.int64)
    number[unknown] = np.arange(len(unknown))
    number = number.reshape(hole.shape)

    weight = found[hole] / (_REACH * max(hole.shape)) ** 2
    diagonal, wanted = weight.copy(), weight[:, None] * copied[hole]
    links = []
    for axis in (0, 1):
        here, there = _neighbours(axis)
        near = hole[here] | hole[there]
        p, q = place[here][near], place[there][near]
        step = _steps(colours, hole, shifts, p, q)
        for one, other, rise in ((p, q, step), (q, p, -step)):
            inside = hole[tuple(one.T)]
            own, beside = number[tuple(one[inside].T)], other[inside]
            both = hole[tuple(beside.T)]
            np.add.at(diagonal, own, 1)
            np.add.at(wanted, own, rise[inside])
            np.add.at(wanted, own[~both], colours[tuple(beside[~both].T)])
            links.append((own[both], number[tuple(beside[both].T)]))
    own, beside = (np.concatenate(ends) for ends in zip(*links, strict=True))
    shape = (len(unknown), len(unknown))
    linked = coo_array((np.ones(len(own)), (own, beside)), shape=shape)
    matrix = (diags_array(diagonal) - linked).tocsr()
    scaled = diags_array(1 / diagonal)
    guess = copied[hole]
    result = picture.copy()
    for channel in range(3):
        solved, _ = cg(matrix, wanted[:, channel], guess[:, channel], rtol=1e-4, M=scaled)
        result[hole, channel] = solved.clip(0, 255).round()
    return result


def _neighbours(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return all pixels but the last ones along an axis, and those after them."""
    every = slice(None)
    first, last = slice(None, -1), slice(1, None)
    return ((first, every), (last, every)) if axis == 0 else ((every, first), (every, last))


def _taken(
    colours: Float[np.ndarray, "h w 3"],
    hole: Bool[np.ndarray, "h w"],
    place: Int[np.ndarray, "*n 2"],
) -> tuple[Float[np.ndarray, "*n 3"], Bool[np.ndarray, "*n"]]:
    """Return the colours at some places, and which of them are known."""
    clipped = tuple(np.moveaxis(place.clip(0, np.array(hole.shape) - 1), -1, 0))
    on = (np.moveaxis(place, -1, 0) == clipped).all(axis=0)
    return colours[clipped], on & ~hole[clipped]


def _steps(
    colours: Float[np.ndarray, "h w 3"],
    hole: Bool[np.ndarray, "h w"],
    shifts: Int[np.ndarray, "h w 2"],
    p: Int[np.ndarray, "n 2"],
    q: Int[np.ndarray, "n 2"],
) -> Float[np.ndarray, "n 3"]:
    """Return how much brighter p is than q beside it where the pixels in the hole come from."""
    total = np.zeros((len(p), 3))
    count = np.zeros((len(p), 1))
    for end in (p, q):
        shift = shifts[tuple(end.T)]
        (first, known), (second, also) = (_taken(colours, hole, side + shift) for side in (p, q))
        use = (known & also & hole[tuple(end.T)])[:, None]
        total += use * (first - second)
        count += use
    return total / np.maximum(count, 1)
