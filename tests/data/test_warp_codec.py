"""Coded warps: states exact, positions to a fraction of a pixel, small."""

import pytest
import torch

from bdmm.data.clip_store import PreparedClip
from bdmm.data.warp_codec import RUN, Warps, pack_run, to_flow, to_grid, unpack_run
from bdmm.errors import InputError
from bdmm.records import PixelState

EVERYTHING = slice(None)


def warps_of(flow: torch.Tensor, state: torch.Tensor, filled: torch.Tensor | None = None) -> Warps:
    flow = torch.where((state == PixelState.NONE)[..., None], torch.nan, flow)
    filled = torch.zeros_like(state, dtype=torch.bool) if filled is None else filled
    return Warps(0, to_grid(flow, (state.shape[1], state.shape[2])), state, filled)


def pack_warps(warps: Warps) -> list[bytes]:
    return [pack_run(warps, start) for start in range(0, len(warps.state), RUN)]


def decoded(warps: Warps) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    size = warps.state.shape[1], warps.state.shape[2]
    runs = [unpack_run(block, size, EVERYTHING) for block in pack_warps(warps)]
    grid, state, filled = (torch.cat(part) for part in zip(*runs, strict=True))
    return grid, state, filled


def errors(warps: Warps, grid: torch.Tensor) -> torch.Tensor:
    size = warps.state.shape[1], warps.state.shape[2]
    return (to_flow(grid, size) - to_flow(warps.source_grid, size)).norm(dim=-1)


def disc(frames: int, height: int, width: int) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    moved = columns - 0.3 * torch.arange(frames)[:, None, None]
    return ((rows - height / 2) ** 2 + (moved - width / 2) ** 2 < (height / 3) ** 2).long()


def affine(frames: int, height: int, width: int) -> torch.Tensor:
    rows, columns = torch.meshgrid(
        torch.arange(float(height)), torch.arange(float(width)), indexing="ij"
    )
    flow = torch.stack([0.2 * columns - 0.1 * rows + 3, 0.05 * columns + 0.15 * rows - 9], dim=-1)
    return flow + 0.4 * torch.arange(frames)[:, None, None, None]


@pytest.mark.parametrize("size", [(64, 64), (61, 35), (3, 5)])
def test_a_smooth_flow_comes_back_within_the_quantum(size: tuple[int, int]) -> None:
    warps = warps_of(affine(18, *size), torch.ones(18, *size, dtype=torch.long))
    grid, state, filled = decoded(warps)
    assert (state == 1).all()
    assert not filled.any()
    if min(size) > 10:
        assert errors(warps, grid).mean() < 0.2
        assert errors(warps, grid).max() < 0.9


def test_states_are_exact_and_unknown_pixels_sample_nothing() -> None:
    state = torch.randint(0, 4, (5, 20, 30))
    filled = (state == PixelState.HIDDEN) & (torch.rand(5, 20, 30) < 0.5)
    warps = warps_of(affine(5, 20, 30), state, filled)
    grid, found, found_filled = decoded(warps)
    assert torch.equal(found, state)
    assert torch.equal(found_filled, filled)
    assert (grid[state == PixelState.NONE] == -2).all()
    assert grid.isfinite().all()


def test_an_edge_between_two_parts_stays_sharp() -> None:
    state = disc(8, 64, 64)
    flow = affine(8, 64, 64)
    rows = torch.arange(64)[:, None] + torch.arange(64) // 3
    flow = torch.where((rows > 37)[..., None], flow + 25, flow)
    warps = warps_of(flow, state)
    grid, _, _ = decoded(warps)
    error = errors(warps, grid)[state > 0]
    assert error.mean() < 0.35
    assert (error > 5).float().mean() < 0.01


def test_any_run_is_the_whole_one_cut() -> None:
    warps = warps_of(affine(RUN, 32, 32), disc(RUN, 32, 32))
    (block,) = pack_warps(warps)
    whole = unpack_run(block, (32, 32), EVERYTHING)
    part = unpack_run(block, (32, 32), slice(5, 9))
    for a, b in zip(whole, part, strict=True):
        assert torch.equal(a[5:9], b)


def test_coding_what_was_decoded_changes_nothing_much() -> None:
    warps = warps_of(affine(4, 40, 40), disc(4, 40, 40))
    grid, state, filled = decoded(warps)
    again, _, _ = decoded(Warps(0, grid, state, filled))
    assert errors(warps, again)[state > 0].mean() < 0.4


def test_nothing_known_at_all() -> None:
    warps = warps_of(affine(3, 16, 16), torch.zeros(3, 16, 16, dtype=torch.long))
    grid, state, _ = decoded(warps)
    assert (grid == -2).all()
    assert (state == 0).all()


def test_a_still_person_costs_little() -> None:
    state = disc(1, 256, 256).expand(RUN, -1, -1)
    warps = warps_of(affine(1, 256, 256).expand(RUN, -1, -1, -1), state)
    assert sum(map(len, pack_warps(warps))) / RUN < 500


def test_another_size_is_refused() -> None:
    (block,) = pack_warps(warps_of(affine(2, 32, 32), torch.ones(2, 32, 32, dtype=torch.long)))
    with pytest.raises(InputError):
        unpack_run(block, (31, 32), EVERYTHING)


def test_warps_of_a_slide_are_the_slide(clip: PreparedClip) -> None:
    """The exact flow of a person who moves a pixel a frame, read back from a clip."""
    truth = clip.warps(0, 0, len(clip), "truth")
    flow = to_flow(truth.source_grid, clip.info.size)
    expected = truth.source_frame - torch.arange(float(len(clip)))
    seen = truth.state == PixelState.VISIBLE
    assert seen.float().mean() > 0.05
    error = (flow[..., 0] - expected[:, None, None])[seen].abs()
    assert error.max() < 0.01
    assert flow[..., 1][seen].abs().max() < 0.01
