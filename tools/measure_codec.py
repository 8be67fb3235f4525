"""Prints what warps of prepared clips take in our codec and in general-purpose ones.

    pip install zstandard numcodecs
    python tools/measure_codec.py people/clips/* clips/clips/* --frames 96

Each clip's first source is warped onto its frames anew, and the uncoded warps are given to every
codec in blocks of 16 frames. Bytes are per frame and source. Times are processor time of one
thread in milliseconds per frame. Errors are distances in pixels between positions before and
after, mean and 99th percentile, on visible pixels and on all that have a position; relabelled are
pixels that became another kind, as a share of those that are known.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from numcodecs import Blosc
from rich.console import Console
from rich.table import Table
from zstandard import ZstdCompressor, ZstdDecompressor

from bdmm.body.model import AnnyBody, load_body
from bdmm.data.cached_sources import as_foreground, pack_warps
from bdmm.data.clip_store import CachedSource, PreparedClip
from bdmm.data.compress import pack_map, unpack_map
from bdmm.data.warp_codec import (
    RUN,
    WarpPacker,
    Warps,
    byte_budget,
    pack_run,
    to_flow,
    to_grid,
    unpack_run,
)
from bdmm.records import PixelState

FILLED = 4
QUANTA = (0.25, 1.0)
ZSTD = 19


@dataclass(frozen=True)
class Codec:
    """A way to store a block of warps: ``pack`` makes bytes, ``unpack`` makes warps of them."""

    pack: Callable[[Warps], bytes]
    unpack: Callable[[bytes, tuple[int, int, int]], Warps]


class Collector:
    """Stands in for a packer and keeps the warps."""

    def __init__(self) -> None:
        self.warps: list[Warps] = []

    def pack(self, warps: Warps) -> bytes:
        """Keep a block."""
        self.warps.append(warps)
        return b""


def main(clips: Annotated[tuple[Path, ...], tyro.conf.Positional], frames: int = 96) -> None:
    """Measure and print one table for each clip and one for all.

    Args:
        clips: folders of prepared clips.
        frames: only so many of each.
    """
    torch.set_num_threads(1)
    body = load_body()
    total: dict[str, list[np.ndarray]] = defaultdict(list)
    for path in clips:
        clip = PreparedClip(path)
        warps = uncoded(body, clip, frames)
        rest = sum(size for name, (size, _) in clip.info.files.items()
                   if not name.startswith(("truth", "warps")))  # fmt: skip
        limit = byte_budget(rest, len(clip), clip.info.size[0])
        for name, codec in codecs(WarpPacker(limit), clip.info.size).items():
            total[name].append(measured(codec, warps))
        show(f"{path.name}, {sum(len(one.state) for one in warps)} frames", {
            name: rows[-1] for name, rows in total.items()})  # fmt: skip
    show("all clips, mean", {name: np.mean(rows, axis=0) for name, rows in total.items()})


def uncoded(body: AnnyBody, clip: PreparedClip, frames: int) -> list[Warps]:
    """Return the warps of the first source onto the first frames, block after block."""
    frame = clip.info.sources[0].frame
    motion, collector = clip.motion(), Collector()
    people = (clip.foregrounds(frame, frame + 1)[0, 0].numpy() * 255).astype(np.uint8)
    part = motion[: max(frames, frame + 1)] if frames else motion
    random = np.random.default_rng(0)
    source = CachedSource(frame, clip.info.sources[0].error)
    pack_warps(body, part, source, as_foreground(people), random, collector)  # pyright: ignore
    blocks = islice(collector.warps, -(-frames // RUN) if frames else None)
    return list(blocks)


def codecs(packer: WarpPacker, size: tuple[int, int]) -> dict[str, Codec]:
    """Return the codecs by name."""

    def ours(block: bytes, shape: tuple[int, int, int]) -> Warps:
        return Warps(0, *unpack_run(block, size, slice(None)))

    found = {
        "ours, as clips are stored": Codec(packer.pack, ours),
        "ours, finest level": Codec(pack_run, ours),
    }
    blosc = Blosc("zstd", clevel=9, shuffle=Blosc.BITSHUFFLE)
    for name, press, expand in (("zstd", zstd, unzstd), ("blosc", blosc.encode, blosc.decode)):
        found[f"fp16 + {name}"] = half(press, expand)
    for quantum in QUANTA:
        for name, predict, undo in PREDICTIONS:
            found[f"{quantum:g} px, {name} + zstd"] = whole(predict, undo, quantum, False)
        name, predict, undo = PREDICTIONS[0]
        found[f"{quantum:g} px, {name} + zstd, our labels"] = whole(predict, undo, quantum, True)
    return found


def zstd(data: bytes) -> bytes:
    return ZstdCompressor(level=ZSTD).compress(data)


def unzstd(data: bytes) -> bytes:
    return ZstdDecompressor().decompress(data)


def half(press: Callable[[bytes], bytes], expand: Callable[[bytes], bytes]) -> Codec:
    """Store flows as 16-bit floats and labels as bytes, nothing predicted."""

    def pack(warps: Warps) -> bytes:
        flow, label = parts(warps)
        return joined(press(flow.astype(np.float16).tobytes()), press(label.tobytes()))

    def unpack(block: bytes, shape: tuple[int, int, int]) -> Warps:
        first, second = apart(block)
        flow = np.frombuffer(expand(first), np.float16).reshape(*shape, 2)
        label = np.frombuffer(expand(second), np.uint8).reshape(shape)
        return assembled(flow.astype(np.float32), label)

    return Codec(pack, unpack)


def whole(predict: Callable, undo: Callable, quantum: float, own_map: bool) -> Codec:
    """Store flows as 16-bit numbers, as differences to a prediction, low and high bytes apart.

    Args:
        predict: makes differences of values ``t h w 2``.
        undo: the reverse.
        quantum: pixels to which flows are rounded.
        own_map: code labels as runs down the columns, as our codec does.
    """

    def pack(warps: Warps) -> bytes:
        flow, label = parts(warps)
        values = np.where((label > 0)[..., None], np.round(flow / quantum), 0).astype(np.int32)
        change = predict(values).astype(np.int16)
        folded = ((change << 1) ^ (change >> 15)).astype(np.uint16).transpose(3, 0, 1, 2)
        low, high = (folded & 255).astype(np.uint8), (folded >> 8).astype(np.uint8)
        labels = pack_map(label) if own_map else zstd(predict(label[..., None].astype(np.int16))
                                                      .astype(np.uint8))  # fmt: skip
        return joined(zstd(low.tobytes() + high.tobytes()), labels)

    def unpack(block: bytes, shape: tuple[int, int, int]) -> Warps:
        first, second = apart(block)
        plane = np.frombuffer(unzstd(first), np.uint8).reshape(2, 2, *shape).astype(np.uint16)
        folded = (plane[0] | plane[1] << 8).transpose(1, 2, 3, 0)
        change = (folded >> 1).astype(np.int16) ^ -(folded & 1).astype(np.int16)
        if own_map:
            label = unpack_map(second, shape)
        else:
            bytes_ = np.frombuffer(unzstd(second), np.uint8).reshape(*shape, 1)
            label = undo(bytes_.astype(np.int32))[..., 0].astype(np.uint8)
        flow = undo(change.astype(np.int32)).astype(np.int16) * np.float32(quantum)
        return assembled(flow, label)

    return Codec(pack, unpack)


def in_time(values: np.ndarray) -> np.ndarray:
    return np.diff(values, axis=0, prepend=0)


def undo_in_time(change: np.ndarray) -> np.ndarray:
    return np.cumsum(change, axis=0)


def in_space(values: np.ndarray) -> np.ndarray:
    return np.diff(np.diff(values, axis=2, prepend=0), axis=1, prepend=0)


def undo_in_space(change: np.ndarray) -> np.ndarray:
    return np.cumsum(np.cumsum(change, axis=1), axis=2)


PREDICTIONS = (
    ("as they are", lambda values: values, lambda change: change),
    ("change in time", in_time, undo_in_time),
    ("change in space", in_space, undo_in_space),
)


def parts(warps: Warps) -> tuple[np.ndarray, np.ndarray]:
    """Return flows, 0 where there are none, and labels as bytes."""
    size = warps.state.shape[1], warps.state.shape[2]
    label = torch.where(warps.fallback, FILLED, warps.state).to(torch.uint8).numpy()
    flow = to_flow(warps.source_grid, size).clamp(-8000, 8000).numpy()
    return np.where((label > 0)[..., None], flow, 0), label


def assembled(flow: np.ndarray, label: np.ndarray) -> Warps:
    size = label.shape[1], label.shape[2]
    grid = to_grid(torch.from_numpy(np.where((label > 0)[..., None], flow, np.nan)), size)
    kind = torch.from_numpy(label.astype(np.int64))
    fallback = kind == FILLED
    return Warps(0, grid, torch.where(fallback, int(PixelState.HIDDEN), kind), fallback)


def joined(first: bytes, second: bytes) -> bytes:
    return len(first).to_bytes(4, "little") + first + second


def apart(block: bytes) -> tuple[bytes, bytes]:
    end = 4 + int.from_bytes(block[:4], "little")
    return block[4:end], block[end:]


def measured(codec: Codec, blocks: list[Warps]) -> np.ndarray:
    """Return bytes, ms to encode, ms to decode, errors and the share that was relabelled."""
    start = time.process_time()
    packed = [codec.pack(one) for one in blocks]
    middle = time.process_time()
    shapes = [(len(one.state), one.state.shape[1], one.state.shape[2]) for one in blocks]
    found = [codec.unpack(*pair) for pair in zip(packed, shapes, strict=True)]
    end = time.process_time()
    count = sum(len(one.state) for one in blocks)
    errors, seen, other, known = [], [], 0, 0
    for one, after in zip(blocks, found, strict=True):
        size = one.state.shape[1], one.state.shape[2]
        error = (to_flow(one.source_grid, size) - to_flow(after.source_grid, size)).norm(dim=-1)
        same = (one.state == after.state) & (one.fallback == after.fallback)
        some = one.state != PixelState.NONE
        errors.append(error[same & some].numpy())
        seen.append(error[same & (one.state == PixelState.VISIBLE)].numpy())
        any_ = some | (after.state != PixelState.NONE)
        other, known = other + int((~same & any_).sum()), known + int(any_.sum())
    seen, errors = np.concatenate(seen), np.concatenate(errors)
    return np.array([
        sum(map(len, packed)) / count,
        1000 * (middle - start) / count,
        1000 * (end - middle) / count,
        seen.mean(), np.quantile(seen, 0.99), errors.mean(), np.quantile(errors, 0.99),
        100 * other / known,
    ])  # fmt: skip


def show(title: str, rows: dict[str, np.ndarray]) -> None:
    """Print a table."""
    table = Table("codec", "bytes", "of ours", "encode ms", "decode ms", "visible px", "99 %",
                  "all px", "99 %", "relabelled %", title=title)  # fmt: skip
    ours = next(iter(rows.values()))[0]
    for name, (size, *rest) in rows.items():
        table.add_row(name, f"{size:.0f}", f"{size / ours:.1f}", *(f"{one:.2f}" for one in rest))
    Console(width=150).print(table)


if __name__ == "__main__":
    tyro.cli(main)
