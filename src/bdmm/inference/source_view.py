"""The photo made ready: the part that is rendered, at which size, and the way back into it.

Convention:
    Positions are (x, y) pixels with (0, 0) at the outer corner of the first pixel, so a pixel's
    centre lies at its index + 0.5. Working pixels are those of the rendered frames.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float

from bdmm.appearance.person import PersonViews, build_person, resized, view_person
from bdmm.errors import InputError, Notice, require_size
from bdmm.media.image import Picture, cut_out, picture_size, resize_image
from bdmm.media.pixels import to_pictures
from bdmm.perception.mediapipe_pose import detect_photo
from bdmm.perception.pose import Detection
from bdmm.perception.source import crop_detection, naming, prepare_source, prepare_sources
from bdmm.records import Person, Source

SIZES = (64, 2048)
"""Least and largest working resolution."""
LEAST_SIDE = 32
"""A photo whose shorter side has fewer pixels shows nobody."""
WIDEST = 4.0
"""A photo's longer side is at most this many times the shorter one."""
PERSON_MARGIN = 1.5
"""Side of the square cut around the person, in sizes of the person."""
LARGEST_PASTE = 3840
"""Longer side of a photo that a person is put back into; larger photos are scaled down."""
DETAIL = 1280
"""Longer side of the picture in which the person is detected."""
MOST_PHOTOS = 8
"""Photos of one person."""
COARSEST_PASTE = 3.0
"""A notice is given if the rendered person is enlarged by more than this factor."""
_BORDER = 0.04
"""Share of the cut's side over which a pasted frame fades out at the cut's border."""
_GROWN = 9
"""Working pixels by which the removed person's foreground is grown."""


@dataclass(frozen=True)
class View:
    """A rectangle of the photo, rendered at a size.

    Attributes:
        left, top, width, height: in whole pixels of the photo; it may reach over the border.
        size: (height, width) in working pixels.
    """

    left: int
    top: int
    width: int
    height: int
    size: tuple[int, int]

    def cut(self, photo: Picture) -> Picture:
        """Return this part of the photo in working pixels."""
        return cut_out(photo, (self.left, self.top), (self.height, self.width), self.size)


@dataclass(frozen=True)
class SourceView:
    """A photo and the part of it that is rendered.

    Attributes:
        photo: the photo at the size of the finished frames.
        view: the rendered part, in pixels of ``photo``.
        person: what is known of the person, in working pixels; of their first photo that part.
        clean_plate: the photo without the person, on which rendered frames are laid; None where
            the frames are finished as they are rendered.
    """

    photo: Picture
    view: View
    person: Person
    clean_plate: Picture | None = None

    @cached_property
    def known(self) -> PersonViews:
        """What is known of the person's whole surface, on the photos' device."""
        return view_person(self.person)

    @property
    def source(self) -> Source:
        """The rendered part for the renderers, in working pixels."""
        return self.person.photos[0]

    def paste_back(self, frame: Picture, opacity: Float[np.ndarray, "h w"]) -> Picture:
        """Lay a rendered frame on the clean plate."""
        assert self.clean_plate is not None
        fade = feather(self.view.size, _BORDER * max(self.view.size))
        return paste(self.clean_plate, frame, opacity * fade, self.view)


@dataclass(frozen=True)
class Shot:
    """A photo as it was given, and what messages call it: a file's name."""

    picture: Picture
    name: str = ""


def open_source(
    photo: Picture,
    size: int,
    person: int | None = None,
    paste_back: bool = False,
    more: Sequence[Shot] = (),
    name: str = "",
) -> SourceView:
    """Find the person, choose what is rendered, and fit the body.

    Args:
        size: working resolution.
        person: which of several people, from the left from 1 on; the largest if None.
        paste_back: render a square around the person and put it back into the full-size photo.
        more: photos of the same person, each around their largest person.
        name: of the photo, for messages.

    Raises:
        InputError: a photo or the size does not suit, nobody is seen, or a photo does not fit.
    """
    if len(more) >= MOST_PHOTOS:
        raise InputError(
            f"There are {len(more) + 1} photos of the person; at most {MOST_PHOTOS} are used."
        )
    shots = [Shot(photo, name), *more]
    for shot in shots:
        with naming(shot.name if more else ""):
            check_photo(shot.picture, size)
    return _person_part(shots, size, person) if paste_back else _whole(shots, size, person)


