"""Noisy copies of clips: true frames, poses that err anew in every frame, the same for one seed."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bdmm.data.clip_dataset import read_batch
from bdmm.data.clip_store import PreparedClip
from bdmm.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import noisy_clips


def copy(clip: PreparedClip, folder: Path, **amounts: Any) -> PreparedClip:
    options = replace(noisy_clips.Options(clip.folder, folder), **amounts)
    noisy_clips.write_noisy_copy(clip, folder, options)
    made = PreparedClip(folder)
    made.verify()
    return made


def test_frames_stay_and_poses_err_anew_in_every_frame(clip: PreparedClip, tmp_path: Path) -> None:
    noisy = copy(clip, tmp_path / "a", jitter=(3.0, 3.0), missing=0.0, freeze=0.0)
    assert torch.equal(noisy.frames(), clip.frames())
    away = noisy.keypoints()[..., :2] - clip.keypoints()[..., :2]
    pixel = clip.info.size[0] / 256
    assert 1.5 * pixel < float(away.square().mean().sqrt()) < 6 * pixel
    assert float((away[1:] - away[:-1]).abs().mean()) > 0.5 * float(away.abs().mean())
    first, second = (read_batch(one, 0, 0, len(clip)).conditions for one in (clip, noisy))
    assert not torch.equal(first.state, second.state)


def test_joints_are_missing_and_poses_bridged(clip: PreparedClip, tmp_path: Path) -> None:
    noisy = copy(clip, tmp_path / "a", missing=0.5, drop=0.5)
    assert 0 < len(noisy.info.flagged) < len(clip)
    missing = (noisy.keypoints()[..., 2] == 0).float().mean()
    assert float(missing) > float((clip.keypoints()[..., 2] == 0).float().mean())


def test_without_noise_a_twin_has_the_clips_own_poses(clip: PreparedClip, tmp_path: Path) -> None:
    none: dict[str, Any] = {
        "jitter": (0.0, 0.0),
        "missing": 0.0,
        "freeze": 0.0,
        "drop": 0.0,
        "swap": 0.0,
    }
    true = copy(clip, tmp_path / "a", **none)
    assert torch.equal(true.keypoints(), clip.keypoints())
    assert torch.equal(true.motion().rotations, clip.motion().rotations)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(clip: PreparedClip, tmp_path: Path) -> None:
    files = [copy(clip, tmp_path / name).info.files for name in "ab"]
    assert files[0] == files[1]


def test_a_clip_without_sources_is_refused(clip: PreparedClip, tmp_path: Path) -> None:
    bare = PreparedClip(clip.folder)
    bare.info = replace(clip.info, sources=())
    with pytest.raises(InputError, match="no stored sources"):
        copy(bare, tmp_path / "a")
    assert not (tmp_path / "a").exists()
