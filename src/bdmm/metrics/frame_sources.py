"""A system's output or the truth as it lies on disk, frame by frame: a video or a folder."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from bdmm.data.footage import PICTURES, picture_files
from bdmm.errors import InputError
from bdmm.media.image import Picture, read_image
from bdmm.media.video_reader import VideoReader


@dataclass(frozen=True)
class StoredFrame:
    """A frame that is read when it is needed.

    Attributes:
        name: that a user recognises: a path, or a video's path and the frame's number from 1.
        read: returns RGB in 0..255; raises `InputError` where the frame is damaged.
    """

    name: str
    read: Callable[[], Picture]


@runtime_checkable
class FrameSource(Protocol):
    """Frames in order, gone through again and again."""

    @property
    def path(self) -> Path:
        """Return the file or folder."""
        ...

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """Return the number in each frame's file name, rising, or None where names bear none."""
        ...

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def __iter__(self) -> Iterator[StoredFrame]:
        """Go through the frames."""
        ...


def open_frames(path: str | Path) -> FrameSource:
    """Open a video or a folder of pictures.

    Raises:
        InputError: it does not exist, cannot be read or holds no frames.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; give a video or a folder of pictures.")
    return FrameFolder(path) if path.is_dir() else FrameVideo(path)


class FrameFolder:
    """A folder of pictures, in the order of the last number in their names, else by name.

    Args:
        path: the folder; what is hidden or no picture is passed over.

    Raises:
        InputError: it holds no picture or two with the same number.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        files = sorted(file for file in picture_files(path) if not file.name.startswith("."))
        if not files:
            raise InputError(f"The folder {path} holds no pictures ({', '.join(PICTURES)}).")
        found = [_last_number(file) for file in files]
        numbers = [number for number in found if number is not None]
        if len(numbers) < len(files):
            self.numbers, self._files = None, files
            return
        order = sorted(range(len(files)), key=lambda i: numbers[i])
        self._files = [files[i] for i in order]
        self.numbers = tuple(numbers[i] for i in order)
        for i in range(1, len(files)):
            if self.numbers[i] == self.numbers[i - 1]:
                raise InputError(
                    f"{self._files[i - 1]} and {self._files[i].name} bear the same number: give "
                    "one folder for each clip."
                )

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._files)

    def __iter__(self) -> Iterator[StoredFrame]:
        """Go through the frames."""
        for file in self._files:
            yield StoredFrame(str(file), lambda file=file: read_image(file))


class FrameVideo:
    """A video at its own constant rate; a damaged frame shows the one before it.

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.numbers = None
        self._reader = VideoReader(path)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._reader)

    def __iter__(self) -> Iterator[StoredFrame]:
        """Go through the frames."""
        for number, picture in enumerate(self._reader, start=1):
            yield StoredFrame(f"{self.path} frame {number}", lambda picture=picture: picture)


def _last_number(file: Path) -> int | None:
    found = re.findall(r"\d+", file.stem)
    return int(found[-1]) if found else None
