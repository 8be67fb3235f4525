"""Pictures: any file to RGB as the photographer saw it, and back."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from einops import repeat
from jaxtyping import UInt8
from PIL import ExifTags, ImageCms, ImageOps, UnidentifiedImageError
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from bdmm.errors import InputError, Notice
from bdmm.files.output_file import appearing, writing
from bdmm.files.outside import PICTURE, reading

Picture = UInt8[np.ndarray, "_ _ 3"]
"""``h w 3`` RGB in 0..255."""
AnyPicture = UInt8[np.ndarray, "_ _ _"]
"""A `Picture`, or ``h w 4`` RGB and alpha in 0..255, not premultiplied."""

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "PPM", "TGA", "JPEG2000")
"""What is read: decoders inside Pillow only, none that starts another program."""
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""What is written."""
MAX_PIXELS = PICTURE.most("pixels")
"""A larger JPEG is read at a half, quarter or eighth of its size, other files are refused."""

_WHITE = (255, 255, 255, 255)
_SIXTEEN_BITS = 65_535
_STRIP = 512


def read_image(path: str | Path) -> Picture:
    """Read a picture: upright by its EXIF orientation, in sRGB, transparency over white.

    Grey, palette, CMYK, 16-bit and floating-point files are converted. Of an animation the first
    frame is read.

    Raises:
        InputError: the file is missing, no picture, damaged or larger than `MAX_PIXELS`.
    """
    path = Path(path)
    trouble = f"The picture {path} is damaged or cut off and cannot be read."
    with reading(path, PICTURE, trouble), warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
        try:
            with Pillow.open(path, formats=[f for f in FORMATS if f in _known_formats()]) as file:
                _limit_size(path, file)
                file.load()
                return _to_rgb(file)
        except UnidentifiedImageError as error:
            raise InputError(
                f"{path} is not a picture that can be read; save it as JPEG or PNG."
            ) from error
        except Pillow.DecompressionBombError as error:
            raise InputError(_too_large(path, None)) from error


def write_image(
    path: str | Path, image: AnyPicture, *, quality: int = 95, note: str | None = None
) -> None:
    """Write a picture; the file appears whole or not at all.

    Args:
        path: where to write; its suffix, one of `IMAGE_SUFFIXES`, says the format.
        image: with alpha for PNG and WebP only.
        quality: of JPEG and WebP, 1 to 100.
        note: a comment in the metadata: a text chunk of PNG, the description in EXIF of others.

    Raises:
        InputError: the path cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise InputError(
            f"The picture {path} needs a name that ends in {', '.join(IMAGE_SUFFIXES)}."
        )
    picture = Pillow.fromarray(np.ascontiguousarray(image))
    with appearing(path) as part, writing(path):
        picture.save(part, quality=quality, **_metadata(path, note))


def _metadata(path: Path, note: str | None) -> dict[str, Any]:
    """Return Pillow's options that write a note."""
    if note is None:
        return {}
    if path.suffix.lower() == ".png":
        texts = PngInfo()
        texts.add_text("Comment", note)
        return {"pnginfo": texts}
    exif = Pillow.Exif()
    exif[ExifTags.Base.ImageDescription] = note
    return {"exif": exif}


def picture_size(image: Picture) -> tuple[int, int]:
    """Return (height, width)."""
    height, width = image.shape[:2]
    return height, width


def resize_image(image: Picture, size: tuple[int, int]) -> Picture:
    """Resample a picture with an anti-aliased filter.

    Args:
        size: new (height, width).

    Returns:
        The picture at that size; the same array where nothing changes.
    """
    if image.shape[:2] == size:
        return image
    height, width = size
    picture = Pillow.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize((width, height), Pillow.Resampling.LANCZOS))


def cut_out(
    image: Picture, corner: tuple[int, int], part: tuple[int, int], size: tuple[int, int]
) -> Picture:
    """Return a part of a picture, resampled; beyond the border the picture's rim is repeated.

    Args:
        corner: (left, top) of the part; it may lie outside of the picture.
        part: (height, width) of the part in pixels of the picture.
        size: (height, width) of the result.
    """
    rows, columns = (
        np.arange(start, start + length).clip(0, most - 1)
        for start, length, most in zip(corner[::-1], part, image.shape, strict=False)
    )
    inside = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return resize_image(inside if inside.shape[:2] == part else image[rows[:, None], columns], size)


def _known_formats() -> set[str]:
    Pillow.init()
    return set(Pillow.OPEN)


def _limit_size(path: Path, file: Pillow.Image) -> None:
    width, height = file.size
    if max(width, height) > PICTURE.most("pixels of a side"):
        raise InputError(_too_large(path, (width, height)))
    if width * height <= MAX_PIXELS:
        return
    shrink = next((s for s in (2, 4, 8) if width * height <= MAX_PIXELS * s * s), 8)
    drafted = file.draft("RGB", (width // shrink, height // shrink))
    if drafted is None or file.size[0] * file.size[1] > MAX_PIXELS:
        raise InputError(_too_large(path, (width, height)))
    warnings.warn(
        f"{path} has {width} x {height} pixels and is read at "
        f"{file.size[0]} x {file.size[1]} to save memory.",
        Notice,
        stacklevel=4,
    )


def _too_large(path: Path, size: tuple[int, int] | None) -> str:
    said = "too many" if size is None else f"{size[0]} x {size[1]}"
    return (
        f"The picture {path} has {said} pixels; at most {MAX_PIXELS // 1_000_000} million and "
        f"{PICTURE.most('pixels of a side')} a side are read, so make it smaller first."
    )


def _to_rgb(file: Pillow.Image) -> Picture:
    ImageOps.exif_transpose(file, in_place=True)
    if file.mode[0] in "IF":
        return _from_deep_grey(np.asarray(file))
    width, height = file.size
    picture = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP):  # conversions take several times the memory
        rows = slice(top, min(top + _STRIP, height))
        picture[rows] = _strip_to_rgb(file.crop((0, rows.start, width, rows.stop)))
    return picture


def _strip_to_rgb(strip: Pillow.Image) -> np.ndarray:
    profile = strip.info.get("icc_profile")
    if strip.mode in ("LA", "La", "PA", "RGBa") or "transparency" in strip.info:
        strip = strip.convert("RGBA")
    strip = _to_srgb(strip, profile)
    if strip.mode == "RGBA":
        strip = Pillow.alpha_composite(Pillow.new("RGBA", strip.size, _WHITE), strip)
    return np.asarray(strip.convert("RGB"))


def _from_deep_grey(values: np.ndarray) -> Picture:
    """Turn 16-bit, 32-bit or floating-point grey into 8 bits."""
    numbers = values.astype(np.float32)
    np.nan_to_num(numbers, copy=False)
    top = float(numbers.max(initial=0))
    if values.dtype.kind == "f" and top <= 1:
        numbers *= 255
    elif top > 255 or values.dtype.itemsize == 2:
        numbers *= 255 / max(_SIXTEEN_BITS, top)
    np.clip(numbers, 0, 255, out=numbers)
    numbers += 0.5
    return repeat(numbers.astype(np.uint8), "h w -> h w rgb", rgb=3)


def _to_srgb(picture: Pillow.Image, profile: bytes | None) -> Pillow.Image:
    """Convert the colours of a file with an embedded profile; a broken profile is ignored."""
    if profile is None or picture.mode not in ("RGB", "RGBA", "CMYK"):
        return picture
    target = "RGBA" if picture.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, source, srgb, outputMode=target)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
    return picture if converted is None else converted
