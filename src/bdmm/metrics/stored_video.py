"""Videos and folders on disk as what clips are cut from."""

from collections.abc import Iterator, Sequence

from bdmm.errors import InputError
from bdmm.media.image import Picture, resize_image
from bdmm.media.pixels import to_frames
from bdmm.metrics.frame_sources import FrameSource
from bdmm.metrics.video_distance import VideoClips
from bdmm.shapes import Frames

KEPT_BYTES = 512 * 2**20
"""A video that takes more is read anew for each clip."""


def clips_of(name: str, source: FrameSource, size: tuple[int, int] | None = None) -> VideoClips:
    """Return a video on disk as what clips are cut from.

    Its frames stay in memory, 8 bits per colour, as long as what is returned does: let go of one
    video before the next.

    Args:
        name: see `VideoClips`.
        source: a video or a folder of pictures.
        size: (height, width) to bring every frame to with an anti-aliased filter; by default
            frames are taken as they are.
    """
    return VideoClips(name, len(source), _StoredVideo(source, size).read)


class _StoredVideo:
    """Frames by index of what can only be gone through from the start."""

    def __init__(self, source: FrameSource, size: tuple[int, int] | None) -> None:
        self._source, self._size = source, size
        self._kept: list[Picture] = []

    def read(self, indices: Sequence[int]) -> Frames:
        """Return frames in rising order of their indices.

        Raises:
            InputError: a frame cannot be read, or a video ends early.
        """
        if not self._kept and self._fits():
            self._kept = list(self._chosen(range(len(self._source))))
        if self._kept:
            return to_frames([self._kept[index] for index in indices])
        return to_frames(list(self._chosen(indices)))

    def _fits(self) -> bool:
        first = next(self._chosen([0]))
        return first.nbytes * len(self._source) <= KEPT_BYTES

    def _chosen(self, indices: Sequence[int]) -> Iterator[Picture]:
        """Go through the frames as far as needed."""
        chosen, last = set(indices), indices[-1]
        for index, frame in enumerate(self._source):
            if index in chosen:
                picture = frame.read()
                yield picture if self._size is None else resize_image(picture, self._size)
            if index == last:
                return
        raise InputError(f"{self._source.path} ends before frame {last + 1}.")
