"""Each kind of bad input: one sentence, exit code 2, no traceback, no file left behind."""

import os
import pickle
import resource
import signal
import struct
import subprocess
import sys
import time
import zlib
from fractions import Fraction
from importlib.resources import as_file, files
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from bdmm.media.image import read_image, resize_image, write_image
from bdmm.media.video_writer import create_video

BACK = "media/photos/iperpp_demo6_back.png"


@pytest.fixture
def landscape(tmp_path: Path) -> Path:
    """A photo without anybody."""
    ramp = np.linspace(40, 210, 200).astype(np.uint8)
    picture = np.stack([ramp[None].repeat(200, 0), ramp[:, None].repeat(200, 1)] * 2, axis=2)
    write_image(tmp_path / "landscape.png", picture[..., :3])
    return tmp_path / "landscape.png"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video without anybody."""
    with create_video(tmp_path / "clip.mp4", Fraction(10)) as video:
        for level in range(12):
            video.write(np.full((64, 64, 3), 90 + level, np.uint8))
    return tmp_path / "clip.mp4"


def refused(outcome, *words):
    assert outcome.code == 2
    for word in words:
        assert word in outcome.sentence
    assert outcome.new_files == set()
    assert outcome.out == ""


def claim_size(path, size):
    """Write another size into a PNG's header: all that is read of one that is too large."""
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">2I", *size)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)


@pytest.mark.parametrize("contents", [b"", b"this is no video " * 100])
def test_not_a_media_file(bdmm, landscape, tmp_path, contents):
    (tmp_path / "dance.mp4").write_bytes(contents)
    refused(bdmm("animate", landscape, "dance.mp4", "-o", "out.mp4"), "dance.mp4", "not a media")
    refused(bdmm("motion", "dance.mp4", "-o", "out.motion"), "dance.mp4", "not a media")
    refused(bdmm("inspect", "dance.mp4"), "dance.mp4", "not a media")
    (tmp_path / "photo.jpg").write_bytes(contents)
    refused(bdmm("animate", "photo.jpg", "--motion", "turn", "-o", "o.mp4"), "photo.jpg", "picture")
    refused(bdmm("inspect", "photo.jpg"), "photo.jpg", "not a picture")


