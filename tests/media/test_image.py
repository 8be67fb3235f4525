import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from bdmm.errors import InputError, Notice
from bdmm.media import image as image_module
from bdmm.media.image import read_image, resize_image, write_image

RED, BLUE = (200, 30, 20), (20, 40, 210)


def two_halves(size=(8, 12)):
    picture = np.empty((*size, 3), np.uint8)
    picture[:, : size[1] // 2] = RED
    picture[:, size[1] // 2 :] = BLUE
    return picture


def test_png_comes_back_exactly_in_rgb_order(tmp_path):
    write_image(tmp_path / "a.png", two_halves())
    assert np.array_equal(read_image(tmp_path / "a.png"), two_halves())
    assert tuple(read_image(tmp_path / "a.png")[0, 0]) == RED


@pytest.mark.parametrize(
    ("orientation", "restore"),
    [
        (2, lambda p: p[:, ::-1]),
        (3, lambda p: p[::-1, ::-1]),
        (4, lambda p: p[::-1]),
        (5, lambda p: p.swapaxes(0, 1)),
        (6, lambda p: np.rot90(p, -1)),
        (7, lambda p: p[::-1, ::-1].swapaxes(0, 1)),
        (8, lambda p: np.rot90(p, 1)),
    ],
)
def test_exif_orientation_turns_the_picture_upright(tmp_path, orientation, restore):
    stored = np.random.default_rng(0).integers(0, 255, (5, 9, 3)).astype(np.uint8)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), restore(stored))


def test_transparency_goes_over_white(tmp_path):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = RED, 255
    rgba[0] = (0, 0, 0, 0)
    rgba[1, :, 3] = 128
    Pillow.fromarray(rgba).save(tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png")
    assert tuple(picture[0, 0]) == (255, 255, 255)
    assert tuple(picture[2, 0]) == RED
    assert np.abs(picture[1, 0] - (255 + np.array(RED, int)) / 2).max() <= 1


def test_palette_with_a_transparent_colour(tmp_path):
    indices = Pillow.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    indices.putpalette([*RED, *BLUE])
    indices.save(tmp_path / "a.png", transparency=1)
    picture = read_image(tmp_path / "a.png")
    assert tuple(picture[0, 0]) == RED
    assert tuple(picture[0, 1]) == (255, 255, 255)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16)[None].repeat(4, 0)
    Pillow.fromarray(ramp).save(tmp_path / "a.png")
    assert np.abs(read_image(tmp_path / "a.png")[0, :, 1].astype(int) - np.arange(256)).max() <= 1


def test_floating_point_tiff(tmp_path):
    Pillow.fromarray(np.array([[0, 0.5, 1]], np.float32)).save(tmp_path / "a.tiff")
    assert read_image(tmp_path / "a.tiff")[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["L", "1", "LA", "CMYK", "YCbCr", "P"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    suffix = {"CMYK": "jpg", "YCbCr": "jpg"}.get(mode, "png")
    white = Pillow.new("RGB", (6, 4), "white").convert(mode)
    white.save(tmp_path / f"a.{suffix}")
    picture = read_image(tmp_path / f"a.{suffix}")
    assert picture.shape == (4, 6, 3)
    assert picture.dtype == np.uint8
    assert (picture >= 254).all()


def test_an_embedded_colour_profile_is_applied(tmp_path):
    colours = Pillow.new("RGB", (4, 4), RED)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    colours.save(tmp_path / "same.png", icc_profile=lab.tobytes())
    colours.save(tmp_path / "broken.png", icc_profile=b"not a profile")
    assert np.abs(read_image(tmp_path / "same.png")[0, 0].astype(int) - RED).max() <= 1
    assert tuple(read_image(tmp_path / "broken.png")[0, 0]) == RED


def test_one_pixel_is_read(tmp_path):
    Pillow.new("RGB", (1, 1), RED).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (1, 1, 3)


def test_20000_pixels_a_side_are_refused_before_they_fill_the_memory(tmp_path):
    path = tmp_path / "huge.png"
    Pillow.new("1", (9, 9)).save(path)
    header = bytearray(path.read_bytes())
    header[16:24] = struct.pack(">2I", 20_000, 20_000)
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    path.write_bytes(header)
    with pytest.raises(InputError, match=r"huge\.png has too many pixels") as caught:
        read_image(path)
    assert str(caught.value).count(".") == str(caught.value).count("huge.png") + 1


def test_a_very_long_picture_is_refused_by_its_header(tmp_path):
    Pillow.new("1", (1, 40_000)).save(tmp_path / "thin.png")
    with pytest.raises(InputError, match=r"1 x 40000 pixels; .* 32768 a side"):
        read_image(tmp_path / "thin.png")


def test_a_broken_avif_is_named(tmp_path):
    path = tmp_path / "a.avif"
    Pillow.fromarray(two_halves((64, 64))).save(path)
    data = bytearray(path.read_bytes())
    data[-40:] = bytes(40)
    for broken in (bytes(data), bytes(data[:-100])):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"a\.avif"):
            read_image(path)


def test_strips_join_without_a_seam(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (70, 50, 4)).astype(np.uint8)
    Pillow.fromarray(noise).save(tmp_path / "a.png")
    whole = read_image(tmp_path / "a.png")
    monkeypatch.setattr(image_module, "_STRIP", 16)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), whole)


def test_a_long_thin_picture_is_read(tmp_path):
    Pillow.new("RGB", (20_000, 2), RED).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (2, 20_000, 3)


def test_a_large_jpeg_is_read_reduced_with_a_notice(tmp_path, monkeypatch):
    monkeypatch.setattr(image_module, "MAX_PIXELS", 10_000)
    Pillow.fromarray(two_halves((160, 240))).save(tmp_path / "a.jpg")
    with pytest.warns(Notice, match="240 x 160"):
        picture = read_image(tmp_path / "a.jpg")
    assert picture.shape == (80, 120, 3)
    assert np.abs(picture[10, 10].astype(int) - RED).max() < 8
    Pillow.fromarray(two_halves((160, 240))).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="240 x 160 pixels"):
        read_image(tmp_path / "a.png")


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "a.jpg").write_text("not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("a.jpg", "empty.png"):
        with pytest.raises(InputError, match=f"{name} is not a picture"):
            read_image(tmp_path / name)
    for name in ("missing.png", "."):
        with pytest.raises(InputError, match="does not exist or is not a file"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_a_picture_that_is_cut_off_is_named(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    path = tmp_path / f"a.{kind}"
    Pillow.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=f"a.{kind} is (damaged|not a picture)"):
        read_image(path)


def test_postscript_is_not_handed_to_another_program(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    with pytest.raises(InputError, match="not a picture"):
        read_image(tmp_path / "a.png")


def test_writing_to_an_unknown_type_or_place(tmp_path):
    with pytest.raises(InputError, match="ends in"):
        write_image(tmp_path / "a.bmp7", two_halves())
    with pytest.raises(InputError, match="could not be written"):
        write_image(tmp_path / "missing" / "a.png", two_halves())
    assert list(tmp_path.iterdir()) == []


def test_resizing_keeps_the_mean_and_the_sides_apart():
    small = resize_image(two_halves((80, 120)), (8, 12))
    assert small.shape == (8, 12, 3)
    assert tuple(small[4, 1]) == RED
    assert tuple(small[4, 10]) == BLUE