def person_view_of(person: Person, size: int) -> SourceView:
    """Return a person who was made ready before, at a working resolution.

    Raises:
        InputError: the size is out of range.
    """
    require_size(size, *SIZES)
    known = resized(person, size)
    height, width = known.photos[0].pose.size
    (photo,) = to_pictures(known.photos[0].image[None])
    return SourceView(photo, View(0, 0, width, height, (height, width)), known)


def _whole(shots: Sequence[Shot], size: int, person: int | None) -> SourceView:
    photo = shots[0].picture
    view = whole_view(picture_size(photo), size)
    working = view.cut(photo)
    with naming(shots[0].name if len(shots) > 1 else ""):
        detection = detect_photo(bounded(photo, DETAIL), person)
    known = _known(shots, working, detection)
    height, width = view.size
    return SourceView(working, View(0, 0, width, height, view.size), known)


def _person_part(shots: Sequence[Shot], size: int, person: int | None) -> SourceView:
    full_size = picture_size(shots[0].picture)
    photo = bounded(shots[0].picture, LARGEST_PASTE)
    if picture_size(photo) != full_size:
        _notify(
            f"The photo is reduced to {photo.shape[1]} x {photo.shape[0]} pixels, the most that "
            "frames are put into."
        )
    with naming(shots[0].name if len(shots) > 1 else ""):
        detection = detect_photo(photo, person)
    view = person_view(_person_box(detection), size)
    if view.height > COARSEST_PASTE * size:
        _notify(
            f"The person is rendered at {size / view.height:.0%} of the photo's own size; a size "
            f"near {min(view.height // 2 * 2, SIZES[1])} is as sharp as the photo."
        )
    part = crop_detection(detection, view.left, view.top, (view.height, view.width))
    known = _known(shots, view.cut(photo), part)
    source = known.photos[0]
    hole = _grown(source.foreground[0].numpy())
    empty = to_pictures(source.background[None])[0]
    return SourceView(photo, view, known, paste(photo, empty, hole, view))


def _known(shots: Sequence[Shot], working: Picture, detection: Detection) -> Person:
    """Return what the photos show of a person, the others at the first one's scale.

    Args:
        working: the first photo at the working resolution.
        detection: in it.
    """
    if len(shots) == 1:
        return Person((prepare_source(working, detection),))
    pictures, detections = [working], [detection]
    tall = _height(detection) * working.shape[0] / detection.landmarks.size[0]
    for shot in shots[1:]:
        with naming(shot.name):
            photo = bounded(shot.picture, 2 * DETAIL)
            seen = detect_photo(photo)
        view = person_view(_person_box(seen), SIZES[0])
        side = 2 * round(view.height * tall / _height(seen) / 2)
        view = replace(view, size=(min(side, SIZES[1]),) * 2)
        pictures.append(view.cut(photo))
        detections.append(crop_detection(seen, view.left, view.top, (view.height, view.width)))
    names = [shot.name for shot in shots]
    return build_person(prepare_sources(pictures, detections, names), names)


def _height(detection: Detection) -> float:
    _, top, _, bottom = _person_box(detection)
    return bottom - top


def bounded(photo: Picture, side: int) -> Picture:
    """Return a picture scaled down so that its longer side is at most ``side``."""
    height, width = picture_size(photo)
    shrink = min(side / max(height, width), 1)
    return resize_image(photo, (max(round(height * shrink), 1), max(round(width * shrink), 1)))


def _notify(sentence: str) -> None:
    warnings.warn(sentence, Notice, stacklevel=5)


