"""Arrays of whole numbers as few bytes, and named blocks of bytes in one file.

Label maps are coded as runs, slowly changing values as differences in time; LZMA compresses both.
A block begins with a checksum. Blocks lie in a safetensors file, so that one is read without the
others and nothing in the file is executed.
"""

import json
import lzma
import struct
import zlib
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped, UInt8
from safetensors import safe_open
from safetensors.numpy import save

from bdmm.errors import InputError
from bdmm.files.output_file import writing
from bdmm.files.outside import CLIP, parse_json, reading

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
_KEY = "blocks"


class DamagedBlockError(InputError):
    """A block that is cut off or was changed."""

    def __init__(self) -> None:
        super().__init__("A block is damaged or cut off.")


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


def compress(values: Shaped[np.ndarray, "*n"]) -> bytes:
    """Compress the bytes of an array."""
    return lzma.compress(np.ascontiguousarray(values).tobytes(), lzma.FORMAT_RAW, filters=_FILTERS)


def decompress(data: bytes, dtype: type | str, shape: tuple[int, ...]) -> Shaped[np.ndarray, "*n"]:
    """Return the array that `compress` was given.

    Raises:
        DamagedBlockError: the data hold no such array.
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
    """Code labels of pixels as runs down the columns, the same column of all frames together."""
    line = values.transpose(2, 0, 1).reshape(-1)
    first = np.flatnonzero(np.diff(line, prepend=line[:1] + np.uint8(1)))
    length = np.diff(np.append(first, len(line)))
    planes = [(length >> 8 * place & 255).astype(np.uint8) for place in range(_BYTES)]
    count = struct.pack("<I", len(first))
    return join_blocks([count, *(compress(plane) for plane in (line[first], *planes))])


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
    labels, *planes = (decompress(part, np.uint8, (count,)) for part in parts[1:])
    length = np.zeros(count, np.int64)
    for place, plane in enumerate(planes):
        length |= plane.astype(np.int64) << 8 * place
    if length.sum() != size:
        raise DamagedBlockError
    line = np.repeat(labels, length)
    return line.reshape(shape[2], shape[0], shape[1]).transpose(1, 2, 0)


def pack_tracks(values: Int[np.ndarray, "t n c"], parents: Int[np.ndarray, "n"]) -> bytes:
    """Code values as differences in time; those of the first frame as differences to a neighbour.

    Args:
        values: ``t n c`` of ``n`` places, at most a million in magnitude.
        parents: an earlier place of similar values for each place; its own index for none.
    """
    residual = np.diff(values, axis=0, prepend=0)
    own = parents == np.arange(len(parents))
    residual[0] -= np.where(own[:, None], 0, values[0, parents])
    folded = ((residual << 1) ^ (residual >> 31)).transpose(1, 0, 2)
    return join_blocks(
        [compress((folded >> 8 * place & 255).astype(np.uint8)) for place in range(_BYTES)]
    )


def unpack_tracks(
    block: bytes, frames: int, channels: int, parents: Int[np.ndarray, "n"]
) -> Int[np.ndarray, "t n c"]:
    """Return what `pack_tracks` was given.

    Raises:
        DamagedBlockError: the block holds no such values.
    """
    shape = len(parents), frames, channels
    parts = split_blocks(block)
    if len(parts) != _BYTES:
        raise DamagedBlockError
    folded = np.zeros(shape, np.int32)
    for place, part in enumerate(parts):
        folded |= decompress(part, np.uint8, shape).astype(np.int32) << 8 * place
    residual = ((folded >> 1) ^ -(folded & 1)).transpose(1, 0, 2)
    if frames:
        residual[0] = _along_tree(residual[0], parents)
    return np.cumsum(residual, axis=0)


def _along_tree(
    residual: Int[np.ndarray, "n c"], parents: Int[np.ndarray, "n"]
) -> Int[np.ndarray, "n c"]:
    """Sum the values of each place and all its ancestors, twice as many ancestors each round."""
    count = len(parents)
    # One more place, of value zero, is the parent of all roots.
    above = np.append(np.where(parents == np.arange(count), count, parents), count)
    total = np.concatenate([residual, np.zeros_like(residual[:1])])
    while (above != count).any():
        total = total + total[above]
        above = above[above]
    return total[:count]


def save_blocks(path: Path, blocks: Mapping[str, bytes], header: Mapping[str, Any]) -> None:
    """Write blocks.

    Args:
        path: the file, in a folder that is itself renamed when it is complete.
        header: values that JSON can hold.

    Raises:
        InputError: the disk is full and the like.
    """
    arrays = {name: np.frombuffer(block, np.uint8) for name, block in blocks.items()}
    data = save(arrays, {_KEY: json.dumps(dict(header), sort_keys=True)})
    with writing(path):
        path.write_bytes(data)


def load_header(path: Path) -> dict[str, Any]:
    """Return the header.

    Raises:
        InputError: the file is missing or damaged.
    """
    trouble = f"{path} is damaged: prepare the clip again."
    with reading(path, CLIP, trouble), safe_open(path, "numpy") as file:
        header = parse_json((file.metadata() or {})[_KEY])
    if not isinstance(header, dict):
        raise InputError(trouble)
    return header


def load_blocks(path: Path, names: Iterable[str]) -> list[bytes]:
    """Return some of the blocks.

    Raises:
        InputError: the file is damaged, or has no such block.
    """
    trouble = f"{path} is damaged or incomplete: prepare the clip again."
    with reading(path, CLIP, trouble), safe_open(path, "numpy") as file:
        return [file.get_tensor(name).tobytes() for name in names]
