import struct
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from bdmm.errors import InputError, Notice
from bdmm.files.outside import VIDEO
from bdmm.media import video_reader
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_scan import clock_seconds

CORNERS = np.zeros((48, 64, 3), np.uint8)
CORNERS[:24, :32] = (200, 40, 40)  # top left red
CORNERS[:24, 32:] = (40, 200, 40)  # top right green
CORNERS[24:, :32] = (40, 40, 200)  # bottom left blue
CORNERS[24:, 32:] = (190, 190, 190)  # bottom right grey


def corner_colours(frame):
    h, w = frame.shape[:2]
    names = {0: "red", 1: "green", 2: "blue"}

    def name(pixel):
        return "grey" if np.ptp(pixel.astype(int)) < 30 else names[int(pixel.argmax())]

    points = (
        (h // 4, w // 4),
        (h // 4, 3 * w // 4),
        (3 * h // 4, w // 4),
        (3 * h // 4, 3 * w // 4),
    )
    return [name(frame[y, x]) for y, x in points]


def levels_of(reader):
    return [int(frame[10, 10, 1]) for frame in reader]


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mp4", "libx264", "yuv444p10le"),
        ("a.mp4", "libx264", "gray"),
        ("a.mkv", "libx265", "yuv420p10le"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.mkv", "ffv1", "bgr0"),
        ("a.gif", "gif", "rgb8"),
    ],
)
def test_common_containers_and_codecs(make_video, name, codec, pixel_format):
    fps = Fraction(10) if name == "a.gif" else Fraction(25)
    frames = [np.full((48, 64, 3), level, np.uint8) for level in range(20, 240, 20)]
    reader = VideoReader(make_video(name, frames=frames, codec=codec, pixel_format=pixel_format,
                                    fps=fps))  # fmt: skip
    assert (reader.fps, reader.frame_count, reader.size) == (fps, 11, (48, 64))
    # a small palette, and grey whose encoder does not say that it is of full range
    tolerance = {"rgb8": 40, "gray": 18}.get(pixel_format, 6)
    assert np.abs(np.array(levels_of(reader)) - np.arange(20, 240, 20)).max() <= tolerance


def test_colours_are_rgb_and_near_exact(make_video):
    reader = VideoReader(make_video(frames=[CORNERS] * 3, options={"crf": "1"}))
    frame = next(iter(reader))
    assert corner_colours(frame) == ["red", "green", "blue", "grey"]


def test_it_can_be_read_twice_and_half(make_video):
    reader = VideoReader(make_video(count=12))
    half = iter(reader)
    for _ in range(5):
        next(half)
    half.close()
    assert levels_of(reader) == levels_of(reader)
    assert len(reader) == 12


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (90, ["green", "grey", "red", "blue"]),
        (180, ["grey", "blue", "green", "red"]),
        (270, ["blue", "red", "grey", "green"]),
    ],
)
def test_rotation_flags_turn_the_frames(make_video, rotation, expected):
    """The flag says degrees counter-clockwise."""
    reader = VideoReader(make_video(frames=[CORNERS] * 3, rotation=rotation))
    frame = next(iter(reader))
    assert frame.shape[:2] == reader.size == ((48, 64) if rotation == 180 else (64, 48))
    assert corner_colours(frame) == expected
    assert frame.flags["C_CONTIGUOUS"]


def test_variable_frame_rate_becomes_constant_of_the_same_length(make_video):
    times = [0, 0.04, 0.1, 0.3, 0.31, 0.5, 0.52, 0.9, 1.0, 1.3, 1.31, 1.75]
    reader = VideoReader(make_video("a.mkv", times=times))
    shown = levels_of(reader)
    assert len(shown) == reader.frame_count
    assert (
        abs(float(reader.timeline.duration) - (1.75 + np.median(np.diff(times))))
        <= 0.51 / reader.fps
    )
    levels = np.array([40 + 160 * i // 11 for i in range(12)])
    for i, level in enumerate(shown):
        candidates = [j for j, t in enumerate(times) if round(t * reader.fps) <= i]
        assert abs(level - levels[candidates[-1]]) <= 6


def test_odd_sizes(make_video):
    frames = [np.full((37, 51, 3), level, np.uint8) for level in (50, 100, 150)]
    reader = VideoReader(make_video("a.mkv", frames=frames, codec="ffv1", pixel_format="bgr0"))
    assert reader.size == (37, 51)
    assert [frame.shape for frame in reader] == [(37, 51, 3)] * 3


def test_transparency_goes_over_white(make_video):
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[:, 32:] = (200, 40, 40, 255)
    reader = VideoReader(make_video("a.mov", frames=[rgba] * 3, codec="qtrle", pixel_format="argb"))
    frame = next(iter(reader))
    assert (frame[:, :32] == 255).all()
    assert np.abs(frame[5, 50].astype(int) - (200, 40, 40)).max() <= 2


def write_oblong_pixels(path):
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10)
        stream.width, stream.height = 64, 48
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        output.mux(stream.encode(av.VideoFrame.from_ndarray(CORNERS)))
        output.mux(stream.encode(None))


def test_oblong_pixels_become_square(tmp_path):
    path = tmp_path / "a.mkv"
    write_oblong_pixels(path)
    assert VideoReader(path).size == (48, 96)


def test_scaled_down_while_read(make_video):
    reader = VideoReader(make_video(frames=[CORNERS] * 2, rotation=90), max_side=32)
    assert reader.size == (32, 24)
    assert corner_colours(next(iter(reader))) == ["green", "grey", "red", "blue"]
    assert VideoReader(reader.path, max_side=640).size == (64, 48)


def test_sound_is_seen(make_video):
    assert VideoReader(make_video(audio="aac")).has_audio
    assert not VideoReader(make_video("b.mp4")).has_audio


def test_the_start_time_is_known(make_video):
    reader = VideoReader(make_video("a.mkv", times=[1.5, 1.6, 1.7, 1.8]))
    assert reader.timeline.start_seconds == Fraction(3, 2)
    assert (reader.frame_count, reader.fps) == (4, 10)


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


@pytest.fixture
def noisy_frames():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (48, 64, 3)).astype(np.uint8) for _ in range(40)]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_a_file_cut_near_its_end_is_used_with_a_notice(make_video, noisy_frames, name):
    path = make_video(name, frames=noisy_frames, options={"movflags": "faststart", "g": "5"})
    cut(path, 0.75)
    with pytest.warns(Notice, match="is cut off: [67].% of it is there"):
        reader = VideoReader(path)
    assert 24 <= reader.frame_count <= 32
    assert len(levels_of(reader)) == reader.frame_count


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_file_of_which_most_is_missing_is_refused(make_video, noisy_frames, name):
    path = make_video(name, frames=noisy_frames, options={"movflags": "faststart"})
    cut(path, 0.3)
    with pytest.raises(InputError, match=f"{name} is cut off: only [12]"):
        VideoReader(path)


