"""Videos of a rendered person become prepared clips; bad ones are told of."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.batch.run import Run
from bdmm.data.clip_store import PreparedClip
from bdmm.data.dataset_layouts import PrepareJob
from bdmm.data.prepare import PrepareOptions, choose_clips, prepare_folder
from bdmm.data.raw_clip import open_raw_clip
from bdmm.errors import InputError
from bdmm.media.image import cut_out, read_image, resize_image, write_image
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import create_video
from bdmm.perception.person_crop import (
    CroppedClip,
    crop_motion,
    person_crop,
)
from bdmm.perception.pose import Detection, PackedSilhouettes, Silhouette
from bdmm.perception.tracking import Square, whole_frame
from bdmm.records import KEYPOINT_NAMES, Landmarks

OPTIONS = PrepareOptions(size=96, sources=2)
COUNT = 8


def write_video(path: Path, pictures, fps: int = 25) -> Path:
    with create_video(path, Fraction(fps)) as video:
        for picture in pictures:
            video.write(picture)
    return path


@pytest.fixture(scope="session")
def dance() -> list[np.ndarray]:
    """Frames of the shipped sample video."""
    with as_file(files("bdmm") / "assets" / "samples" / "dance.mp4") as path:
        reader = VideoReader(path, max_side=240)
        return list(itertools.islice(reader, COUNT))


@pytest.fixture(scope="session")
def folder(tmp_path_factory, dance) -> Path:
    """One good video, one without anybody, one broken and one too short."""
    root = tmp_path_factory.mktemp("videos")
    write_video(root / "good.mp4", dance)
    write_video(root / "nobody.mp4", [np.full((48, 48, 3), 90, np.uint8)] * 6)
    write_video(root / "short.mp4", dance[:3])
    (root / "broken.mp4").write_bytes(b"no video" * 99)
    (root / "readme.txt").touch()
    return root


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, folder):
    out = tmp_path_factory.mktemp("prepared") / "out"
    report = prepare_folder(choose_clips(folder), OPTIONS, Run(out))
    return out, report


def test_bad_videos_never_stop_the_batch(prepared) -> None:
    out, report = prepared
    assert [clip["name"] for clip in report.clips] == ["good"]
    reasons = {one.name: one.reason for one in report.failed}
    assert "not a media file" in reasons["broken"]
    assert "Nobody is seen" in reasons["nobody"]
    assert "has 3 frames; a clip needs at least 6" in reasons["short"]
    assert json.loads((out / "report.json").read_text())["failed"][0]["name"] == "broken"
    assert sorted(path.name for path in (out / "clips").iterdir()) == ["good"]


def test_the_person_fills_the_square_and_the_parts_agree(prepared) -> None:
    clip = PreparedClip(prepared[0] / "clips" / "good")
    clip.verify()
    assert (len(clip), clip.info.size, clip.info.fps) == (COUNT, (96, 96), 25)
    assert clip.info.origin.file == "good.mp4"
    people = clip.foregrounds()[:, 0] > 0.5
    rows = torch.nonzero(people.any(dim=2).any(dim=0)).flatten()
    assert 60 < int(rows[-1] - rows[0]) < 96
    keypoints = clip.keypoints()
    places = keypoints[..., :2].long().clamp(0, 95)
    frame = torch.arange(COUNT)[:, None]
    torso = [KEYPOINT_NAMES.index(name) for name in ("neck", "mid_hip", "left_knee", "right_knee")]
    inside = people[frame, places[:, torso, 1], places[:, torso, 0]]
    assert inside.float().mean() > 0.9
    visible = clip.warps(0).state == 1
    assert (visible & people).sum() > 0.6 * people.sum()
    assert (prepared[0] / "previews" / "good.jpg").is_file()


def test_the_empty_place_differs_from_the_frames_at_the_person_alone(prepared) -> None:
    clip = PreparedClip(prepared[0] / "clips" / "good")
    people = clip.foregrounds()[:, 0]
    apart = (clip.frames() - clip.background()).abs().mean(dim=1)
    assert apart[people > 0.9].mean() > 4 * apart[people < 0.02].mean()


def test_poses_that_do_not_match_the_video(folder, tmp_path: Path, dance) -> None:
    write_video(tmp_path / "x.mp4", dance)
    (tmp_path / "x_openpose").mkdir()
    body = {"people": [{"pose_keypoints_2d": [50.0, 60.0, 1.0, 70.0, 90.0, 1.0] * 9}]}
    for frame in range(3):
        path = tmp_path / "x_openpose" / f"{frame:03d}_keypoints.json"
        path.write_text(json.dumps(body))
    report = prepare_folder(choose_clips(tmp_path), OPTIONS, Run(tmp_path / "out"))
    assert "has poses for 3 frames, but" in report.failed[0].reason


def test_given_smpl_parameters_are_used(tmp_path: Path, dance) -> None:
    """A person in SMPL's T-pose, twice as far to the right in the last frame."""
    pictures = tmp_path / "train" / "a.mp4" / "frames"
    poses = tmp_path / "train" / "a.mp4" / "kptsmpls"
    for path in (pictures, poses):
        path.mkdir(parents=True)
    for number, picture in enumerate(dance[:8]):
        write_image(pictures / f"frame_{number:05d}.png", resize_image(picture, (128, 128)))
        smpl = {"cam": [0.8, 0.1 + number / 70, 0.0], "pose_theta": [0.0] * 72}
        path = poses / f"frame_{number:05d}.json"
        path.write_text(json.dumps(smpl | {"shape_beta": [0.0] * 10}))
    report = prepare_folder(choose_clips(tmp_path), OPTIONS, Run(tmp_path / "out"))
    assert report.failed == ()
    clip = PreparedClip(tmp_path / "out" / "clips" / "a")
    assert clip.info.origin.crop == (0, 0, 128)
    motion = clip.motion()
    assert motion.scale.tolist() == pytest.approx([0.8 * 48] * 8)
    assert float(motion.translation[0, 0]) == pytest.approx(48 + 0.8 * 48 * 0.1, abs=0.1)
    moved = float(motion.translation[7, 0] - motion.translation[0, 0])
    assert moved == pytest.approx(0.8 * 48 * 0.1, abs=0.1)


