import json
from fractions import Fraction

import numpy as np
import pytest
import torch

from bdmm.errors import InputError
from bdmm.inference.driving import DrivingOptions, KeptFrames, open_driver
from bdmm.media.motion_file import load_shipped, save_motion
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import create_video


def test_a_shipped_motion_by_name():
    motion = open_driver("turn").motion()
    assert torch.equal(motion.rotations, load_shipped("turn").rotations)


def test_a_motion_file_and_a_motion(tmp_path):
    motion = load_shipped("wave")
    save_motion(tmp_path / "a.motion", motion)
    driver = open_driver(tmp_path / "a.motion")
    assert len(driver.motion()) == len(motion)
    assert driver.sound is None
    assert open_driver(motion).motion() is motion


def test_a_file_goes_before_a_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "turn").write_text("no video")
    with pytest.raises(InputError, match="turn is not a media file"):
        open_driver("turn")


def test_a_video_is_checked_but_not_yet_looked_at(tmp_path):
    with create_video(tmp_path / "a.mp4", Fraction(12)) as video:
        for _ in range(5):
            video.write(np.zeros((64, 1500, 3), np.uint8))
    driver = open_driver(tmp_path / "a.mp4")
    assert driver.video is not None
    assert (driver.video.fps, len(driver.video)) == (12, 5)
    assert driver.video.size == (55, 1280)


def test_a_video_that_fits_in_memory_is_decoded_once(tmp_path, monkeypatch):
    with create_video(tmp_path / "a.mp4", Fraction(12)) as video:
        for level in range(5):
            video.write(np.full((32, 48, 3), 40 * level, np.uint8))
    decoded = []
    original = VideoReader.__iter__

    def counted(self):
        decoded.append(self)
        return original(self)

    monkeypatch.setattr(VideoReader, "__iter__", counted)
    reader = VideoReader(tmp_path / "a.mp4")
    kept = KeptFrames(reader)
    next(iter(kept))
    first, second = list(kept), list(kept)
    assert len(first) == len(kept) == 5
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert len(decoded) == 2, "once for the first frame alone, once for all"
    monkeypatch.setattr("bdmm.inference.driving.KEPT_BYTES", 5 * 32 * 48 * 3 - 1)
    again = KeptFrames(reader)
    assert all(np.array_equal(a, b) for _ in range(2) for a, b in zip(first, again, strict=True))
    assert len(decoded) == 4
    forgotten = KeptFrames(reader, keep=False)
    assert len(list(forgotten)) == len(list(forgotten)) == 5
    assert len(decoded) == 6


def test_folders_of_poses(tmp_path):
    points = np.random.default_rng(0).uniform(50, 200, (25, 3))
    points[:, 2] = 0.9
    for i in range(3):
        people = [{"pose_keypoints_2d": points.flatten().tolist()}]
        (tmp_path / f"{i:03d}_keypoints.json").write_text(json.dumps({"people": people}))
    driver = open_driver(tmp_path, DrivingOptions(fps=Fraction(24)))
    assert (driver.sound, driver.video) == (None, None)


def test_a_folder_of_smpl_parameters(tmp_path):
    for i in range(3):
        frame = {"cam": [0.9, 0.0, 0.1], "pose": [0.0] * 72, "shape": [0.0] * 10}
        (tmp_path / f"{i}.json").write_text(json.dumps(frame))
    motion = open_driver(tmp_path, DrivingOptions(fps=Fraction(24))).motion()
    assert (len(motion), motion.fps) == (3, 24)


def test_what_gives_no_motion(tmp_path):
    (tmp_path / "bad.motion").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    (tmp_path / "empty").mkdir()
    for name, words in {
        "bad.motion": "bad.motion is not a usable motion file",
        "bad.npz": "bad.npz is damaged",
        "empty": "empty holds no JSON files",
        "nothing.mp4": "There is no file and no shipped motion .*nothing.mp4",
    }.items():
        with pytest.raises(InputError, match=words):
            open_driver(tmp_path / name)


@pytest.mark.parametrize("smooth", [-0.5, 31.0, float("nan"), float("inf")])
def test_impossible_smoothing(smooth):
    with pytest.raises(InputError, match="must lie between 0 and 30"):
        DrivingOptions(smooth=smooth)
