import ctypes
import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bdmm.errors import InputError, Notice
from bdmm.media.audio_copy import AudioCopy
from bdmm.media.image import read_image
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import check_video_output, create_video

NTSC = Fraction(30_000, 1001)


def write(path, frames, fps=NTSC, **settings):
    with create_video(path, fps, **settings) as video:
        for frame in frames:
            video.write(frame)


def interrupted(frames, error):
    yield from frames
    raise error


def ramp(count, size=(48, 64)):
    return [np.full((*size, 3), (40 + 10 * i) % 256, np.uint8) for i in range(count)]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "m4v", "mkv", "webm"])
@pytest.mark.parametrize("fps", ["30000/1001", "24", "25/3", "100000/4321"])
def test_frame_count_and_rate_come_back_exactly(tmp_path, suffix, fps):
    path = tmp_path / f"a.{suffix}"
    write(path, ramp(17), Fraction(fps))
    reader = VideoReader(path)
    assert reader.frame_count == 17
    if suffix in ("mkv", "webm"):  # their clock ticks in milliseconds
        assert float(reader.fps) == pytest.approx(float(Fraction(fps)), rel=2e-3)
    else:
        assert reader.fps == Fraction(fps)
    assert np.abs([int(f[9, 9, 0]) - 40 - 10 * i for i, f in enumerate(reader)]).max() <= 3


def test_an_odd_size_is_made_even_by_repeating_the_rim(tmp_path):
    frame = np.full((33, 47, 3), 60, np.uint8)
    frame[-1], frame[:, -1] = 200, 200
    write(tmp_path / "a.mp4", [frame] * 2, crf=1)
    shown = next(iter(VideoReader(tmp_path / "a.mp4")))
    assert shown.shape == (34, 48, 3)
    assert shown[:, -1].min() > 180
    assert shown[-1].min() > 180
    assert abs(int(shown[10, 10, 0]) - 60) < 6


def test_colours_survive(tmp_path):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (230, 180, 150), (0, 0, 0), (255,) * 3]
    write(tmp_path / "a.mp4", [np.full((48, 64, 3), c, np.uint8) for c in colours], crf=4)
    for frame, colour in zip(VideoReader(tmp_path / "a.mp4"), colours, strict=True):
        assert np.abs(frame[20, 20].astype(int) - colour).max() <= 4


def test_the_same_frames_make_the_same_file(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write(tmp_path / name, ramp(9))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("driver", "codec", "suffix"),
    [
        ("d.mp4", "aac", "mp4"),
        ("d.mp4", "aac", "mkv"),
        ("d.mp4", "aac", "mov"),
        ("d.mkv", "flac", "mp4"),
        ("d.mkv", "pcm_s16le", "mov"),
        ("d.mkv", "libopus", "webm"),
        ("d.mkv", "libmp3lame", "mp4"),
    ],
)
def test_sound_is_carried_over_bit_for_bit(
    tmp_path, make_video, audio_packets, driver, codec, suffix
):
    source = make_video(driver, count=40, audio=codec)
    reader = VideoReader(source)
    path = tmp_path / f"out.{suffix}"
    write(path, reader, reader.fps, sound_from=source, sound_start=reader.timeline.start_seconds)
    before, after = audio_packets(source), audio_packets(path)
    assert [data for data, _ in after] == [data for data, _ in before]
    assert len(before) > 10
    lag = [(b - a) for (_, a), (_, b) in zip(before, after, strict=True)]
    written = VideoReader(path)
    shift = float(written.timeline.start_seconds - reader.timeline.start_seconds)
    assert np.abs(np.array(lag) - shift).max() < 0.003
    assert written.frame_count == 40


def test_sound_keeps_its_place_when_pictures_begin_late(tmp_path, make_video, audio_packets):
    times = [0.5 + i / 30 for i in range(30)]
    source = make_video("d.mkv", times=times, audio="aac", audio_start=0.7)
    reader = VideoReader(source)
    assert reader.timeline.start_seconds == Fraction(1, 2)
    path = tmp_path / "out.mp4"
    write(path, reader, reader.fps, sound_from=source, sound_start=reader.timeline.start_seconds)
    (_, before), (_, after) = audio_packets(source)[1], audio_packets(path)[1]
    assert after == pytest.approx(before - 0.5, abs=0.003)


def test_sound_that_the_container_refuses_is_encoded_anew_with_a_notice(
    tmp_path, make_video, audio_packets
):
    source = make_video("d.mp4", count=40, audio="aac")
    with pytest.warns(Notice, match=r"sound of .*d\.mp4 \(aac\) does not fit into webm"):
        write(tmp_path / "a.webm", ramp(40), Fraction(30), sound_from=source)
    with av.open(str(tmp_path / "a.webm")) as container:
        pieces = list(container.decode(audio=0))
        assert container.streams.audio[0].codec_context.name == "opus"
    seconds = sum(piece.samples for piece in pieces) / 48_000
    assert seconds == pytest.approx(40 / 30, abs=0.06)
    wave = np.concatenate([piece.to_ndarray().reshape(2, -1)[0] for piece in pieces])[9600:48_000]
    spectrum = np.abs(np.fft.rfft(wave))
    assert np.argmax(spectrum) * 48_000 / len(wave) == pytest.approx(440, abs=3)