def test_raw_clips_of_pictures_and_thinned(tmp_path: Path) -> None:
    for number in (1, 2, 10, 9):
        write_image(tmp_path / f"f{number}.png", np.full((20, 40, 3), number, np.uint8))
    raw = open_raw_clip(tmp_path, 20, None, Fraction(30))
    assert (len(raw), raw.size, raw.fps) == (4, (10, 20), 30)
    assert [int(picture[0, 0, 0]) for picture in raw] == [1, 2, 9, 10]
    half = open_raw_clip(tmp_path, 40, Fraction(15), Fraction(30))
    assert (len(half), half.fps) == (2, 15)
    assert [int(picture[0, 0, 0]) for picture in half] == [1, 9]
    faster = open_raw_clip(tmp_path, 40, Fraction(60), Fraction(30))
    assert faster.fps == 30
    write_image(tmp_path / "f11.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(InputError, match=r"f11\.png is of another size"):
        list(open_raw_clip(tmp_path, 40, None, Fraction(30)))


def test_a_crop_over_the_border_repeats_the_rim(sliding) -> None:
    picture = np.arange(36, dtype=np.uint8).reshape(6, 6, 1).repeat(3, 2)
    cut = cut_out(picture, (-2, 3), (6, 6), (6, 6))[..., 0]
    assert cut[0].tolist() == [18, 18, 18, 19, 20, 21]
    assert cut[:, 2].tolist() == [18, 24, 30, 30, 30, 30]
    motion = crop_motion(sliding.motion, Square(10, -6, 48), 96)
    assert motion.scale[0] == 84
    assert motion.translation[0].tolist() == [(38 - 10) * 2, (44 + 6) * 2]


def test_the_square_holds_keypoints_and_silhouettes() -> None:
    keypoints = torch.zeros(2, 29, 3)
    keypoints[0, :, :2] = torch.tensor([200.0, 100.0])
    keypoints[1, :, :2] = torch.tensor([240.0, 220.0])
    keypoints[..., 2] = 1
    marks = Landmarks(keypoints, None, torch.tensor([True, True]), (400, 600), Fraction(25))
    inside = torch.zeros(1, 40, 40)
    inside[0, 10:30, 5:10] = 1
    outline = Silhouette(0, inside, (190.0, 60.0), 0.5)
    left, top, side = person_crop(marks, [outline])
    assert side == pytest.approx(1.15 * 140, abs=2)
    assert (left + side / 2, top + side / 2) == pytest.approx((220, 150), abs=1)
    assert person_crop(replace(marks, size=(150, 100)), [outline]) == whole_frame((150, 100))
    laid = outline.on((190.0, 60.0), 1.0, (80, 80))
    rows, columns = np.nonzero(laid > 0.5)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (20, 60, 10, 20)


def test_silhouettes_of_a_long_clip_stay_packed() -> None:
    inside = torch.zeros(1, 160, 160)
    inside[0, 20:140, 60:100] = 1
    packed = PackedSilhouettes()
    for frame in range(1000):
        packed.append(Silhouette(frame, inside, (0.0, 0.0), 1.0))
    found = torch.ones(1000, dtype=torch.bool)
    marks = Landmarks(torch.ones(1000, 29, 3), None, found, (160, 160), Fraction(25))
    pictures = itertools.repeat(np.zeros((160, 160, 3), np.uint8), 1000)
    tracemalloc.start()
    clip = CroppedClip(pictures, Detection(marks, packed), Square(0, 0, 160), 64)
    *_, last = clip.frame_views()
    image, foreground = last()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert image.shape[1:] == foreground.shape[1:] == (64, 64)
    assert foreground[0, 32, 32] == 1
    assert peak < 1000 * 160 * 160 / 2, "unpacked they are eight times as large"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"size": 97}, "even number"), ({"size": 16}, "even number"),
     ({"sources": 99}, "number of sources"), ({"error": -1.0}, "error")],
)  # fmt: skip
def test_options_out_of_range(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        PrepareOptions(**options)


def test_preview_is_a_picture(prepared) -> None:
    assert read_image(prepared[0] / "previews" / "good.jpg").shape == (192, 768, 3)


@pytest.mark.slow
def test_killed_in_the_middle_and_started_again(dance, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for name, shift in (("a", 0), ("b", 5), ("c", 9)):
        write_video(videos / f"{name}.mp4", [np.roll(picture, shift, 1) for picture in dance])
    command = [sys.executable, "-c", "from bdmm.cli.app import main; import sys; sys.exit(main())"]
    options = ["prepare", str(videos), "--size", "96", "--sources", "2", "--workers", "1"]

    def start(out: str) -> subprocess.Popen:
        return subprocess.Popen([*command, *options, "-o", str(tmp_path / out)])

    killed = start("killed")
    while not list((tmp_path / "killed" / "clips").glob("[!.]*")):
        assert killed.poll() is None
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert len(list((tmp_path / "killed" / "clips").glob("[!.]*"))) < 3
    assert start("killed").wait() == 0
    assert start("straight").wait() == 0
    found = {
        name: {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("killed", "straight")
    }
    assert found["killed"] == found["straight"]
    assert len(found["straight"]) == 2 + 3 * 9


def test_a_job_knows_its_name() -> None:
    assert PrepareJob("a", "videos", "train", Path("a.mp4")).name == "a"


@pytest.mark.slow
def test_a_disk_that_fills_up_in_the_middle_of_a_clip(folder, small_disk, monkeypatch):
    disk = small_disk("32k")
    monkeypatch.setattr("bdmm.files.output_file.MIN_FREE_BYTES", 0)
    listing = choose_clips(folder / "good.mp4")
    with pytest.raises(InputError, match=r"could not be written.*disk is full"):
        prepare_folder(listing, OPTIONS, Run(disk / "out"))
    left = {str(one.relative_to(disk)) for one in disk.rglob("*") if one.is_file()}
    assert left <= {"out/.lock", "out/recipe.json", "out/report.json"}


def test_a_long_video_is_refused_unless_allowed(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [np.full((48, 48, 3), 90, np.uint8)] * 6, fps=1)
    for minutes, reason in ((0.05, "lasts 0.1 minutes"), (0.2, "Nobody is seen")):
        options = replace(OPTIONS, max_minutes=minutes)
        report = prepare_folder(choose_clips(tmp_path), options, Run(tmp_path / "out"))
        assert reason in report.failed[0].reason
