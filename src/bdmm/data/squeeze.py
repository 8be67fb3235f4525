"""Whole numbers into few bytes: differences in time, runs, then LZMA. No codec of our own.

A packed block begins with a checksum, so that damage is told from data.
"""

import lzma
import struct
import zlib
from itertools import pairwise

import numpy as np
from jaxtyping import Int, Shaped, UInt8

from bdmm.errors import InputError

_FILTERS = [
    {
        "id": lzma.FILTER_LZMA2,
        "dict_size": 2**20,
        "lc": 0,
        "lp": 0,
        "pb": 0,
        "mode": lzma.MODE_NORMAL,
        "mf": lzma.MF_BT3,
        "nice_len": 32,
        "depth": 8,
    }
]
_BYTES = 3
"""Bytes of a folded difference and of a run's length."""
_HEAD = struct.Struct("<II")


class DamagedBlockError(InputError):
    """A packed block that is cut off or was changed."""

    def __init__(self) -> None:
        super().__init__("A packed block is damaged or cut off.")


def join_blocks(parts: list[bytes]) -> bytes:
    """Put byte strings into one block with a checksum; see `split_blocks`."""
    body = b"".join(struct.pack("<I", len(part)) for part in parts) + b"".join(parts)
    return _HEAD.pack(zlib.crc32(body), len(parts)) + body


def split_blocks(block: bytes) -> list[bytes]:
    """Take a block of `join_blocks` apart.

    Raises:
        DamagedBlockError: the checksum is wrong or something is missing.
    """
    try:
        checksum, count = _HEAD.unpack_from(block)
        body = block[_HEAD.size :]
        lengths = struct.unpack_from(f"<{count}I", body)
    except struct.error as error:
        raise DamagedBlockError from error
    if zlib.crc32(body) != checksum or 4 * count + sum(lengths) != len(body):
        raise DamagedBlockError
    ends = 4 * count + np.cumsum((0, *lengths))
    return [body[a:b] for a, b in pairwise(ends)]


def squeeze(values: Shaped[np.ndarray, "*n"]) -> bytes:
    """Compress the bytes of an array."""
    return lzma.compress(np.ascontiguousarray(values).tobytes(), lzma.FORMAT_RAW, filters=_FILTERS)


def expand(data: bytes, dtype: type | str, shape: tuple[int, ...]) -> Shaped[np.ndarray, "*n"]:
    """Return the array that `squeeze` was given.

    Raises:
        DamagedBlockError: the data don't make such an array.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    try:
        plain = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS).decompress(data, size + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise DamagedBlockError from error
    if len(plain) != size:
        raise DamagedBlockError
    return np.frombuffer(plain, dtype).reshape(shape).copy()


def pack_map(values: UInt8[np.ndarray, "t h w"]) -> bytes:
    """Code labels of pixels as runs down the columns, the same column of all frames together.

    Args:
        values: ``t h w`` labels that are alike over large areas and change little in time.
    """
    line = values.transpose(2, 0, 1).reshape(-1)
    first = np.flatnonzero(np.diff(line, prepend=line[:1] + np.uint8(1)))
    length = np.diff(np.append(first, len(line)))
    planes = [(length >> 8 * place & 255).astype(np.uint8) for place in range(_BYTES)]
    count = struct.pack("<I", len(first))
    return join_blocks([count, *(squeeze(plane) for plane in (line[first], *planes))])


def unpack_map(block: bytes, shape: tuple[int, int, int]) -> UInt8[np.ndarray, "t h w"]:
    """Return what `pack_map` was given.

    Raises:
        DamagedBlockError: the block is no map of that shape.
    """
    parts = split_blocks(block)
    size = shape[0] * shape[1] * shape[2]
    if len(parts) != 2 + _BYTES or len(parts[0]) != 4:
        raise DamagedBlockError
    (count,) = struct.unpack("<I", parts[0])
    if count > size:
        raise DamagedBlockError
    labels, *planes = (expand(part, np.uint8, (count,)) for part in parts[1:])
    length = np.zeros(count, np.int64)
    for place, plane in enumerate(planes):
        length |= plane.astype(np.int64) << 8 * place
    if length.sum() != size:
        raise DamagedBlockError
    line = np.repeat(labels, length)
    return line.reshape(shape[2], shape[0], shape[1]).transpose(1, 2, 0)


def pack_tracks(values: Int[np.ndarray, "t n c"], parents: Int[np.ndarray, "n"]) -> bytes:
    """Code values that change slowly in time; in the first frame neighbours are alike.

    Args:
        values: ``t`` frames of ``n`` places of ``c`` numbers, at most a million.
        parents: for each place an earlier one that is like it, or its own index for none.
    """
    residual = np.diff(values, axis=0, prepend=0)
    own = parents == np.arange(len(parents))
    residual[0] -= np.where(own[:, None], 0, values[0, parents])
    folded = ((residual << 1) ^ (residual >> 31)).transpose(1, 0, 2)
    return join_blocks(
        [squeeze((folded >> 8 * place & 255).astype(np.uint8)) for place in range(_BYTES)]
    )


def unpack_tracks(
    block: bytes, frames: int, channels: int, parents: Int[np.ndarray, "n"]
) -> Int[np.ndarray, "t n c"]:
    """Return what `pack_tracks` was given.

    Raises:
        DamagedBlockError: the block is no such thing.
    """
    shape = len(parents), frames, channels
    parts = split_blocks(block)
    if len(parts) != _BYTES:
        raise DamagedBlockError
    folded = np.zeros(shape, np.int32)
    for place, part in enumerate(parts):
        folded |= expand(part, np.uint8, shape).astype(np.int32) << 8 * place
    residual = ((folded >> 1) ^ -(folded & 1)).transpose(1, 0, 2)
    if frames:
        residual[0] = _along_tree(residual[0], parents)
    return np.cumsum(residual, axis=0)


def _along_tree(
    residual: Int[np.ndarray, "n c"], parents: Int[np.ndarray, "n"]
) -> Int[np.ndarray, "n c"]:
    """Add up each place's line of ancestors, doubling the length of the line each time."""
    count = len(parents)
    # One more place, of value zero, stands above all roots.
    above = np.append(np.where(parents == np.arange(count), count, parents), count)
    total = np.concatenate([residual, np.zeros_like(residual[:1])])
    while (above != count).any():
        total = total + total[above]
        above = above[above]
    return total[:count]
