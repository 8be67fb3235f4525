"""Coding of whole numbers: exact, and damage is noticed."""

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from bdmm.data.compress import (
    DamagedBlockError,
    join_blocks,
    load_blocks,
    load_header,
    pack_map,
    pack_tracks,
    save_blocks,
    split_blocks,
    unpack_map,
    unpack_tracks,
)
from bdmm.errors import InputError


def chain(count: int) -> np.ndarray:
    return np.maximum(np.arange(count) - 1, 0)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 3), (3, 0, 2), (0, 4, 2)])
def test_tracks_come_back(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).integers(-40_000, 40_000, shape).astype(np.int32)
    block = pack_tracks(values, chain(shape[1])) if shape[0] else b""
    if shape[0]:
        assert (unpack_tracks(block, shape[0], shape[2], chain(shape[1])) == values).all()


def test_tracks_that_move_alike_are_small() -> None:
    still = np.arange(100)[None, :, None].repeat(50, 0).astype(np.int32)
    noise = np.random.default_rng(0).integers(0, 200, (50, 100, 1)).astype(np.int32)
    assert len(pack_tracks(still, chain(100))) < 200 < len(pack_tracks(noise, chain(100))) / 10


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 9, 5), (2, 0, 0)])
def test_maps_come_back(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint8)
    assert (unpack_map(pack_map(values), shape) == values).all()


def test_a_map_of_one_label_is_tiny_however_large() -> None:
    assert len(pack_map(np.zeros((16, 512, 512), np.uint8))) < 120


def test_any_changed_byte_is_noticed() -> None:
    block = pack_map(np.eye(40, dtype=np.uint8)[None])
    for place in range(len(block)):
        changed = bytearray(block)
        changed[place] ^= 0x41
        with pytest.raises(DamagedBlockError):
            unpack_map(bytes(changed), (1, 40, 40))


def test_a_block_that_is_cut_off_or_of_another_shape_is_noticed() -> None:
    block = pack_map(np.eye(40, dtype=np.uint8)[None])
    for end in (0, 3, 20, len(block) - 1):
        with pytest.raises(InputError):
            unpack_map(block[:end], (1, 40, 40))
    with pytest.raises(InputError):
        unpack_map(block, (1, 40, 41))
    with pytest.raises(InputError):
        unpack_tracks(block, 1, 1, chain(3))


def test_blocks_are_taken_apart() -> None:
    assert split_blocks(join_blocks([b"", b"abc", b"d"])) == [b"", b"abc", b"d"]


def test_blocks_and_header_come_back_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_blocks(path, {"a": b"123", "b": b""}, {"frames": 3})
    assert load_header(path) == {"frames": 3}
    assert load_blocks(path, ("b", "a")) == [b"", b"123"]
    with pytest.raises(InputError, match="prepare the clip again"):
        load_blocks(path, ("c",))


def test_files_that_hold_no_blocks_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "noise").write_bytes(b"\xff" * 100)
    save_file({"a": np.zeros(3, np.uint8)}, tmp_path / "other")
    for name in ("pipe", "noise", "other", "absent"):
        with pytest.raises(InputError):
            load_header(tmp_path / name)
    for name in ("pipe", "noise", "absent"):
        with pytest.raises(InputError):
            load_blocks(tmp_path / name, ("a",))
