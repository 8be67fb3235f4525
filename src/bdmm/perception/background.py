"""The photo with the person removed and the hole filled from what is around it."""

import ctypes
import os
import warnings

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from pyamg import ruge_stuben_solver
from scipy.sparse import coo_array, diags_array

from bdmm.errors import Notice

NO_XPHOTO = (
    "Another OpenCV hides the one that bdmm came with, so the place behind the person is blurred:"
    " pip install --force-reinstall --no-deps opencv-contrib-python-headless mends it."
)
_AROUND = 0.04
"""Width of the band around a hole that is measured, as a share of the picture's longer side."""
_FINE = 2.0
"""Standard deviation in pixels of the blur from which detail is measured."""
_FEET, _CAST = 0.1, 0.2
"""Height of the feet, and how far from them the shadow or the reflection of a person is looked for,
in heights of the person."""
_CALM = 0.012
"""Standard deviation of the blur of texture before that, in heights of the person."""
_STRANGE, _LEVELS = 3.0, 3.0
"""A shadow's least distance to the surroundings' colours, in their own standard deviations; and in
grey levels, where they have hardly any."""
_FEW = 8
"""Pixels of a row that must be far from the person to judge by."""
_PLAIN = 2.5
"""Grey levels of detail below which a background is plain: studios have up to 1.6, rooms with a
bare wall 4.5 and more."""


