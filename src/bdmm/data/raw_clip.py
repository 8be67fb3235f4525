"""A clip before it is prepared: a video or a folder of pictures, read as often as needed."""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from bdmm.errors import InputError
from bdmm.media.image import Picture, picture_size, read_image, resize_image
from bdmm.media.video_reader import MAX_MINUTES, VideoReader

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".gif")


def open_raw_clip(
    path: Path,
    max_side: int,
    fps: Fraction | None,
    folder_fps: Fraction,
    max_minutes: float = MAX_MINUTES,
) -> "RawClip":
    """Open a video or a folder of pictures.

    Args:
        fps: frames per second to thin the clip out to, if it has more; None for its own.
        folder_fps: frames per second of a folder of pictures, which do not store it.
        max_minutes: longer videos are refused.

    Raises:
        InputError: it cannot be read or is too long, or a folder holds no pictures.
    """
    frames = (
        PictureFolder(path, max_side, folder_fps)
        if path.is_dir()
        else VideoReader(path, max_side=max_side, max_minutes=max_minutes)
    )
    return frames if fps is None or fps >= frames.fps else ThinnedClip(frames, fps)


def picture_files(folder: Path) -> list[Path]:
    """Return the pictures of a folder in the order of the numbers in their names."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES]
    return sorted(found, key=lambda path: ([int(n) for n in re.findall(r"\d+", path.stem)], path))


class PictureFolder:
    """Frames from a folder of pictures; ``size`` is that of the frames given out."""

    def __init__(self, path: Path, max_side: int, fps: Fraction) -> None:
        self.fps = fps
        self._files = picture_files(path)
        if not self._files:
            raise InputError(f"The folder {path} holds no pictures.")
        self._stored = picture_size(read_image(self._files[0]))
        shrink = min(1.0, max_side / max(self._stored))
        self.size = (round(self._stored[0] * shrink), round(self._stored[1] * shrink))

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Picture]:
        for file in self._files:
            picture = read_image(file)
            if picture_size(picture) != self._stored:
                raise InputError(f"{file} is of another size than the first picture of its folder.")
            yield resize_image(picture, self.size)


class ThinnedClip:
    """Fewer frames per second; the length in seconds stays."""

    def __init__(self, frames: "RawClip", fps: Fraction) -> None:
        self._frames, self._step = frames, frames.fps / fps
        self.fps, self.size = fps, frames.size

    def __len__(self) -> int:
        return int((len(self._frames) - 1) / self._step) + 1

    def __iter__(self) -> Iterator[Picture]:
        wanted = 0
        for number, picture in enumerate(self._frames):
            if number == int(wanted * self._step):
                yield picture
                wanted += 1


RawClip = VideoReader | PictureFolder | ThinnedClip
"""Frames that can be read as often as needed, with ``fps`` and ``size``."""