def test_an_mp4_without_its_index_is_refused(make_video, noisy_frames):
    path = make_video(frames=noisy_frames)
    cut(path, 0.7)
    with pytest.raises(InputError, match="not a media file that can be read, or it is cut off"):
        VideoReader(path)


def test_damage_in_the_middle_is_passed_over(make_video, noisy_frames):
    path = make_video(frames=noisy_frames, codec="mjpeg", pixel_format="yuvj420p", name="a.avi")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = b"\0" * 4000
    path.write_bytes(data)
    reader = VideoReader(path)
    assert len(levels_of(reader)) == reader.frame_count >= 30


def test_frames_that_cannot_be_decoded_end_in_a_sentence(make_video, noisy_frames):
    path = make_video(frames=noisy_frames, codec="png", pixel_format="rgb24", name="a.mov")
    data = path.read_bytes()
    head = data.index(b"IEND") + 8
    path.write_bytes(data[:head] + data[head:].replace(b"IHDR", b"IXDR"))
    with pytest.raises(InputError, match="Only 1 of the 40 frames"):
        levels_of(VideoReader(path))


def test_sound_only(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=48_000)
        stream.layout = "mono"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
        silence.sample_rate = 48_000
        output.mux(stream.encode(silence))
        output.mux(stream.encode(None))
    with pytest.raises(InputError, match=r"a\.mp4 has sound only"):
        VideoReader(path)


def test_no_frames(make_video, tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        output.start_encoding()
    with pytest.raises(InputError, match=r"a\.mp4 has no (frames|pictures)"):
        VideoReader(path)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", "not a media file"),
        (b"hello world, this is no video " * 50, "not a media file"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 500, "is a picture|not a media file"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1/a.ts\n#EXT-X-ENDLIST\n",
         "not a media file"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not a media file"),
    ],
)  # fmt: skip
def test_what_is_no_video(tmp_path, contents, words):
    for name in ("a.mp4", "a.txt", "a.m3u8"):
        (tmp_path / name).write_bytes(contents)
        with pytest.raises(InputError, match=words):
            VideoReader(tmp_path / name)


