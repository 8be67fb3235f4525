"""Frames of one clip kept on disk while they pass by, for judges that go through them again."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from bdmm.files.output_file import writing
from bdmm.media.image import Picture
from bdmm.media.pixels import to_frames
from bdmm.shapes import Frames


class FrameTape:
    """A temporary file of frames of one size; use it in a ``with`` statement.

    Args:
        folder: where the file lies for the time being; it takes three bytes per pixel.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with writing(folder):
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".tape-")  # noqa: SIM115
        self._shape: tuple[int, int, int] | None = None
        self._count = 0

    def __enter__(self) -> "FrameTape":
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the file."""
        self._file.close()

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._count

    def add(self, frame: Picture) -> None:
        """Append a frame.

        Raises:
            InputError: the disk is full.
        """
        height, width, channels = frame.shape
        assert self._shape in (None, (height, width, channels)), "frames are of one size"
        self._shape = (height, width, channels)
        with writing(self._folder):
            self._file.write(np.ascontiguousarray(frame).data)
        self._count += 1

    def __iter__(self) -> Iterator[Picture]:
        """Read the frames one by one, in order."""
        for number in range(self._count):
            yield self._read([number])[0]

    def frames(self, numbers: Sequence[int]) -> Frames:
        """Return some frames in [-1, 1]."""
        return to_frames(list(self._read(numbers)))

    def _read(self, numbers: Sequence[int]) -> UInt8[np.ndarray, "_ _ _ 3"]:
        assert self._shape is not None, "a frame was added"
        self._file.flush()
        size = int(np.prod(self._shape))
        pictures = np.empty((len(numbers), *self._shape), np.uint8)
        for place, number in enumerate(numbers):
            self._file.seek(number * size)
            pictures[place] = np.frombuffer(self._file.read(size), np.uint8).reshape(self._shape)
        self._file.seek(0, 2)
        return pictures