def test_a_truncated_file(bdmm, landscape, clip):
    clip.write_bytes(clip.read_bytes()[:-300])
    with av.open(str(clip.with_suffix(".mkv")), "w") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        noise = np.random.default_rng(0).integers(0, 255, (30, 64, 64, 3)).astype(np.uint8)
        for frame in noise:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        output.mux(stream.encode(None))
    whole = clip.with_suffix(".mkv").read_bytes()
    clip.with_suffix(".mkv").write_bytes(whole[: len(whole) // 4])
    refused(bdmm("animate", landscape, "clip.mkv", "-o", "out.mp4"), "clip.mkv", "cut off")
    half = landscape.read_bytes()[: landscape.stat().st_size // 2]
    landscape.write_bytes(half)
    refused(bdmm("animate", landscape, "--motion", "turn", "-o", "out.mp4"), "cut off")


def test_sound_only(bdmm, landscape, tmp_path):
    with av.open(str(tmp_path / "song.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=48_000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.float32), "fltp", "mono")
        silence.sample_rate = 48_000
        output.mux(stream.encode(silence))
        output.mux(stream.encode(None))
    refused(bdmm("animate", landscape, "song.mp4", "-o", "out.mp4"), "song.mp4 has sound only")


def test_zero_frames(bdmm, landscape, tmp_path):
    with av.open(str(tmp_path / "none.mp4"), "w") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        output.start_encoding()
    refused(bdmm("animate", landscape, "none.mp4", "-o", "out.mp4"), "none.mp4 has no")


@pytest.mark.parametrize(
    ("size", "words"),
    [((1, 1), "1 x 1 pixels"), ((20_000, 20_000), "too many pixels"), ((20_000, 9), "pixels")],
)
def test_photos_of_impossible_size(bdmm, tmp_path, size, words):
    Pillow.new("1", (size[0], min(size[1], 9))).save(tmp_path / "photo.png")
    claim_size(tmp_path / "photo.png", size)
    refused(bdmm("animate", "photo.png", "--motion", "turn", "-o", "out.mp4"), words)


def test_a_photo_without_anybody(bdmm, landscape):
    refused(bdmm("animate", landscape, "--motion", "turn", "-o", "out.mp4", "--quiet"), "Nobody")
    refused(bdmm("inspect", landscape), "Nobody")


def test_a_driver_without_anybody(bdmm, clip):
    refused(bdmm("motion", clip, "-o", "out.motion", "--quiet"), "Nobody", "12 frames")


def test_files_that_are_missing_or_folders(bdmm, landscape, tmp_path):
    refused(bdmm("animate", "no.png", "--motion", "turn", "-o", "o.mp4"), "no.png does not exist")
    refused(bdmm("animate", landscape, "no.mp4", "-o", "o.mp4"), "no.mp4", "star_jump")
    refused(bdmm("animate", landscape, "--motion", "fly", "-o", "o.mp4"), "fly", "star_jump")
    refused(bdmm("animate", landscape, tmp_path, "-o", "o.mp4"), "no JSON files")
    refused(bdmm("inspect", "no.png"), "no.png does not exist")
    refused(bdmm("animate", landscape, "-o", "o.mp4"), "either a driver or --motion")
    refused(bdmm("animate", landscape, "a.mp4", "--motion", "turn", "-o", "o.mp4"), "either")


@pytest.mark.parametrize("damage", ["cut", "text", "other"])
def test_a_corrupt_motion_file(bdmm, landscape, tmp_path, damage):
    from bdmm.media.motion_file import load_shipped, save_motion

    path = tmp_path / "bad.motion"
    save_motion(path, load_shipped("turn"))
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-40], "text": b"dance!", "other": b"\x80" + whole}[damage])
    refused(bdmm("animate", landscape, path, "-o", "out.mp4"), "bad.motion is not a usable motion")


class _Trap:
    """Unpickling this would leave a file behind."""

    def __reduce__(self):
        return os.mkdir, ("pwned",)


def test_wrong_and_hostile_weights(bdmm, landscape, tmp_path):
    (tmp_path / "hostile.pth").write_bytes(pickle.dumps({"weight": _Trap()}))
    (tmp_path / "wrong.safetensors").write_bytes(b"no tensors")
    for name in ("hostile.pth", "wrong.safetensors", "missing.safetensors"):
        arguments = ["animate", landscape, "--motion", "turn", "-o", "out.mp4", "--weights", name]
        refused(bdmm(*arguments), name)
    refused(bdmm("convert", "hostile.pth", "-o", "out.safetensors"), "hostile.pth")


def test_outputs_that_cannot_be_written(bdmm, landscape, clip):
    for output, words in {
        "out.txt": "no known file type",
        "missing/out.mp4": "missing does not exist",
        "/proc/out.mp4": "Nothing can be written to /proc",
        str(clip): "would replace an input",
    }.items():
        refused(bdmm("animate", landscape, clip, "-o", output), words)
    refused(bdmm("motion", clip, "-o", "out.mp4"), "no known file type")
    refused(bdmm("inspect", clip, "-o", clip), "would replace an input")
    options = ["animate", landscape, clip, "-o", "out.mp4"]
    refused(bdmm(*options, "--sheet", "missing/sheet.png"), "missing does not exist")
    refused(bdmm(*options, "--crf", "99"), "factor is 99")
    refused(bdmm(*options, "--size", "7"), "size is 7")
    refused(bdmm(*options, "--smooth", "-1"), "smoothing is -1")
    refused(bdmm(*options, "--renderer", "coarse", "--weights", "w"), "takes no weights")
    refused(bdmm(*options, "--background", "blurple"), "blurple")
    refused(bdmm(*options, "--device", "abacus"), "abacus")
    refused(bdmm(*options, "--device", "meta"), "device meta cannot be used")
    refused(bdmm(*options, "--seed", str(2**64)), "The seed is 18446744073709551616")
    background = ["--background", clip, "-o", clip]
    refused(bdmm("animate", landscape, "--motion", "turn", *background), "would replace an input")


def test_a_disk_that_is_full_from_the_start(bdmm, landscape, monkeypatch):
    full = os.statvfs_result((4096, 4096, 1000, 0, 0, 9, 9, 9, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    refused(bdmm("animate", landscape, "--motion", "turn", "-o", "out.mp4"), "the disk is full")


@pytest.fixture
def person() -> np.ndarray:
    """The shipped sample photo: a whole person."""
    with as_file(files("bdmm.assets") / "samples" / "person.jpg") as path:
        photo = read_image(path)
    return resize_image(photo, (480, round(480 * photo.shape[1] / photo.shape[0])))


@pytest.fixture
def two_people(person: np.ndarray, tmp_path: Path) -> Path:
    """The same person twice, smaller on the right."""
    rows, columns = person.shape[:2]
    right = person[:1, :1].repeat(rows, 0).repeat(columns, 1)
    small = resize_image(person, (360, columns * 3 // 4))
    right[-360:, : small.shape[1]] = small
    write_image(tmp_path / "two.png", np.concatenate([person, right], axis=1))
    return tmp_path / "two.png"


def test_a_person_cut_at_the_waist(bdmm, person, tmp_path):
    write_image(tmp_path / "waist.png", person[:240])
    outcome = bdmm("animate", "waist.png", "--motion", "turn", "-o", "out.mp4", "--quiet")
    refused(outcome, "cut off above the knees")


def test_a_person_that_is_not_there(bdmm, two_people):
    options = ["--motion", "turn", "-o", "out.mp4", "--quiet", "--photo-person", "3"]
    refused(bdmm("animate", two_people, *options), "no person 3", "2 people are seen")


@pytest.mark.slow
def test_several_people(bdmm, two_people):
    outcome = bdmm("inspect", two_people, "-o", "largest.png")
    assert outcome.code == 0
    assert "2 people are seen; the largest is taken, number 1 from the left" in outcome.err
    outcome = bdmm("inspect", two_people, "-o", "right.png", "--person", "2")
    assert outcome.code == 0
    assert outcome.err == ""
    assert not np.array_equal(read_image("largest.png"), read_image("right.png"))


@pytest.mark.slow
def test_a_back_view_is_animated_with_a_notice(bdmm, shared, short_motion):
    outcome = bdmm("animate", shared(BACK), short_motion, "-o", "out.mp4", "--size", "128")
    assert outcome.code == 0
    assert "seen from behind" in outcome.err
    assert outcome.new_files == {"out.mp4"}


def with_gap(person, path, empty):
    """Write 5 frames with the person, some without, and 5 with, at 10 frames per second."""
    nobody = np.full_like(person, 255)
    with create_video(path, Fraction(10)) as video:
        for frame in [person] * 5 + [nobody] * empty + [person] * 5:
            video.write(frame)


def test_driver_frames_without_a_person_for_too_long_are_named(bdmm, person, tmp_path):
    with_gap(person, tmp_path / "gap.mp4", 12)
    refused(bdmm("motion", "gap.mp4", "-o", "gap.motion", "--quiet"), "frames 5 to 16")


@pytest.mark.slow
def test_driver_frames_without_a_person_are_bridged_up_to_a_second(bdmm, person, tmp_path):
    with_gap(person, tmp_path / "gap.mp4", 8)
    outcome = bdmm("motion", "gap.mp4", "-o", "gap.motion")
    assert outcome.code == 0
    assert "18 frames, 8 of them bridged" in outcome.out


def test_a_disk_that_runs_full_half_way(bdmm, quick_photo, short_motion):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, limits[1]))
    try:
        outcome = bdmm(
            "animate", quick_photo, short_motion, "-o", "out.mp4", "--size", "96", "--quiet",
            "--crf", "1", "--renderer", "coarse",
        )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    refused(outcome, "out.mp4 could not be written: file too large; nothing was kept")


@pytest.mark.parametrize(
    ("ending", "code", "words"),
    [
        (signal.SIGINT, 130, "bdmm: Stopped; nothing half-written is left.\n"),
        pytest.param(signal.SIGTERM, 143, "", marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, "", marks=pytest.mark.slow),
    ],
)
def test_stopping_leaves_no_half_file(quick_photo, tmp_path, ending, code, words):
    command = (
        f"import signal, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        # Whoever starts the tests in a shell's background or by nohup has signals ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "from bdmm.inference import source_view\n"
        "from quick_source import find_quickly, prepare_quickly\n"
        "source_view.detect_photo, source_view.prepare_source = find_quickly, prepare_quickly\n"
        "from bdmm.cli.app import main\n"
        "sys.exit(main())\n"
    )
    (tmp_path / "out.mp4").write_text("older")
    arguments = ["animate", "photo.png", "--motion", "turn", "-o", "out.mp4", "--size", "200"]
    arguments += ["--renderer", "coarse"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments, "--quiet"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 200
        while not list(tmp_path.glob(".out.bdmm-*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert list(tmp_path.glob(".out.bdmm-*")), "the video was never begun"
        process.send_signal(ending)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (errors, process.returncode) == (words, code)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "photo.png"]
    assert (tmp_path / "out.mp4").read_text() == "older"


def test_no_output_of_any_command_replaces_an_input(bdmm, landscape, clip, tmp_path):
    (tmp_path / "same.mp4").hardlink_to(clip)
    (tmp_path / "link.jpg").symlink_to(landscape)
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"weights")
    for arguments in (
        ("animate", landscape, clip, "-o", "same.mp4"),
        ("animate", landscape, "--motion", "turn", "-o", "o.mp4", "--sheet", "link.jpg"),
        ("motion", clip, "-o", clip),
        ("convert", weights, "-o", weights),
        ("compare", landscape, clip, "--weights", f"a={clip}", "-o", "same.mp4"),
        ("compare", landscape, "--motion", "turn", "--background", clip, "-o", clip),
    ):
        refused(bdmm(*arguments), "would replace an input")
    same = ("animate", landscape, clip, "-o", "a.png", "--sheet", tmp_path / "a.png")
    refused(bdmm(*same), "need different names")
    assert weights.read_bytes() == b"weights"


def test_impossible_names_are_told_before_any_work(bdmm, landscape, clip):
    long = "x" * 300
    for arguments in (
        ("animate", landscape, clip, "-o", f"{long}.mp4"),
        ("animate", f"{long}.jpg", clip, "-o", "o.mp4"),
        ("animate", landscape, long, "-o", "o.mp4"),
        ("animate", landscape, clip, "-o", "o.mp4", "--background", long),
        ("inspect", f"{long}.mp4"),
    ):
        refused(bdmm(*arguments), "file name too long")


def test_names_with_escape_sequences_are_spelled_out(bdmm, landscape):
    outcome = bdmm("animate", landscape, "\x1b[2Jno\n.mp4", "-o", "o.mp4")
    refused(outcome, r"\x1b[2Jno")
    assert "\x1b" not in outcome.err


def test_what_names_no_motion_or_colour_is_told(bdmm, landscape):
    for name in ("", ".", "moonwalk"):
        arguments = ("animate", landscape, "--motion", name, "-o", "o.mp4")
        refused(bdmm(*arguments), f"no shipped motion {name!r}; there are dance")
    for colour in ("rgb(999,0,0)", "rgb(300%,0%,0%)", "#12"):
        arguments = ("animate", landscape, "--motion", "turn", "-o", "o.mp4")
        refused(bdmm(*arguments, "--background", colour), "neither a file nor a colour")
