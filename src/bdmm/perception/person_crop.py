"""The square of a clip's frames that holds the person all the time, and what lies in it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from bdmm.body.model import SkinnedBody
from bdmm.media.image import Picture, cut_out
from bdmm.media.pixels import to_frames
from bdmm.perception.pose import Detection, PersonView, Silhouette
from bdmm.perception.refine_fit import FrameView, refine_views
from bdmm.perception.tracking import SURE, Square, whole_frame
from bdmm.records import Landmarks, Motion
from bdmm.shapes import Foreground, Image

MARGIN = 1.15
"""Side of the square in longer sides of the box around the person over all frames."""
_SKULL = 0.12
"""Share of the person's height that is above the eyes, where no silhouette tells."""
Pair = tuple[Picture, UInt8[np.ndarray, "h w"]]
"""A cropped frame and its foreground in 0..255."""


def person_crop(landmarks: Landmarks, silhouettes: Sequence[Silhouette]) -> Square:
    """Return the square around the person over the whole clip."""
    points = landmarks.keypoints[landmarks.found]
    places = points[points[..., 2] > SURE][:, :2]
    boxes = [(*places.amin(0).tolist(), *places.amax(0).tolist())]
    boxes += [box for one in silhouettes if (box := _box(one)) is not None]
    left, top = (min(box[axis] for box in boxes) for axis in (0, 1))
    right, bottom = (max(box[axis] for box in boxes) for axis in (2, 3))
    top -= 0 if silhouettes else _SKULL * (bottom - top)
    full = whole_frame(landmarks.size)
    side = 2 * max(round(MARGIN * max(right - left, bottom - top) / 2), 8)
    if side >= full.side:
        return full
    return Square(round((left + right - side) / 2), round((top + bottom - side) / 2), side)


def _box(one: Silhouette) -> tuple[float, float, float, float] | None:
    """Return (left, top, right, bottom) of a silhouette in pixels of the frame."""
    inside = one.foreground[0] > SURE
    if not inside.any():
        return None
    columns, rows = (torch.nonzero(inside.any(dim=dim)).flatten().tolist() for dim in (0, 1))
    x, y = one.origin
    return (
        x + columns[0] / one.scale,
        y + rows[0] / one.scale,
        x + (columns[-1] + 1) / one.scale,
        y + (rows[-1] + 1) / one.scale,
    )


def crop_motion(motion: Motion, crop: Square, size: int) -> Motion:
    """Return the motion in pixels of the crop."""
    left, top, side = crop
    factor = size / side
    corner = motion.translation.new_tensor([left, top])
    return replace(
        motion,
        scale=motion.scale * factor,
        translation=(motion.translation - corner) * factor,
        size=(size, size),
    )


def refine_foreground(
    rough: Float[np.ndarray, "h w"], picture: Picture
) -> UInt8[np.ndarray, "h w"]:
    """Draw a rough foreground to the edges of the picture; return it as 0..255."""
    radius = max(2, round(max(rough.shape) / 64))
    soft = cv2.ximgproc.guidedFilter(picture, rough.astype(np.float32), radius, 20.0)
    sharp = ((soft - 0.5) * 2 + 0.5).clip(0, 1)
    return (sharp * 255 + 0.5).astype(np.uint8)


class CroppedClip:
    """The frames and foregrounds of a clip, cropped to one square."""

    def __init__(
        self, frames: Iterable[Picture], detection: Detection, crop: Square, size: int
    ) -> None:
        self.frames, self.crop, self.size = frames, crop, size
        self._silhouettes = detection.silhouettes
        self._places = {one.frame: place for place, one in enumerate(detection.silhouettes)}

    def __iter__(self) -> Iterator[Pair]:
        """Yield all frames with their foregrounds."""
        for number, picture in enumerate(self.frames):
            yield self._pair(number, picture)

    def frame_views(self) -> Iterator[FrameView]:
        """Yield what makes each frame as tensors."""
        for number, picture in enumerate(self.frames):
            yield partial(self._tensors, number, picture)

    def _tensors(self, number: int, picture: Picture) -> tuple[Image, Foreground]:
        square, grey = self._pair(number, picture)
        return to_frames([square])[0], torch.from_numpy(grey.astype(np.float32) / 255)[None]

    def _pair(self, number: int, picture: Picture) -> Pair:
        (left, top, side), size = self.crop, (self.size, self.size)
        square = cut_out(picture, (left, top), (side, side), size)
        if number not in self._places:
            return square, np.zeros(size, np.uint8)
        silhouette = self._silhouettes[self._places[number]]
        rough = silhouette.on((float(left), float(top)), side / self.size, size)
        return square, refine_foreground(rough, square)


def refine_seen(body: SkinnedBody, motion: Motion, detection: Detection) -> Motion:
    """Refine the fit of a clip in the views of the person that its detection kept."""
    return refine_views(body, motion, _fits_and_views(motion, detection))


def _fits_and_views(
    motion: Motion, detection: Detection
) -> Iterator[tuple[int, Motion, FrameView]]:
    silhouettes = detection.silhouettes
    for view in detection.views:
        place = bisect_left(silhouettes, view.frame, key=lambda one: one.frame)
        picture = view.picture()
        square = Square(*view.origin, round(len(picture) / view.scale))
        fit = crop_motion(motion[view.frame : view.frame + 1], square, len(picture))
        yield view.frame, fit, partial(_seen, picture, silhouettes[place], view)


def _seen(picture: Picture, silhouette: Silhouette, view: PersonView) -> tuple[Image, Foreground]:
    x, y = view.origin
    size = len(picture), len(picture)
    rough = silhouette.on((float(x), float(y)), 1 / view.scale, size)
    grey = refine_foreground(rough, picture)
    return to_frames([picture])[0], torch.from_numpy(grey.astype(np.float32) / 255)[None]
