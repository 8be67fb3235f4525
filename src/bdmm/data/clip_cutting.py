"""A clip's frames and foregrounds, cut out square around the person, as often as needed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

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
from bdmm.perception.pose import Sighting
from bdmm.perception.refine_fit import refine_motion
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
        self, footage: Iterable[Picture], sighting: Sighting, crop: Crop, size: int
    ) -> None:
        self.footage, self.crop, self.size = footage, crop, size
        self._silhouettes = {one.frame: one for one in sighting.silhouettes}
        self.kept: dict[int, Pair] = {}

    def __call__(self, keep: set[int]) -> Iterator[Pair]:
        """Yield all frames; some are kept in ``kept``."""
        for number, picture in enumerate(self.footage):
            square = cut_square(picture, self.crop, self.size)
            pair = square, self._foreground(number, square)
            if number in keep:
                self.kept[number] = pair
            yield pair

    def looks(self) -> Iterator[tuple[Image, Foreground]]:
        """Yield all frames as tensors."""
        for square, grey in self(set()):
            yield to_frames([square])[0], as_foreground(grey)

    def _foreground(self, number: int, square: Picture) -> UInt8[np.ndarray, "h w"]:
        if number not in self._silhouettes:
            return np.zeros((self.size, self.size), np.uint8)
        rough = crop_silhouette(self._silhouettes[number], self.crop, self.size)
        return refine_foreground(rough, square)


def refine_in_crop(
    body: SkinnedBody, motion: Motion, footage: Iterable[Picture], sighting: Sighting, size: int
) -> Motion:
    """Give the fit of a clip its second look, within the square around the person.

    Args:
        body: that was fitted.
        motion: the fit, in pixels of the footage.
        footage: the frames.
        sighting: what was seen in them.
        size: pixels of the square's sides.
    """
    crop = person_crop(sighting.landmarks, sighting.silhouettes)
    inside = crop_motion(motion, crop, size)
    refined = refine_motion(body, inside, Cutting(footage, sighting, crop, size).looks())
    pixel = crop[2] / size
    return replace(
        motion,
        rotations=refined.rotations,
        scale=refined.scale * pixel,
        translation=refined.translation * pixel + refined.translation.new_tensor(crop[:2]),
    )