def test_a_photo_is_not_a_video(tmp_path):
    for name in ("a.png", "a.jpg"):
        Pillow.fromarray(CORNERS).save(tmp_path / name)
        with pytest.raises(InputError, match=f"{name} is a picture"):
            VideoReader(tmp_path / name)


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path, "https://127.0.0.1/a.mp4"):
        with pytest.raises(InputError, match="does not exist or is not a file"):
            VideoReader(path)


def test_giant_frames_are_refused_before_decoding(make_video, monkeypatch):
    path = make_video()
    monkeypatch.setattr(video_reader, "MAX_FRAME_PIXELS", 1000)
    with pytest.raises(InputError, match="64 x 48 pixels"):
        VideoReader(path)


def test_a_frame_far_away_in_time_is_refused_in_an_instant(make_video):
    path = make_video("a.mkv", times=[0, 0.1, 0.2, 2_000_000])
    with pytest.raises(InputError, match=r"no frame for 2e\+06 seconds after frame 2"):
        VideoReader(path)
    assert VideoReader(make_video("b.mkv", times=[0, 0.1, 9.9])).timeline.duration > 9


def test_sparse_time_stamps_have_a_rate(make_video):
    reader = VideoReader(make_video("a.mkv", times=[0, 9, 18, 27]))
    assert reader.fps == Fraction(1, 9)
    assert len(levels_of(reader)) == reader.frame_count == 4


def test_a_long_video_is_refused_unless_allowed(make_video):
    path = make_video("a.mkv", times=[0, 9, 18, 27])
    with pytest.raises(InputError, match=r"lasts 0\.6 minutes; at most 0\.5"):
        VideoReader(path, max_minutes=0.5)
    assert VideoReader(path, max_minutes=1.0).frame_count == 4


@pytest.mark.parametrize("clock", ["00000:0:1e99999999", "0:0:1/0", "0:0:1e-400", "a:b:c", "1:2"])
def test_a_duration_that_is_no_clock_is_not_believed(clock):
    assert clock_seconds(clock) is None
    assert clock_seconds("01:02:03.500000000") == Fraction(7447, 2)


def test_metadata_of_another_encoding_is_read(make_video):
    path = make_video("a.avi", codec="mjpeg", pixel_format="yuvj420p")
    with av.open(str(path)) as source, av.open(str(path.with_name("b.avi")), "w") as output:
        output.metadata["title"] = "Laxxxxxx"
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    other = path.with_name("b.avi")
    data = other.read_bytes()
    assert b"Laxxxxxx" in data
    other.write_bytes(data.replace(b"Laxxxxxx", b"La\xf1\xe9\xe8\xfc\xdf\xff"))
    assert VideoReader(other).frame_count == 10


def test_pixels_of_an_absurd_shape_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.mkv"
    write_oblong_pixels(path)
    narrow = replace(VIDEO, limits={**VIDEO.limits, "pixels of a side": 95})
    monkeypatch.setattr(video_reader, "VIDEO", narrow)
    with pytest.raises(InputError, match="96 x 48 square pixels; at most 95 a side"):
        VideoReader(path)


@pytest.mark.parametrize("aspect", [Fraction(60_000), Fraction(1, 60_000)])
def test_a_pixel_aspect_of_sixty_thousand_takes_no_memory(tmp_path, aspect):
    path = tmp_path / "a.mp4"
    write_oblong_pixels(path)
    data = path.read_bytes()
    box = b"pasp" + struct.pack(">II", 3, 2)
    assert box in data
    path.write_bytes(data.replace(box, b"pasp" + struct.pack(">II", *aspect.as_integer_ratio())))
    if aspect > 1:
        with pytest.raises(InputError, match="3840000 x 48 square pixels"):
            VideoReader(path)
    else:
        assert VideoReader(path).size == (48, 1)


def test_frames_that_grow_beyond_the_bound_are_refused(make_video, tmp_path, monkeypatch):
    parts = [
        make_video(name, size=size, count=3)
        for name, size in (("a.ts", (48, 64)), ("b.ts", (480, 640)))
    ]
    path = tmp_path / "c.ts"
    path.write_bytes(parts[0].read_bytes() + parts[1].read_bytes())
    monkeypatch.setattr(video_reader, "MAX_FRAME_PIXELS", 10_000)
    with pytest.raises(InputError, match="640 x 480 pixels"):
        list(VideoReader(path))
