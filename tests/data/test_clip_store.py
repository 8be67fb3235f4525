"""Prepared clips on disk: what is read is what was written, and damage is told of."""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.data.clip_store import (
    TRUTH,
    PreparedClip,
    find_clips,
    pack_keypoints,
    unpack_keypoints,
)
from bdmm.data.clip_video import create_clip_video, read_run
from bdmm.data.synth import store_rendered
from bdmm.errors import InputError
from bdmm.media.pixels import to_frames


@pytest.fixture
def copy(clip_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clip_folder, tmp_path / "slider"))


def test_frames_and_foregrounds_come_back(clip, sliding) -> None:
    frames = to_frames(list(sliding.frames_uint8))
    assert (clip.frames() - frames).abs().mean() < 0.04
    people = torch.from_numpy(sliding.foregrounds).float()[:, None] / 255
    assert (clip.foregrounds() - people).abs().mean() < 0.01


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (11, 13), (7, 20), (19, 20)])
def test_any_run_is_the_whole_one_cut(clip, start: int, stop: int) -> None:
    assert torch.equal(clip.frames(start, stop), clip.frames()[start:stop])
    assert torch.equal(clip.foregrounds(start, stop), clip.foregrounds()[start:stop])
    whole, part = clip.warps(0), clip.warps(0, start, stop)
    assert torch.equal(part.source_grid, whole.source_grid[start:stop])
    assert torch.equal(part.state, whole.state[start:stop])
    assert torch.equal(part.fallback, whole.fallback[start:stop])


def test_motion_keypoints_and_metadata(clip, sliding) -> None:
    assert (clip.motion().translation - sliding.motion.translation).abs().max() == 0
    assert (clip.keypoints()[..., :2] - sliding.keypoints[..., :2]).abs().max() < 0.05
    assert clip.info.fps == Fraction(25)
    assert len({one.frame for one in clip.info.sources}) == 3
    assert len(clip.motion(TRUTH)) == len(clip) == 20


def test_the_background_has_no_person(clip, sliding) -> None:
    ramp = to_frames([np.linspace(90, 160, 96)[None, :, None].repeat(96, 0).repeat(3, 2)
                      .astype(np.uint8)])[0]  # fmt: skip
    assert (clip.background() - ramp).abs().mean() < 0.03


def test_the_same_clip_gives_the_same_bytes(
    clip_folder, sliding, body, options, tmp_path: Path
) -> None:
    again = tmp_path / "slider"
    store_rendered(again, sliding, body, options, np.random.default_rng(1))
    names = sorted(path.name for path in clip_folder.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    for name in names:
        assert (again / name).read_bytes() == (clip_folder / name).read_bytes(), name


def test_an_existing_clip_is_not_replaced(clip_folder, sliding, body, options) -> None:
    with pytest.raises(InputError, match="could not be written"):
        store_rendered(clip_folder, sliding, body, options, np.random.default_rng(1))
    PreparedClip(clip_folder).verify()
    assert [path.name for path in clip_folder.parent.iterdir()] == ["slider"]


def test_a_missing_or_cut_off_file_is_named(copy: Path) -> None:
    whole = (copy / "warps.safetensors").read_bytes()
    (copy / "warps.safetensors").write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"warps\.safetensors is missing or cut off"):
        PreparedClip(copy)
    (copy / "warps.safetensors").unlink()
    with pytest.raises(InputError, match=r"warps\.safetensors is missing"):
        PreparedClip(copy)
    (copy / "clip.json").unlink()
    with pytest.raises(InputError, match=r"no prepared clip"):
        PreparedClip(copy)


@pytest.mark.parametrize("name", ["frames.mp4", "foreground.mp4", "warps.safetensors",
                                  "keypoints.safetensors", "clip.motion",
                                  "background.jpg"])  # fmt: skip
def test_zeros_in_a_file_are_told_of_with_its_name(copy: Path, name: str) -> None:
    size = (copy / name).stat().st_size
    (copy / name).write_bytes(bytes(size))
    clip = PreparedClip(copy)
    with pytest.raises(InputError, match=name):
        clip.verify()
    with pytest.raises(InputError, match=name):
        _read_all(clip)


def test_changed_bytes_of_warps_are_noticed_when_read(copy: Path) -> None:
    path = copy / "warps.safetensors"
    data = bytearray(path.read_bytes())
    for place in range(len(data) - 3000, len(data), 50):
        data[place] ^= 0xFF
    path.write_bytes(data)
    clip = PreparedClip(copy)
    with pytest.raises(InputError, match=r"warps\.safetensors is damaged"):
        [clip.warps(place) for place in range(3)]


@pytest.mark.parametrize(
    ("key", "value"),
    [("frames", -1), ("fps", "1/0"), ("size", [96]), ("sources", [{"frame": 99, "error": 0}]),
     ("files", {"../x": [1, ""]}), ("origin", None), ("version", 7)],
)  # fmt: skip
def test_impossible_metadata(copy: Path, key: str, value: object) -> None:
    path = copy / "clip.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, key: value}))
    with pytest.raises(InputError, match=r"clip\.json"):
        PreparedClip(copy)


def test_metadata_that_is_no_json(copy: Path) -> None:
    for text in ("", "[", "[]", "[" * 100_000):
        (copy / "clip.json").write_text(text)
        with pytest.raises(InputError, match=r"clip\.json"):
            PreparedClip(copy)


def test_clips_are_found(clip_folder: Path, tmp_path: Path) -> None:
    assert find_clips(clip_folder.parent) == [clip_folder] == find_clips(clip_folder)
    with pytest.raises(InputError, match="holds no prepared clips"):
        find_clips(tmp_path)


def test_more_truth_than_there_is(clip: PreparedClip) -> None:
    with pytest.raises(InputError, match="warps of 1 sources"):
        clip.warps(1, 0, 1, TRUTH)


def test_a_grey_video_keeps_its_rim(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:64, 0:64]
    soft = (128 + 40 * (20 - np.hypot(rows - 32, columns - 32))).clip(0, 255).astype(np.uint8)
    with create_clip_video(tmp_path / "x.mp4", Fraction(30000, 1001), "grey") as video:
        for shift in range(14):
            video.write(np.roll(soft, shift, axis=1))
    found = read_run(tmp_path / "x.mp4", 13, 14, Fraction(30000, 1001), "grey")[0]
    error = np.abs(found.astype(int) - np.roll(soft, 13, axis=1))
    assert error.mean() < 2.7
    assert error[:8].max() == 0


def test_frames_beyond_the_end(tmp_path: Path) -> None:
    with create_clip_video(tmp_path / "x.mp4", Fraction(25), "grey") as video:
        video.write(np.zeros((16, 16), np.uint8))
    with pytest.raises(InputError, match=r"Frame 1 of .*x\.mp4"):
        read_run(tmp_path / "x.mp4", 0, 2, Fraction(25), "grey")


def test_keypoints_are_kept_to_a_part_of_a_pixel() -> None:
    keypoints = torch.rand(9, 29, 3) * torch.tensor([300.0, 300.0, 1.0]) - torch.tensor([20, 20, 0])
    keypoints[3, 4, 2] = 0
    keypoints[3, 5, 2] = 1e-4
    found = unpack_keypoints(pack_keypoints(keypoints), 9)
    assert (found[..., :2] - keypoints[..., :2]).abs().max() <= 1 / 32 + 1e-4
    assert found[3, 4, 2] == 0
    assert found[3, 5, 2] > 0


def _read_all(clip: PreparedClip) -> None:
    clip.frames()
    clip.foregrounds()
    clip.warps(0)
    clip.keypoints()
    clip.motion()
    clip.background()
