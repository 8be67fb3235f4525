"""Another background behind the person: a colour, a picture or a video."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import ImageColor

from bdmm.errors import InputError
from bdmm.media.image import IMAGE_SUFFIXES, Picture, read_image, resize_image
from bdmm.media.video_reader import VideoReader


@runtime_checkable
class Background(Protocol):
    """Gives a picture for each frame."""

    def pictures(self, size: tuple[int, int], fps: Fraction) -> Iterator[Picture]:
        """Yield backgrounds without end.

        Args:
            size: (height, width) of the frames; the background is cropped to cover them.
            fps: frames per second of the output.
        """
        ...


class StillBackground:
    """The same picture behind every frame."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

    def pictures(self, size: tuple[int, int], fps: Fraction) -> Iterator[Picture]:
        """Yield the picture, again and again."""
        return repeat(cover(self.picture, size))


class VideoBackground:
    """A video, repeated when it ends."""

    def __init__(self, reader: VideoReader) -> None:
        self.reader = reader

    def pictures(self, size: tuple[int, int], fps: Fraction) -> Iterator[Picture]:
        """Yield the video's picture at each frame's time."""
        shown, index, frames = -1, 0, iter(self.reader)
        picture = np.zeros((0, 0, 3), np.uint8)
        while True:
            wanted = int(index / fps * self.reader.fps) % self.reader.frame_count
            if wanted < shown:
                shown, frames = -1, iter(self.reader)
            while shown < wanted:
                picture, shown = next(frames), shown + 1
            yield cover(picture, size)
            index += 1


def open_background(background: str | Path | Picture) -> Background:
    """Open a background.

    Args:
        background: a colour such as ``white``, ``#20a040`` or ``rgb(10, 20, 30)``, the path of a
            picture or a video, or a picture.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(background, np.ndarray):
        return StillBackground(background)
    path = Path(background)
    if path.is_file():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return StillBackground(read_image(path))
        return VideoBackground(VideoReader(path))
    try:
        colour = ImageColor.getcolor(str(background), "RGB")
    except ValueError as error:
        raise InputError(
            f"The background {background} is neither a file nor a colour such as white or #20a040."
        ) from error
    return StillBackground(np.full((1, 1, 3), colour, np.uint8))


def cover(picture: Picture, size: tuple[int, int]) -> Picture:
    """Scale a picture and crop its middle so that it fills a frame.

    Args:
        picture: the picture.
        size: (height, width) of the frame.
    """
    height, width = picture.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    rows, columns = (max(round(side / scale), 1) for side in size)
    top, left = max((height - rows) // 2, 0), max((width - columns) // 2, 0)
    return resize_image(picture[top : top + rows, left : left + columns], size)
