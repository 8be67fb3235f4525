"""Videos with alpha, and the note about their making, read back by FFmpeg and Pillow."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image as Pillow

from bdmm.errors import InputError
from bdmm.media.generated_note import GENERATED
from bdmm.media.image import read_image, write_image
from bdmm.media.video_reader import VideoReader
from bdmm.media.video_writer import check_video_output, create_video

RATE = Fraction(24)
DECODERS = {".webm": "libvpx-vp9", ".mov": "prores"}


def cutouts(count=5, size=(47, 66)):
    """An orange square, opaque but for a soft rim, that moves before another colour."""
    height, width = size
    frames = np.full((count, height, width, 4), (30, 90, 200, 0), np.uint8)
    for i, frame in enumerate(frames):
        frame[..., :3] = (210, 120, 40)
        frame[8:36, 8 + 4 * i : 36 + 4 * i, 3] = 255
        frame[36:40, 8 + 4 * i : 36 + 4 * i, 3] = 96
    return frames


def write(path, frames, **settings):
    with create_video(path, RATE, transparent=frames.shape[-1] == 4, **settings) as video:
        for frame in frames:
            video.write(frame)


def decoded(path):
    """Return frames as RGBA, by a decoder that knows alpha."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create(DECODERS[path.suffix], "r")
        decoder.extradata = stream.codec_context.extradata
        decoder.width, decoder.height = stream.width, stream.height
        decoder.codec_tag = stream.codec_context.codec_tag
        frames = [
            frame
            for packet in container.demux(stream)
            for frame in decoder.decode(packet if packet.size else None)
        ]
    return np.stack([np.dstack((one.to_ndarray(format="rgb24"), alpha_of(one))) for one in frames])


def alpha_of(frame):
    """Return the alpha plane in 0..255: FFmpeg's conversion to RGBA spoils ends of rows."""
    assert frame.format.name in ("yuva420p", "yuva444p12le")
    deep = frame.format.name.endswith("12le")
    values = np.frombuffer(frame.planes[3], "<u2" if deep else np.uint8)
    values = values.reshape(frame.height, -1)[:, : frame.width]
    return np.round(values / 4095 * 255) if deep else values


@pytest.mark.parametrize(("suffix", "alpha", "colour"), [(".webm", 8, 12), (".mov", 1, 6)])
def test_alpha_and_colours_come_back(tmp_path, suffix, alpha, colour):
    path, frames = tmp_path / f"a{suffix}", cutouts()
    write(path, frames)
    shown = decoded(path)
    assert shown.shape == (5, 48, 66, 4), "an odd height is made even"
    error = np.abs(shown[:, :47] - frames.astype(float))
    assert error[..., 3].max() <= alpha
    assert error[..., :3][frames[..., 3] > 0].max() <= colour, "no colour from behind at the rim"
    assert VideoReader(path).fps == pytest.approx(RATE, rel=2e-3)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == {".webm": "vp9", ".mov": "prores"}[suffix]
        marked = {key.lower(): value for key, value in stream.metadata.items()}
        assert suffix == ".mov" or marked["alpha_mode"] == "1"


def test_a_gif_is_transparent_where_alpha_is_below_a_half(tmp_path):
    frames = cutouts()
    write(tmp_path / "a.gif", frames)
    with Pillow.open(tmp_path / "a.gif") as file:
        assert file.n_frames == 5
        for number, frame in enumerate(frames):
            file.seek(number)
            shown = np.asarray(file.convert("RGBA"))
            assert np.array_equal(shown[..., 3] > 0, frame[..., 3] >= 128)
            assert np.abs(shown[shown[..., 3] > 0][:, :3].astype(int) - (210, 120, 40)).max() < 8


def test_a_folder_of_pngs_has_alpha_bit_for_bit(tmp_path):
    frames = cutouts(2)
    write(tmp_path / "pngs", frames)
    for number, frame in enumerate(frames, start=1):
        with Pillow.open(tmp_path / "pngs" / f"{number:06d}.png") as file:
            assert file.mode == "RGBA"
            assert np.array_equal(np.asarray(file), frame)


@pytest.mark.parametrize(("suffix", "codec"), [("webm", "libopus"), ("mov", "aac")])
def test_sound_goes_along(tmp_path, make_video, suffix, codec):
    source = make_video("d.mkv", count=12, audio=codec)
    write(tmp_path / f"a.{suffix}", cutouts(12), sound_from=source)
    assert VideoReader(tmp_path / f"a.{suffix}").has_audio


@pytest.mark.parametrize("suffix", ["webm", "mov", "gif"])
def test_the_same_frames_make_the_same_transparent_file(tmp_path, suffix):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.{suffix}", cutouts())
    first, second = (tmp_path / f"{name}.{suffix}" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["a.mp4", "a.m4v", "a.mkv"])
def test_types_without_alpha_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"cannot be transparent: use \.webm .*\.mov .*\.gif"):
        check_video_output(tmp_path / name, transparent=True)
    check_video_output(tmp_path / name)


def note_of(path: Path) -> str | None:
    if path.suffix == ".gif":
        with Pillow.open(path) as file:
            comment = file.info.get("comment")
            return None if comment is None else comment.decode()
    if path.is_dir():
        with Pillow.open(path / "000001.png") as file:
            return file.info.get("Comment")
    with av.open(str(path)) as container:
        return {key.lower(): text for key, text in container.metadata.items()}.get("comment")


@pytest.mark.parametrize("name", ["a.mp4", "a.m4v", "a.mov", "a.mkv", "a.webm", "a.gif", "a"])
def test_every_kind_of_video_says_that_it_was_generated(tmp_path, name):
    frames = cutouts(3)[..., :3]
    write(tmp_path / name, frames)
    note = note_of(tmp_path / name)
    assert note == GENERATED
    assert "Generated media: made by bdmm 0." in note
    plain = tmp_path / "plain"
    plain.mkdir()
    write(plain / name, frames, note=None)
    assert note_of(plain / name) is None
    if name == "a.gif":
        one, other = VideoReader(tmp_path / name), VideoReader(plain / name)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_pictures_say_it_too(tmp_path, suffix):
    path = tmp_path / f"sheet.{suffix}"
    write_image(path, cutouts(1)[0, ..., :3], note=GENERATED)
    with Pillow.open(path) as file:
        said = file.info.get("Comment") or file.getexif()[ExifTags.Base.ImageDescription]
    assert said == GENERATED
    assert read_image(path).shape == (47, 66, 3)
