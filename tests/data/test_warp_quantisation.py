"""Coarser warps take fewer bytes and err more; a clip never takes more than its bytes."""

import numpy as np
import pytest
import torch

from bdmm.data.compress import DamagedBlockError, join_blocks, split_blocks
from bdmm.data.warp_codec import (
    BYTES,
    LEVELS,
    Quantisation,
    WarpPacker,
    Warps,
    byte_budget,
    downsample,
    pack_run,
    to_flow,
    to_grid,
    unpack_run,
    upsample,
)

SIZE = 95, 90
EVERYTHING = slice(None)


@pytest.fixture(scope="module")
def warps() -> Warps:
    """A rough disc with a hole that turns and grows."""
    frames = torch.arange(16.0)[:, None, None]
    rows, columns = torch.meshgrid(
        torch.arange(float(SIZE[0])) - 47, torch.arange(float(SIZE[1])) - 45, indexing="ij"
    )
    noise = torch.rand(16, *SIZE, generator=torch.Generator().manual_seed(0))
    away = torch.hypot(rows, columns - frames) + 3 * noise
    state = ((away < 35) & (away > 8)).long()
    state[(away > 25) & (state > 0)] = 3
    turn = 0.02 * frames
    flow = torch.stack([turn * rows + 0.1 * columns, 0.15 * rows - turn * columns], dim=-1)
    flow[(state == 0)] = torch.nan
    return Warps(0, to_grid(flow, SIZE), state, torch.zeros_like(state, dtype=torch.bool))


def test_each_level_takes_less_than_the_one_before_and_errs_by_little(warps: Warps) -> None:
    sizes, errors, relabelled = [], [], []
    for level in LEVELS:
        block = pack_run(warps, 0, level)
        grid, state, _ = unpack_run(block, SIZE, EVERYTHING)
        both = (state > 0) & (warps.state > 0)
        error = (to_flow(grid, SIZE) - to_flow(warps.source_grid, SIZE)).norm(dim=-1)
        sizes.append(len(block))
        errors.append(float(error[both].mean()))
        relabelled.append(float((state != warps.state).float().mean()))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 4
    assert errors[0] < 0.25
    assert max(errors) < 1.5
    assert relabelled[:2] == [0, 0]
    assert 0 < relabelled[2] < relabelled[4] < 0.2


@pytest.mark.parametrize("share", [2.0, 0.8, 0.3])
def test_runs_together_keep_within_the_limit(warps: Warps, share: float) -> None:
    limit = share * len(pack_run(warps)) / 16
    packer = WarpPacker(limit)
    sizes = [len(packer.pack(warps)) for _ in range(6)]
    assert (np.cumsum(sizes) <= limit * 16 * np.arange(1, 7)).all()
    assert sum(sizes) > 0.4 * limit * 96 or share > 1


def test_what_is_left_over_is_used_later(warps: Warps) -> None:
    packer = WarpPacker(0.5 * len(pack_run(warps)) / 16)
    empty = Warps(
        0,
        torch.full_like(warps.source_grid, -2.0),
        torch.zeros_like(warps.state),
        warps.fallback,
    )
    first = len(packer.pack(warps))
    for _ in range(3):
        packer.pack(empty)
    assert len(packer.pack(warps)) > first


def test_the_rest_of_the_clip_is_paid_for_first() -> None:
    free, full = byte_budget(0, 100, 256), byte_budget(100 * 4000, 100, 256)
    assert free - full == pytest.approx(1000)
    assert 4 * free < BYTES
    assert byte_budget(0, 100, 128) < free / 1.9


def test_a_quantisation_comes_back() -> None:
    for level in LEVELS:
        assert Quantisation.unpack(level.pack()) == level
    for wrong in (b"", b"abc", b"\x01\x00\x10\x02", b"12345"):
        with pytest.raises(DamagedBlockError):
            Quantisation.unpack(wrong)


def test_blocks_of_the_first_version_are_read(warps: Warps) -> None:
    parts = split_blocks(pack_run(warps))
    old = join_blocks([parts[0][:10], *parts[1:]])
    for a, b in zip(
        unpack_run(old, SIZE, EVERYTHING, Quantisation(step=0.25)),
        unpack_run(pack_run(warps), SIZE, EVERYTHING),
        strict=True,
    ):
        assert torch.equal(a, b)


def test_a_square_becomes_what_most_of_it_is() -> None:
    label = np.array([[[1, 1, 0], [2, 1, 3]]], np.uint8)
    flow = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    coarse, mean = downsample(label, flow, 2)
    assert coarse.tolist() == [[[1, 0]]]
    assert mean[0, 0, 0].tolist() == pytest.approx([10 / 3, 13 / 3])
    assert upsample(coarse, 2, (2, 3)).tolist() == [[[1, 1, 0], [1, 1, 0]]]
