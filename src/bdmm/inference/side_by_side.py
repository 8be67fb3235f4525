"""Several systems at the same work, frame by frame beside each other (figures 4 to 6)."""

from collections.abc import Iterator, Mapping

from bdmm.inference.driving import Progress
from bdmm.inference.rehearsal import Rehearsal
from bdmm.inference.renderers import Renderer
from bdmm.media.image import Picture
from bdmm.media.panels import captioned, mosaic


class SideBySide(Iterator[Picture]):
    """Pictures of source, driver and what each renderer makes of them, in bounded memory.

    All renderers are given the same photo, body, motion and background.

    Attributes:
        frame_count: number of pictures in all.

    Args:
        rehearsal: photo and driver.
        renderers: by the names that are written above their frames.
        progress: is told how many pictures are made.
    """

    def __init__(
        self, rehearsal: Rehearsal, renderers: Mapping[str, Renderer], progress: Progress
    ) -> None:
        self.frame_count = len(rehearsal)
        self._names = list(renderers)
        self._source = captioned(rehearsal.photo, "source")
        self._driving = rehearsal.driving_pictures()
        self._animations = [rehearsal.animation(one) for one in renderers.values()]
        self._progress = progress
        self._done = 0

    def __next__(self) -> Picture:
        """Return the next picture."""
        frames = [next(one) for one in self._animations]
        driving = captioned(next(self._driving), "driving")
        made = [captioned(one, name) for one, name in zip(frames, self._names, strict=True)]
        self._done += 1
        self._progress("Comparing", self._done, self.frame_count)
        return mosaic([[self._source, driving, *made]])