def _person_box(detection: Detection) -> tuple[float, float, float, float]:
    """Return the (left, top, right, bottom) of a photo's keypoints and foreground."""
    keypoints = detection.landmarks.keypoints[0]
    rows, columns = np.nonzero(detection.silhouettes[0].foreground[0].numpy() > 0.5)
    inside = np.stack([columns, rows], axis=1) + 0.5
    points = np.concatenate([keypoints[keypoints[:, 2] > 0.5, :2].numpy(), inside])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _grown(foreground: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Grow a foreground and soften its rim."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _GROWN + 1, 2 * _GROWN + 1))
    grown = cv2.dilate((foreground > 0.2).astype(np.float32), disc)
    return cv2.GaussianBlur(grown, (0, 0), _GROWN / 3)


def check_photo(photo: Picture, size: int) -> None:
    """Refuse a photo or a working resolution that cannot work.

    Raises:
        InputError: the photo is tiny or a strip, or the size is out of range.
    """
    height, width = photo.shape[:2]
    require_size(size, *SIZES)
    if min(height, width) < LEAST_SIDE:
        raise InputError(
            f"The photo has {width} x {height} pixels; a person needs at least {LEAST_SIDE} on the "
            "shorter side."
        )
    if max(height, width) > WIDEST * min(height, width):
        raise InputError(
            f"The photo has {width} x {height} pixels; crop it, since the longer side may be at "
            f"most {WIDEST:g} times the shorter one."
        )


def whole_view(photo_size: tuple[int, int], size: int) -> View:
    """Show the photo's own framing and aspect.

    Args:
        photo_size: (height, width) of the photo.
        size: the shorter side in working pixels; the longer one is rounded to an even number.
    """
    height, width = photo_size
    scale = size / min(height, width)
    rows, columns = (2 * round(side * scale / 2) for side in (height, width))
    return View(0, 0, width, height, (rows, columns))


def person_view(box: tuple[float, float, float, float], size: int) -> View:
    """Show a square around the person.

    Args:
        box: (left, top, right, bottom) of the person in pixels of the photo.
    """
    left, top, right, bottom = box
    side = max(round(PERSON_MARGIN * max(right - left, bottom - top)), 2)
    x, y = (round((a + b - side) / 2) for a, b in ((left, right), (top, bottom)))
    return View(x, y, side, side, (size, size))


def paste(
    photo: Picture,
    frame: Picture,
    opacity: Float[np.ndarray, "h1 w1"],
    view: View,
) -> Picture:
    """Lay a rendered frame over its part of the photo.

    Args:
        photo: what lies beneath; it is not changed.
        frame: ``view.size`` working pixels.
        opacity: of the frame's pixels, in [0, 1].

    Returns:
        The photo with the frame; pixels outside the view, or under opacity 0, are the photo's own.
    """
    height, width = photo.shape[:2]
    left, top = max(view.left, 0), max(view.top, 0)
    right, bottom = min(view.left + view.width, width), min(view.top + view.height, height)
    result = photo.copy()
    if right <= left or bottom <= top:
        return result
    inner = np.s_[
        top - view.top : bottom - view.top,
        left - view.left : right - view.left,
    ]
    whole = (view.width, view.height)
    over = cv2.resize(frame, whole, interpolation=cv2.INTER_CUBIC)[inner].astype(np.float32)
    share = cv2.resize(opacity.astype(np.float32), whole, interpolation=cv2.INTER_LINEAR)[inner]
    share = share.clip(0, 1)[..., None]
    under = result[top:bottom, left:right].astype(np.float32)
    mixed = under + (over - under) * share
    result[top:bottom, left:right] = (mixed + 0.5).clip(0, 255).astype(np.uint8)
    return result


def feather(size: tuple[int, int], width: float) -> Float[np.ndarray, "h w"]:
    """Return an opacity of 1 that falls to 0 at the border, so that no edge of a cut shows.

    Args:
        size: (height, width).
        width: of the fall in pixels.
    """
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) / width, (n - np.arange(n) - 0.5) / width).clip(0, 1)
        for n in size
    )
    return np.minimum.outer(rows, columns).astype(np.float32)
