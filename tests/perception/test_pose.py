"""What is kept of each frame of a long clip comes back as it was, and is small."""

import errno
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from bdmm.errors import InputError
from bdmm.perception.pose import (
    KeptViews,
    PackedSilhouettes,
    PackedTracks,
    PersonView,
    Silhouette,
)


def _person(frame: int) -> Silhouette:
    rows, columns = torch.meshgrid(torch.arange(160.0), torch.arange(160.0), indexing="ij")
    wave = 30 + 12 * torch.sin(rows / 7 + frame)
    inside = ((columns - 80).abs() < wave) & ((rows - 80).abs() < 70)
    return Silhouette(frame, inside[None].float(), (1.5, -2.0), 0.75)


def test_silhouettes_come_back_as_they_were() -> None:
    packed = PackedSilhouettes()
    whole = [_person(frame) for frame in (3, 4, 7)]
    for one in whole:
        packed.append(one)
    assert len(packed) == 3
    for one, other in zip(whole, packed[:], strict=True):
        assert torch.equal(one.foreground, other.foreground)
        assert (one.frame, one.origin, one.scale) == (other.frame, other.origin, other.scale)
    assert max(len(item[1]) for item in packed._items) < 1000


def test_tracks_come_back_as_they_were_and_share_their_start() -> None:
    packed = PackedTracks()
    dice = np.random.default_rng(0)
    points = dice.normal(100, 30, (130, 2)).astype(np.float32)
    for end in (6, 8):
        held = dice.random(130) < 0.8
        moved = dice.normal(0, 3, (int(held.sum()), 2))
        packed.append((4, end), points, held, moved)
        track = packed[len(packed) - 1]
        assert (track.start, track.end) == (4, end)
        assert torch.equal(track.points, torch.from_numpy(points[held]))
        assert torch.equal(track.moved, torch.from_numpy(moved).float())
    assert packed._items[0][2] is packed._items[1][2]


def test_many_views_leave_memory_and_come_back_as_they_were() -> None:
    dice = np.random.default_rng(0)
    kept = KeptViews(in_memory=1000)
    views = [
        PersonView(4 * i, dice.integers(0, 255, 400 + i).astype(np.uint8), (i, -i), 0.5 + i)
        for i in range(9)
    ]
    for one in views:
        kept.append(one)
        assert np.array_equal(kept[0].jpeg, views[0].jpeg), "reading between two writings"
    assert len(kept) == 9
    assert kept._file._rolled  # pyright: ignore[reportAttributeAccessIssue]
    for one, other in zip(views, kept, strict=True):
        assert np.array_equal(one.jpeg, other.jpeg)
        assert (one.frame, one.origin, one.scale) == (other.frame, other.origin, other.scale)


def test_a_full_disk_of_temporary_files_is_told(monkeypatch) -> None:
    kept = KeptViews()
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(kept._file, "write", Mock(side_effect=full))
    with pytest.raises(InputError, match="the disk is full"):
        kept.append(PersonView(0, np.zeros(3, np.uint8), (0, 0), 1.0))
