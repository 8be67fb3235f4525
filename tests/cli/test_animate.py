import json
from fractions import Fraction
from importlib.resources import as_file, files

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from bdmm.media.image import read_image, resize_image
from bdmm.media.video_reader import VideoReader

SMALL = ("--size", "96", "--renderer", "coarse", "--quiet")


def test_it_writes_what_it_says(bdmm, quick_photo, short_motion):
    options = [short_motion, "-o", "out.mp4", "--sheet", "sheet.png", "--size", "96", "--quiet"]
    outcome = bdmm("animate", quick_photo, *options)
    video = VideoReader("out.mp4")
    assert outcome.code == 0
    assert outcome.new_files == {"out.mp4", "sheet.png"}
    assert "out.mp4: 8 frames of 96 x 144 at 30 fps" in outcome.out
    assert "layered renderer" in outcome.out
    assert (video.frame_count, video.size) == (8, (144, 96))
    assert outcome.err == ""
    assert min(read_image("sheet.png").shape[:2]) > 144


@pytest.mark.slow
def test_the_same_command_writes_the_same_file(bdmm, quick_photo, short_motion, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        options = [short_motion, "-o", name, "--size", "96", "--quiet"]
        assert bdmm("animate", quick_photo, *options).code == 0
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_progress_is_a_line_per_stage_where_nobody_watches(bdmm, quick_photo, short_motion):
    outcome = bdmm("animate", quick_photo, short_motion, "-o", "out.mp4", *SMALL[:-1])
    assert outcome.err.splitlines()[0] == "Finding the person in photo.png"
    assert outcome.err.splitlines()[1] == "Rendering (8)"
    assert len(outcome.err.splitlines()) == 2


def test_progress_as_json_is_a_line_per_step_or_less(bdmm, quick_photo, short_motion, monkeypatch):
    monkeypatch.setenv("BDMM_PROGRESS", "json")
    outcome = bdmm("animate", quick_photo, short_motion, "-o", "out.mp4", *SMALL[:-1])
    lines = [json.loads(line) for line in outcome.err.splitlines()]
    assert lines[0] == {"stage": "Finding the person in photo.png", "done": 0, "total": 1}
    assert lines[-1] == {"stage": "Rendering", "done": 8, "total": 8}
    rendered = [one["done"] for one in lines if one["stage"] == "Rendering"]
    assert rendered == sorted(set(rendered))


def test_frames_larger_than_the_photo_are_not_made(bdmm, quick_photo, short_motion):
    options = ["-o", "out.mp4", "--renderer", "coarse", "--quiet"]
    outcome = bdmm("animate", quick_photo, short_motion, *options, "--size", "512")
    assert outcome.code == 0
    assert outcome.sentence.endswith(
        "The photo has 200 pixels on its shorter side: frames get 200, not 512."
    )
    assert VideoReader("out.mp4").size == (300, 200)


def test_a_driver_of_too_many_frames_is_refused(bdmm, quick_photo, short_motion):
    outcome = bdmm("animate", quick_photo, short_motion, "-o", "o.mp4", "--max-frames", "7")
    assert outcome.code == 2
    assert outcome.sentence.endswith("short.motion has 8 frames; at most 7 are taken.")


@pytest.mark.slow
def test_the_motion_is_saved_and_drives_again(bdmm, quick_photo, short_motion, tmp_path):
    saving = ["-o", "a.mp4", "--save-motion", "saved.motion", *SMALL]
    assert bdmm("animate", quick_photo, short_motion, *saving).code == 0
    assert bdmm("animate", quick_photo, "saved.motion", "-o", "b.mp4", *SMALL).code == 0
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_put_back_into_the_full_photo(bdmm, quick_photo, short_motion):
    options = [short_motion, "-o", "frames", "--paste-back", "--metadata", "none"]
    assert bdmm("animate", quick_photo, *options, *SMALL).code == 0
    frame, photo = read_image("frames/000001.png"), read_image(quick_photo)
    assert frame.shape == photo.shape
    assert np.array_equal(frame[:, :4], photo[:, :4])
    assert not np.array_equal(frame, photo)
    with Pillow.open("frames/000001.png") as file:
        assert "Comment" not in file.info


@pytest.mark.parametrize("suffix", [pytest.param("mov", marks=pytest.mark.slow), "gif"])
def test_other_kinds_of_files_and_backgrounds(bdmm, quick_photo, short_motion, suffix):
    Pillow.new("RGB", (40, 20), (10, 90, 30)).save("backdrop.png")
    options = [short_motion, "-o", f"out.{suffix}", "--background", "backdrop.png"]
    assert bdmm("animate", quick_photo, *options, *SMALL).code == 0
    first = next(iter(VideoReader(f"out.{suffix}")))
    assert np.abs(first[3, 3].astype(int) - (10, 90, 30)).max() <= 6


def test_a_person_on_a_transparent_background(bdmm, quick_photo, short_motion):
    options = ["--background", "transparent", "--sheet", "sheet.png"]
    assert bdmm("animate", quick_photo, short_motion, "-o", "out", *options, *SMALL).code == 0
    with Pillow.open("out/000001.png") as file:
        alpha = np.asarray(file)[..., 3]
        assert "Generated media" in file.info["Comment"]
    assert (alpha == 0).mean() > 0.3
    assert (alpha == 255).mean() > 0.05
    with Pillow.open("sheet.png") as file:
        assert "Generated media" in file.info["Comment"]


def test_transparent_where_it_cannot_be(bdmm, quick_photo, short_motion):
    options = [quick_photo, short_motion, "--background", "transparent", "--quiet"]
    outcome = bdmm("animate", *options, "-o", "out.mp4")
    assert outcome.code == 2
    assert "out.mp4 cannot be transparent: use .webm" in outcome.sentence
    outcome = bdmm("compare", *options, "-o", "out.mp4")
    assert outcome.code == 2
    assert "for bdmm animate alone" in outcome.sentence


def packets(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def driver_with_sound(path, frames, fps):
    """Write pictures, and noise for sound, as a camera would."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        sound = output.add_stream("aac", rate=48_000, layout="mono")
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        output.mux(stream.encode(None))
        samples = rng.normal(0, 0.2, (1, int(48_000 * len(frames) / fps))).astype(np.float32)
        piece = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        piece.sample_rate = 48_000
        output.mux(sound.encode(piece))
        output.mux(sound.encode(None))


def test_a_driving_video_gives_its_frame_count_rate_and_sound(bdmm, quick_photo, tmp_path):
    with as_file(files("bdmm.assets") / "samples" / "person.jpg") as path:
        person = resize_image(read_image(path), (320, 240))
    frames = [np.roll(person, 2 * i, axis=1) for i in range(9)]
    driver_with_sound(tmp_path / "dance.mp4", frames, Fraction(30_000, 1001))
    outcome = bdmm("animate", quick_photo, "dance.mp4", "-o", "out.mp4", *SMALL)
    assert outcome.code == 0
    assert "9 frames of 96 x 144 at 29.97 fps (0.3 s) with sound" in outcome.out
    video = VideoReader("out.mp4")
    assert (video.frame_count, video.fps) == (9, Fraction(30_000, 1001))
    assert packets("out.mp4") == packets("dance.mp4")


@pytest.mark.slow
def test_inspection_of_a_video(bdmm, tmp_path):
    with as_file(files("bdmm.assets") / "samples" / "person.jpg") as path:
        person = resize_image(read_image(path), (320, 240))
    frames = [np.roll(person, 2 * i, axis=1) for i in range(9)]
    driver_with_sound(tmp_path / "dance.mp4", frames, Fraction(30))
    outcome = bdmm("inspect", "dance.mp4")
    assert outcome.code == 0
    assert "dance_seen.mp4: 9 frames; bridged: none." in outcome.out
    seen = VideoReader("dance_seen.mp4")
    assert (seen.frame_count, seen.size) == (9, (320, 480))
    first = next(iter(seen)).astype(int)
    for half in (first[:, :240], first[:, 240:]):
        changed = np.abs(half - person).max(axis=2) > 30
        assert 0.03 < changed.mean() < 0.5
        assert changed[:, 80:160].sum() > 0.6 * changed.sum()


@pytest.mark.slow
def test_a_real_look_at_a_photo_that_the_person_is_put_back_into(bdmm, short_motion):
    with as_file(files("bdmm.assets") / "samples" / "person.jpg") as path:
        photo = read_image(path)
        options = ["-o", "frames", "--paste-back", "--size", "128", "--quiet"]
        outcome = bdmm("animate", path, short_motion, *options)
    assert outcome.code == 0
    assert "as sharp as the photo" in outcome.err
    frame = read_image("frames/000001.png")
    assert frame.shape == photo.shape
    away = np.abs(frame.astype(int) - photo).max(axis=2)
    assert (away[:, :60] == 0).mean() > 0.95
    assert 0.02 < (away > 20).mean() < 0.4