def test_sound_is_written_along_with_the_pictures(tmp_path, make_video):
    """Sound and pictures lie beside each other, so no muxer queue grows with the length."""
    source = make_video("d.mp4", count=90, audio="aac")
    write(tmp_path / "a.mkv", ramp(20) * 5, Fraction(30), sound_from=source)
    with av.open(str(tmp_path / "a.mkv")) as container:
        kinds = [p.stream.type for p in container.demux() if p.size]
    longest = max(len(run) for run in "".join(k[0] for k in kinds).split("v"))
    assert longest <= 8


def test_gif_and_a_folder_of_pngs(tmp_path):
    write(tmp_path / "a.gif", ramp(6, (31, 45)), Fraction(10))
    reader = VideoReader(tmp_path / "a.gif")
    assert (reader.frame_count, reader.fps, reader.size) == (6, 10, (31, 45))
    assert [int(f[3, 3, 0]) for f in reader] == [40, 50, 60, 70, 80, 90]
    write(tmp_path / "pngs", ramp(3))
    assert sorted(p.name for p in (tmp_path / "pngs").iterdir()) == [
        "000001.png", "000002.png", "000003.png"
    ]  # fmt: skip
    assert read_image(tmp_path / "pngs" / "000002.png")[0, 0, 0] == 50
    with pytest.raises(InputError, match="pngs exists already"):
        check_video_output(tmp_path / "pngs")


def test_a_long_folder_of_pngs_is_not_listed_for_each_of_them(tmp_path, monkeypatch):
    listed = []
    monkeypatch.setattr("bdmm.files.output_file.sweep", listed.append)
    write(tmp_path / "pngs", ramp(5))
    assert listed == [tmp_path]


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ""])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_after_an_error(tmp_path, suffix, error):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(error):
        write(path, interrupted(ramp(5), error))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_runs_full_is_told_and_leaves_nothing(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (60, 128, 128, 3)).astype(np.uint8)
    path = tmp_path / "a.mp4"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"a\.mp4 could not be written: file too large"):
            write(path, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_mistakes_are_told_before_any_work(tmp_path, make_video):
    source = make_video()
    for path, words in {
        tmp_path / "a.xyz": "no known file type",
        tmp_path / "none" / "a.mp4": "does not exist",
        source: "would replace an input",
    }.items():
        with pytest.raises(InputError, match=words), create_video(path, NTSC, sound_from=source):
            pass
    with (
        pytest.raises(InputError, match="factor is 99"),
        create_video(tmp_path / "a.mp4", NTSC, crf=99),
    ):
        pass
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("fps", [120, 240])
def test_a_gif_of_a_high_rate_leaves_frames_out(tmp_path, fps):
    with pytest.warns(Notice, match="at most 100 frames per second"):
        write(tmp_path / "a.gif", ramp(24), Fraction(fps))
    reader = VideoReader(tmp_path / "a.gif")
    assert float(reader.timeline.duration) == pytest.approx(24 / fps, abs=0.02)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_damaged_sound_is_left_out_and_the_video_kept(tmp_path, make_video, suffix, monkeypatch):
    source = make_video("d.mp4", count=40, audio="aac")

    def refuse(self: AudioCopy, seconds: Fraction | None) -> None:
        raise av.error.InvalidDataError(1094995529, "damaged", None)

    monkeypatch.setattr(AudioCopy, "due", refuse)
    with pytest.warns(Notice, match="is damaged and is left out"):
        write(tmp_path / f"a.{suffix}", ramp(10), Fraction(25), sound_from=source)
    reader = VideoReader(tmp_path / f"a.{suffix}")
    assert reader.frame_count == 10
    assert not reader.has_audio


@pytest.mark.parametrize(
    "suffix", [*(pytest.param(one, marks=pytest.mark.slow) for one in (".mp4", ".mkv", ".gif")), ""]
)
def test_a_disk_that_fills_up_in_the_middle_of_a_video(small_disk, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (400, 160, 160, 3)).astype(np.uint8)
    disk = small_disk("4608k")
    (disk / "before.txt").write_text("old")
    with pytest.raises(InputError, match="could not be written: the disk is full"):
        write(disk / f"a{suffix}", noise, Fraction(25))
    assert [path.name for path in disk.iterdir()] == ["before.txt"]


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_file_without_sound_gives_none(tmp_path, make_video, suffix, recwarn):
    source = make_video("d.mp4", count=5)
    write(tmp_path / f"a{suffix}", ramp(5), Fraction(25), sound_from=source)
    assert not VideoReader(tmp_path / f"a{suffix}").has_audio
    assert not [one for one in recwarn if one.category is Notice]


def test_the_same_frames_are_the_same_bytes_whatever_memory_held(tmp_path: Path) -> None:
    steps = np.add.outer(np.arange(80), np.arange(64)) % 97 * 2
    frames = [np.repeat(np.roll(steps, k, 1)[..., None], 3, 2).astype(np.uint8) for k in range(12)]
    library = ctypes.CDLL(None)
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
    found = set()
    for value in (0, 255):
        blocks = [library.malloc(2**16) for _ in range(400)]
        for block in blocks:
            ctypes.memset(block, value, 2**16)
        for block in blocks:
            library.free(block)
        path = tmp_path / f"{value}.mp4"
        with create_video(path, Fraction(30)) as video:
            for frame in frames:
                video.write(frame)
        found.add(path.read_bytes())
    assert len(found) == 1