def remove_person(
    photo: UInt8[np.ndarray, "h w 3"],
    foreground: Float[np.ndarray, "h w"],
    rim: float = 0.025,
    shadow: bool = True,
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the photo with the person and their shadow filled from the surroundings.

    Patches from around the hole fill it, joined by screened-Poisson blending. A plain background is
    only blended: a patch would bring the picture's edge along.

    Args:
        photo: RGB in 0..255.
        foreground: the person in [0, 1].
        rim: how far to grow the hole, as a share of the photo's longer side: soft edges, hair and
            contact shadows.
        shadow: whether the person's shadow and reflection go too.
    """
    hole = person_hole(foreground, rim)
    if hole.all() or not hole.any():
        return photo.copy()
    if shadow:
        hole |= cast_shadow(photo, hole)
    shifts = np.zeros((*hole.shape, 2), np.int64)
    if not _is_plain(photo, hole):
        if hasattr(cv2, "xphoto"):
            shifts = shift_map(photo, hole)
        else:
            warnings.warn(NO_XPHOTO, Notice, stacklevel=2)
    return join_copies(photo, hole, shifts)


def person_hole(
    foreground: Float[np.ndarray, "h w"], rim: float = 0.025
) -> Bool[np.ndarray, "h w"]:
    """Return the pixels that a person hides, dilated by a rim; see `remove_person`."""
    grow = 2 * max(1, round(rim * max(foreground.shape))) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow))
    return cv2.dilate((foreground > 0.2).astype(np.uint8), disc) > 0


def cast_shadow(
    photo: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Return the pixels around a person's feet that their shadow or reflection colours.

    Far from the feet each row's colours are fitted by a straight line over the columns. Near them,
    what differs from it by more than far pixels do, and is joined to the person, is theirs. Where
    the surroundings are full of things nothing stands out, and nothing is found.

    Args:
        photo: RGB in 0..255.
        hole: what the person hides, rim included; not empty.
    """
    rows = np.flatnonzero(hole.any(axis=1))
    tall = rows[-1] - rows[0] + 1
    feet = hole & (np.arange(len(hole))[:, None] > rows[-1] - _FEET * tall)
    near = cv2.distanceTransform((~feet).astype(np.uint8), cv2.DIST_L2, 5) <= _CAST * tall
    known, far = (~hole).astype(np.float32), (~near & ~hole).astype(np.float32)
    blur = max(_CALM * tall, 1.0)
    share = cv2.GaussianBlur(known, (0, 0), blur).clip(1e-3)[..., None]
    smooth = cv2.GaussianBlur(photo * known[..., None], (0, 0), blur) / share

    def over_rows(values: Float[np.ndarray, "h n"]) -> Float[np.ndarray, "h n"]:
        return cv2.GaussianBlur(values, (1, 0), sigmaX=1, sigmaY=blur).reshape(values.shape)

    column = np.linspace(-1, 1, hole.shape[1], dtype=np.float32)
    count, first, second = (over_rows((far @ column**i)[:, None]) for i in range(3))
    colours = far[..., None] * smooth
    mean = over_rows(colours.sum(axis=1))
    slope = over_rows((colours * column[:, None]).sum(axis=1))
    spread = count * second - first**2
    rise = (count * slope - first * mean) / spread.clip(1e-3)
    level = (mean - first * rise) / count.clip(1e-3)
    line = level[:, None] + rise[:, None] * column[:, None]
    apart = np.square(smooth - line).mean(axis=2)
    usual = over_rows((far * apart).sum(axis=1)[:, None]) / count.clip(1e-3)
    strange = near & ~hole & (apart > (_STRANGE**2 * usual + _LEVELS**2)) & (count > _FEW)
    _, part = cv2.connectedComponents((strange | hole).astype(np.uint8))
    return strange & np.isin(part, np.unique(part[hole]))


def _is_plain(photo: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]) -> bool:
    """Tell whether the surroundings of a hole have no texture and no edges."""
    reach = 2 * max(1, round(_AROUND * max(hole.shape))) + 1
    grown = cv2.dilate(hole.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    known = (~hole).astype(np.float32)
    colours = photo.astype(np.float32) * known[..., None]
    share = cv2.GaussianBlur(known, (0, 0), _FINE).clip(1e-3)
    smooth = cv2.GaussianBlur(colours, (0, 0), _FINE) / share[..., None]
    detail = np.abs(photo - smooth).mean(axis=2)[grown & ~hole]
    return detail.size > 0 and float(np.percentile(detail, 98)) < _PLAIN


SIDE = 192
"""Pixels of the longer side at which copies are sought: ten seconds at full size, one here."""
_PLACE = 1e-7
"""What a step to the next pixel adds to a fourth colour channel: too little to be a colour."""


def shift_map(
    picture: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"]
) -> Int[np.ndarray, "h w 2"]:
    """Return how far from each pixel of a hole its copy lies, down and to the right.

    OpenCV's shift map (He and Sun, Statistics of Patch Offsets for Image Completion, 2012) chooses
    a few shifts by which the picture is most like itself and lays few and hidden seams between
    them. It returns colours alone, so each pixel's place travels along as a fourth one.

    Args:
        picture: RGB in 0..255.
        hole: what shall be copied; neither empty nor everything.

    Returns:
        (rows, columns) to the copy, 0 outside the hole; some may end in the hole or off the
        picture.
    """
    height, width = hole.shape
    scale = min(1.0, SIDE / max(height, width))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    share = cv2.resize(hole.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    known = (share == 0).astype(np.uint8)
    shifts = np.zeros((height, width, 2), np.int64)
    if not known.any():
        return shifts
    place = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    pixels = np.dstack((lab, place * _PLACE))
    copied = np.zeros_like(pixels)
    _clear_heap()
    cv2.xphoto.inpaint(pixels, 255 * known, copied, cv2.xphoto.INPAINT_SHIFTMAP)
    taken = np.rint(copied[..., 3] / _PLACE).astype(np.int64)
    far = np.stack(np.divmod(taken, columns), -1) - np.stack(np.divmod(place, columns), -1)
    far = far * (height / rows, width / columns)
    full = cv2.resize(far.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)
    shifts[hole] = np.rint(full[hole])
    return shifts


_SHIFTS_SIZE = 60 * 8
"""Bytes of OpenCV's list of shifts."""
_KEPT = 7
"""Freed blocks of one size that the GNU C library keeps for a thread and lends again first."""
_TRIES = 1000


def _clear_heap() -> None:
    """Fill with zeros what OpenCV's shift map reads behind its list of shifts.

    OpenCV 4.11 finds 60 shifts and reads 61. The last is meant to be 0: a known pixel may stay as
    it is. It is read from the unused end of the list's block of memory, so the result depended on
    what the process had done before. Here the blocks that the GNU C library lends next are
    cleared. Other C libraries are left as they are.
    """
    library = ctypes.CDLL(None) if os.name == "posix" else None
    if not hasattr(library, "malloc_usable_size"):
        return
    malloc, usable_size, free = library.malloc, library.malloc_usable_size, library.free
    malloc.restype, malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    usable_size.restype, usable_size.argtypes = ctypes.c_size_t, (ctypes.c_void_p,)
    free.restype, free.argtypes = None, (ctypes.c_void_p,)
    held: list[int] = []
    for _ in range(_TRIES):
        blocks = [malloc(_SHIFTS_SIZE) for _ in range(_KEPT)]
        for block in blocks:
            ctypes.memset(block, 0, usable_size(block))
            free(block)
        lent = [malloc(_SHIFTS_SIZE) for _ in range(_KEPT)]
        held = lent + held
        if set(lent) == set(blocks):
            break
    for block in held:  # the cleared ones first: they are kept
        free(block)


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
            copy nothing: there the colours around are interpolated.
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
    couplings = []
    for axis in (0, 1):
        here, there = _neighbours(axis)
        near = hole[here] | hole[there]
        p, q = place[here][near], place[there][near]
        step = _steps(colours, hole, shifts, p, q)
        for one, other, rise in ((p, q, step), (q, p, -step)):
            inside = hole[tuple(one.T)]
            own, neighbour = number[tuple(one[inside].T)], other[inside]
            both = hole[tuple(neighbour.T)]
            np.add.at(diagonal, own, 1)
            np.add.at(wanted, own, rise[inside])
            np.add.at(wanted, own[~both], colours[tuple(neighbour[~both].T)])
            couplings.append((own[both], number[tuple(neighbour[both].T)]))
    own, neighbour = (np.concatenate(ends) for ends in zip(*couplings, strict=True))
    shape = (len(unknown), len(unknown))
    linked = coo_array((np.ones(len(own)), (own, neighbour)), shape=shape)
    matrix = (diags_array(diagonal) - linked).tocsr()
    solver = ruge_stuben_solver(matrix)
    guess = copied[hole]
    result = picture.copy()
    for channel in range(3):
        solved = solver.solve(wanted[:, channel], guess[:, channel], tol=1e-5, accel="cg")
        result[hole, channel] = np.asarray(solved).clip(0, 255).round()
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
    """Return the colours of p less those of its neighbour q, where both are copied from."""
    total = np.zeros((len(p), 3))
    count = np.zeros((len(p), 1))
    for end in (p, q):
        shift = shifts[tuple(end.T)]
        (first, known), (second, also) = (_taken(colours, hole, side + shift) for side in (p, q))
        use = (known & also & hole[tuple(end.T)])[:, None]
        total += use * (first - second)
        count += use
    return total / np.maximum(count, 1)
