"""Samples and batches: drawn by index alone, the same with any number of workers."""

import itertools
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from bdmm.data.augment import Augmentation
from bdmm.data.batch import Batch, collate
from bdmm.data.batch_loader import ShuffledIndices, load_batches
from bdmm.data.clip_dataset import ClipDataset, Sampling
from bdmm.errors import InputError
from bdmm.kernels.pose_heatmaps import window_heatmaps
from bdmm.kernels.warp import warp
from bdmm.records import Conditions, PixelState

ALL = Augmentation(flip=0.5, drop_outs=0.2, swaps=0.3)


def tensors(batch: Batch) -> list[torch.Tensor]:
    values = [getattr(batch, one.name) for one in fields(Batch)]
    values += [getattr(batch.conditions, one.name) for one in fields(Conditions)]
    return [value for value in values if isinstance(value, torch.Tensor)]


def same(one: Batch, other: Batch) -> bool:
    pairs = list(zip(tensors(one), tensors(other), strict=True))
    assert len(pairs) == 10
    return all(torch.equal(*pair) for pair in pairs)


def test_a_sample_depends_on_its_index_alone(clip_folder: Path) -> None:
    first, second = (ClipDataset([clip_folder], Sampling(augmentation=ALL)) for _ in range(2))
    assert len(first) == 3
    assert same(first[7], second[7])
    assert not same(first[7], first[8])
    assert not same(first[7], ClipDataset([clip_folder], Sampling(augmentation=ALL, seed=1))[7])


def test_a_sample_is_what_it_says(clip_folder: Path, clip) -> None:
    sample = ClipDataset([clip_folder], Sampling(6, source="first"))[0]
    assert (len(sample), sample.frame_count) == (1, 6)
    assert window_heatmaps(sample.conditions).shape == (1, 6, 18, 96, 96)
    assert sample.valid.all()
    frame = clip.info.sources[0].frame
    assert torch.equal(sample.source_image[0], clip.frames(frame, frame + 1)[0])
    starts = [s for s in range(15) if torch.equal(sample.target_frames[0], clip.frames(s, s + 6))]
    (start,) = starts
    grid = sample.conditions.source_grid[0]
    assert torch.equal(grid, clip.warps(0, start, start + 6).source_grid)
    moved = warp(sample.source_image.expand(6, -1, -1, -1), grid)
    seen = sample.conditions.state[0] == PixelState.VISIBLE
    off = (moved - sample.target_frames[0]).abs().mean(dim=1)
    copied = (sample.source_image - sample.target_frames[0]).abs().mean(dim=1)
    assert off[seen].mean() < copied[seen].mean()
    person = warp(sample.source_foreground.expand(6, -1, -1, -1), grid)
    assert person[:, 0][seen].mean() > 0.9


def test_a_part_shows_the_same_as_the_whole(clip_folder: Path) -> None:
    whole = ClipDataset([clip_folder], Sampling(6, source="first"))[0]
    part = ClipDataset([clip_folder], Sampling(6, source="first", crop=(64, 48)))[0]
    assert torch.equal(part.source_image, whole.source_image)
    assert part.target_frames.shape == (1, 6, 3, 64, 48)
    moved = whole.conditions.keypoints[0, 0, 0] - part.conditions.keypoints[0, 0, 0]
    x, y = (round(float(value)) for value in moved[:2])
    rows, columns = slice(y, y + 64), slice(x, x + 48)
    for name in ("target_frames", "target_foreground"):
        assert torch.equal(getattr(part, name), getattr(whole, name)[..., rows, columns])
    of_part, of_whole = part.conditions, whole.conditions
    maps = window_heatmaps(of_whole)[..., rows, columns]
    torch.testing.assert_close(window_heatmaps(of_part), maps, rtol=0, atol=1e-4)
    for name in ("state", "fallback"):
        assert torch.equal(getattr(of_part, name), getattr(of_whole, name)[..., rows, columns])
    assert torch.equal(of_part.source_grid, of_whole.source_grid[:, :, rows, columns])
    assert torch.equal(part.background, whole.background[..., rows, columns])
    everything = ClipDataset([clip_folder], Sampling(6, source="first", crop=(640, 480)))[0]
    assert torch.equal(everything.target_frames, whole.target_frames)


def test_windows_follow_each_other(clip_folder: Path) -> None:
    whole = ClipDataset([clip_folder], Sampling(5, windows=3))[0]
    parts = list(whole.windows(5))
    assert [part.frame_count for part in parts] == [5, 5, 5]
    assert torch.equal(torch.cat([part.target_frames for part in parts], 1), whole.target_frames)
    states = torch.cat([part.conditions.state for part in parts], 1)
    assert torch.equal(states, whole.conditions.state)
    for part, behind in zip(parts, (5, 10), strict=False):
        assert part.conditions.after is not None
        assert torch.equal(
            part.conditions.after.source_grid, whole.conditions.source_grid[:, behind : behind + 1]
        )
    assert parts[2].conditions.after is None
    assert torch.equal(parts[2].source_image, whole.source_image)


def test_a_clip_shorter_than_a_window_repeats_its_last_frame(clip_folder: Path) -> None:
    sample = ClipDataset([clip_folder], Sampling(12, windows=2))[0]
    assert sample.valid[0].tolist() == [True] * 20 + [False] * 4
    assert torch.equal(sample.target_frames[0, 19], sample.target_frames[0, 23])
    assert torch.equal(sample.conditions.state[0, 19], sample.conditions.state[0, 23])


def test_samples_are_joined_to_batches(clip_folder: Path) -> None:
    dataset = ClipDataset([clip_folder])
    batch = collate([dataset[0], dataset[1]])
    assert len(batch) == 2
    assert torch.equal(batch.target_frames[1], dataset[1].target_frames[0])
    assert torch.equal(batch.conditions.keypoints[1], dataset[1].conditions.keypoints[0])


def test_every_epoch_has_each_place_once_in_another_order() -> None:
    indices = list(itertools.islice(ShuffledIndices(7, 3), 21))
    epochs = [indices[start : start + 7] for start in (0, 7, 14)]
    assert [sorted(epoch) for epoch in epochs] == [
        list(range(start, start + 7)) for start in (0, 7, 14)
    ]
    assert len({tuple(index % 7 for index in epoch) for epoch in epochs}) == 3
    assert list(itertools.islice(ShuffledIndices(7, 3, first=9), 12)) == indices[9:]


def test_to_resume_is_never_to_have_stopped(clip_folder: Path) -> None:
    dataset = ClipDataset([clip_folder], Sampling(augmentation=ALL))
    whole = list(itertools.islice(load_batches(dataset, 2), 4))
    rest = list(itertools.islice(load_batches(dataset, 2, first=3), 1))
    assert same(whole[3], rest[0])


@pytest.mark.slow
def test_batches_are_the_same_with_two_workers(clip_folder: Path) -> None:
    dataset = ClipDataset([clip_folder], Sampling(augmentation=ALL))
    alone = itertools.islice(load_batches(dataset, 2, 0), 4)
    helped = itertools.islice(load_batches(dataset, 2, 2), 4)
    assert all(same(one, other) for one, other in zip(alone, helped, strict=True))


def test_one_broken_clip_is_named(clip_folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(clip_folder, tmp_path / name)
    (tmp_path / "b" / "frames.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"b/frames\.mp4 is missing or cut off"):
        ClipDataset([tmp_path])


def test_clips_that_cannot_serve(clip_folder: Path) -> None:
    with pytest.raises(InputError, match="of the split test"):
        ClipDataset([clip_folder], split="test")
