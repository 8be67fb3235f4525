"""The photo made ready: what of it is rendered, and how frames are put back into it."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from bdmm.errors import InputError, Notice
from bdmm.inference.driving import Progress
from bdmm.inference.framing import (
    SIZES,
    View,
    check_photo,
    cut,
    feather,
    paste,
    person_view,
    whole_view,
)
from bdmm.media.image import Picture, picture_size, read_image, resize_image
from bdmm.media.pixels import to_pictures
from bdmm.perception.mediapipe_pose import MediaPipePose
from bdmm.perception.source import prepare_source
from bdmm.records import Source

LARGEST_PASTE = 3840
"""Longer side of a photo that a person is put back into; larger photos are scaled down."""
DETAIL = 1280
"""Longer side of the picture in which the person is looked for."""
COARSEST_PASTE = 3.0
"""A rendered person that is enlarged more than this when put back is told of."""
_BORDER = 0.04
"""Share of the cut's side over which a pasted frame fades out at the cut's border."""
_GROWN = 9
"""Working pixels by which the removed person's foreground is grown."""


@dataclass(frozen=True)
class Scene:
    """A photo and the part of it that is rendered.

    Attributes:
        photo: the photo at the size of the finished frames.
        view: the part that is rendered, in pixels of ``photo``.
        source: that part for the renderers, in working pixels.
        underlay: the photo without the person, which frames are laid on; None where the frames
            are finished as they are rendered.
    """

    photo: Picture
    view: View
    source: Source
    underlay: Picture | None = None

    def placed(self, frame: Picture, opacity: Float[np.ndarray, "h w"]) -> Picture:
        """Put a rendered frame back into the photo.

        Args:
            frame: in working pixels.
            opacity: where the frame shows the person.
        """
        assert self.underlay is not None
        fade = feather(self.view.size, _BORDER * max(self.view.size))
        return paste(self.underlay, frame, opacity * fade, self.view)


def set_scene(
    source: str | Path | Picture,
    size: int,
    person: int | None,
    paste_back: bool,
    progress: Progress,
) -> Scene:
    """Read the photo, choose what is rendered, and fit the body.

    Args:
        source: the photo's path, or ``h w 3`` RGB in 0..255.
        size: working resolution.
        person: which of several people, from the left from 1 on; the largest if None.
        paste_back: render a square around the person and put it back into the full-size photo.
        progress: is told the stage.

    Raises:
        InputError: the photo cannot be read or does not suit, or shows nobody.
    """
    if person is not None and person < 1:
        raise InputError(f"The photo's person is {person}; people are counted from 1 on.")
    photo, name = _read(source)
    check_photo(photo, size)
    progress(f"Looking at {name}", 0, 1)
    scene = _pasted(photo, size, person) if paste_back else _whole(photo, size, person)
    progress(f"Looking at {name}", 1, 1)
    return scene


def _read(source: str | Path | Picture) -> tuple[Picture, str]:
    if not isinstance(source, np.ndarray):
        return read_image(source), Path(source).name
    if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
        raise InputError(
            "The photo must be an array of uint8 h w 3, RGB, not "
            f"{source.dtype} {' '.join(map(str, source.shape))}."
        )
    return source, "the photo"


def _whole(photo: Picture, size: int, person: int | None) -> Scene:
    view = whole_view(picture_size(photo), size)
    working = cut(photo, view)
    source = prepare_source(working, person, bounded(photo, DETAIL))
    height, width = view.size
    return Scene(working, View(0, 0, width, height, view.size), source)


def _pasted(photo: Picture, size: int, person: int | None) -> Scene:
    height, width = picture_size(photo)
    photo = bounded(photo, LARGEST_PASTE)
    if picture_size(photo) != (height, width):
        _tell(
            f"The photo is reduced to {photo.shape[1]} x {photo.shape[0]} pixels, the most that "
            "frames are put into."
        )
    view = person_view(_box(photo, person), size)
    if view.height > COARSEST_PASTE * size:
        _tell(
            f"The person is rendered at {size / view.height:.0%} of the photo's own size; a size "
            f"near {min(view.height // 2 * 2, SIZES[1])} is as sharp as the photo."
        )
    detail = cut(photo, replace(view, size=(min(view.height, DETAIL), min(view.width, DETAIL))))
    source = prepare_source(cut(photo, view), detail=detail)
    hole = _soft(source.foreground[0].numpy())
    empty = to_pictures(source.background[None])[0]
    return Scene(photo, view, source, paste(photo, empty, hole, view))


def bounded(photo: Picture, side: int) -> Picture:
    """Return a picture scaled down so that its longer side is at most ``side``."""
    height, width = picture_size(photo)
    shrink = min(side / max(height, width), 1)
    return resize_image(photo, (max(round(height * shrink), 1), max(round(width * shrink), 1)))


def _tell(sentence: str) -> None:
    warnings.warn(sentence, Notice, stacklevel=5)


def _box(photo: Picture, person: int | None) -> tuple[float, float, float, float]:
    """Return the (left, top, right, bottom) of the person's keypoints and foreground."""
    smaller = bounded(photo, DETAIL)
    sighting = MediaPipePose().detect_photo(smaller, person)
    keypoints = sighting.landmarks.keypoints[0]
    rows, columns = np.nonzero(sighting.silhouettes[0].foreground[0].numpy() > 0.5)
    inside = np.stack([columns, rows], axis=1) + 0.5
    points = np.concatenate([keypoints[keypoints[:, 2] > 0.5, :2].numpy(), inside])
    points = points * (photo.shape[0] / smaller.shape[0])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _soft(foreground: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Grow a foreground and soften its rim."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _GROWN + 1, 2 * _GROWN + 1))
    grown = cv2.dilate((foreground > 0.2).astype(np.float32), disc)
    return cv2.GaussianBlur(grown, (0, 0), _GROWN / 3)
