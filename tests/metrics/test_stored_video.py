"""Frames of stored videos by their index."""

import numpy as np
import pytest
import torch

from bdmm.errors import InputError
from bdmm.media.pixels import to_frames
from bdmm.metrics import stored_video
from bdmm.metrics.frame_sources import FrameFolder, open_frames
from bdmm.metrics.stored_video import clips_of
from bdmm.metrics.video_distance import Cutting


@pytest.fixture
def pictures(paint) -> list[np.ndarray]:
    return [paint(seed) for seed in range(9)]


@pytest.mark.parametrize("kept", [0, 2**30])
def test_frames_are_those_of_the_folder(pictures, write_folder, monkeypatch, kept) -> None:
    monkeypatch.setattr(stored_video, "KEPT_BYTES", kept)
    video = clips_of("a", open_frames(write_folder("a", pictures)))
    assert (video.name, video.length) == ("a", 9)
    for indices in (range(1, 8, 3), range(9)):
        expected = to_frames([pictures[i] for i in indices])
        assert torch.equal(video.read(indices), expected)
    assert video.starts(Cutting(3, 3, repeats=20)).max() == 2


def test_frames_are_brought_to_a_size(pictures, write_folder) -> None:
    video = clips_of("a", open_frames(write_folder("a", pictures)), (20, 24))
    assert video.read([2]).shape == (1, 3, 20, 24)


def test_a_damaged_frame_is_named(pictures, write_folder) -> None:
    folder = write_folder("a", pictures)
    (folder / "000003.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"000003\.png"):
        clips_of("a", open_frames(folder)).read([0, 1])


def test_a_video_that_ends_early_is_named(pictures, write_folder) -> None:
    class Cut(FrameFolder):
        def __len__(self) -> int:
            return 12

    source = Cut(write_folder("a", pictures))
    with pytest.raises(InputError, match="ends before frame 12"):
        clips_of("a", source).read([0, 1])
