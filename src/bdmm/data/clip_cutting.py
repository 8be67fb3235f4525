"""A clip's frames and foregrounds, cut out square around the person, as often as needed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import UInt8

from bdmm.body.model import SkinnedBody
from bdmm.data.cached_sources import as_foreground
from bdmm.data.clip_crop import (
    Crop,
    crop_motion,
    crop_silhouette,
    cut_square,
    person_crop,
    refine_foreground,
)
from bdmm.media.image import Picture
from bdmm.media.pixels import to_frames
from bdmm.perception.pose import Detection
from bdmm.perception.refine_fit import FrameView, refine_motion
from bdmm.records import Motion
from bdmm.shapes import Foreground, Image

Pair = tuple[Picture, UInt8[np.ndarray, "h w"]]


class Cutting:
    """The frames and foregrounds of a clip, cut out.

    Attributes:
        footage: the frames; read anew each time.
        crop: what is cut out of them.
        size: pixels of the sides of what comes out.
        kept: pairs that a call was told to keep, by number.

    Args:
        footage: see above.
        sighting: what was seen in the same frames.
        crop: see above.
        size: see above.
    """

    def __init__(
        self, footage: Iterable[Picture], sighting: Detection, crop: Crop, size: int
    ) -> None:
        self.footage, self.crop, self.size = footage, crop, size
        self._silhouettes = {one.frame: one for one in sighting.silhouettes}
        self.kept: dict[int, Pair] = {}

    def __call__(self, keep: set[int]) -> Iterator[Pair]:
        """Yield all frames; some are kept in ``kept``."""
        for number, picture in enumerate(self.footage):
            pair = self._pair(number, picture)
            if number in keep:
                self.kept[number] = pair
            yield pair

    def looks(self) -> Iterator[FrameView]:
        """Yield what makes each frame as tensors."""
        for number, picture in enumerate(self.footage):
            yield partial(self._look, number, picture)

    def _look(self, number: int, picture: Picture) -> tuple[Image, Foreground]:
        square, grey = self._pair(number, picture)
        return to_frames([square])[0], as_foreground(grey)

    def _pair(self, number: int, picture: Picture) -> Pair:
        square = cut_square(picture, self.crop, self.size)
        if number not in self._silhouettes:
            return square, np.zeros((self.size, self.size), np.uint8)
        rough = crop_silhouette(self._silhouettes[number], self.crop, self.size)
        return square, refine_foreground(rough, square)


def refine_in_crop(
    body: SkinnedBody,
    motion: Motion,
    footage: Iterable[Picture],
    sighting: Detection,
    size: int,
    every: int,
) -> Motion:
    """Give the fit of a clip its second look, within the square around the person.

    Args:
        body: that was fitted.
        motion: the fit, in pixels of the footage.
        footage: the frames.
        sighting: what was seen in them.
        size: pixels of the square's sides.
        every: one of so many frames is looked at.
    """
    crop = person_crop(sighting.landmarks, sighting.silhouettes)
    inside = crop_motion(motion, crop, size)
    looks = Cutting(footage, sighting, crop, size).looks()
    refined = refine_motion(body, inside, looks, every=every)
    pixel = crop[2] / size
    return replace(
        motion,
        rotations=refined.rotations,
        scale=refined.scale * pixel,
        translation=refined.translation * pixel + refined.translation.new_tensor(crop[:2]),
    )
