"""A soft shadow where the feet meet the ground, on the photo's own background.

As dark as the photo's ground is around the feet against the completed background without them.
A foot that leaves the ground leaves its shadow there, wider and fainter.
"""

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody
from bdmm.records import KEYPOINT_NAMES, Motion, Source
from bdmm.shapes import Frames, Image

Shadow = Literal["contact", "none"]

_FEET = [
    [KEYPOINT_NAMES.index(f"{side}_{point}") for point in ("big_toe", "small_toe", "heel")]
    for side in ("left", "right")
]
_SOLE = (0.03, 0.012)
"""Metres of sole around toes and heel, across and down the picture."""
_DARKNESS = (0.35, 0.6)
"""Least and greatest share of the light that is taken away on the ground under a foot."""
_AROUND, _OFF = 0.06, 0.015
"""Metres around the feet in which the photo's shadow is measured, and from their rim on."""
_SOFT, _SPREAD = 0.025, 0.3
"""Standard deviation in metres of the rim of a foot on the ground, and its growth per metre."""
_TILT = 0.06
"""Metres that a foot may be above the other in the picture because it is farther away."""
_FADE = 0.15
"""Metres above the ground at which a shadow is fainter by the factor e."""
_JUMP = 0.5
"""Seconds before and after in which the lowest foot stood on the ground."""


class ContactShadow:
    """The shadow of a person's feet in a motion.

    Args:
        source: the first photo.
        motion: retargeted to it.
    """

    def __init__(self, body: SkinnedBody, source: Source, motion: Motion) -> None:
        self.background = source.background
        self._feet = _feet(body, motion)
        self._scale = motion.scale.cpu().numpy()
        self._ground = _ground(self._feet, float(motion.fps)).numpy()
        self._darkness = _darkness(source, _feet(body, source.pose)[0].numpy())

    def background_of(self, part: slice) -> Frames:
        """Return the background of some frames, with the shadow."""
        count = len(self._feet[part])
        frames = self.background.expand(count, -1, -1, -1).clone()
        for t, frame in zip(range(part.start, part.start + count), frames, strict=True):
            for foot in self._feet[t].numpy():
                _lay(frame, self._print(foot, t), self._rim(foot, t), self._strength(foot, t))
        return frames

    def _height(self, foot: Float[np.ndarray, "3 2"], t: int) -> float:
        """Return metres above the ground, but for what may be distance."""
        above = float(self._ground[t] - foot[:, 1].max()) / float(self._scale[t])
        return max(above - _TILT, 0.0)

    def _print(self, foot: Float[np.ndarray, "3 2"], t: int) -> Float[np.ndarray, "n 2"]:
        """Return the outline of the sole on the ground, in pixels."""
        down = np.array([0.0, self._height(foot, t)])
        around = np.array([(x, y) for x in (-_SOLE[0], _SOLE[0]) for y in (-_SOLE[1], _SOLE[1])])
        points = foot[:, None] + float(self._scale[t]) * (around + down)
        return cv2.convexHull(points.reshape(-1, 2).astype(np.float32))[:, 0]

    def _rim(self, foot: Float[np.ndarray, "3 2"], t: int) -> float:
        return float(self._scale[t]) * (_SOFT + _SPREAD * self._height(foot, t))

    def _strength(self, foot: Float[np.ndarray, "3 2"], t: int) -> float:
        return self._darkness * float(np.exp(-self._height(foot, t) / _FADE))


def stands_in_photo(body: SkinnedBody, source: Source) -> bool:
    """Tell whether a photo shows both feet of the person on the ground."""
    lowest = float(_feet(body, source.pose)[..., 1].max())
    return lowest < source.pose.size[0] and not bool((source.foreground[0, -1] > 0.5).any())


def shaded_backgrounds(
    body: SkinnedBody, source: Source, motion: Motion, windows: Iterator[slice]
) -> Iterator[Frames] | None:
    """Return the photo's background with the feet's shadow, for each window.

    Returns:
        None where the photo does not show the feet: nobody knows the ground.
    """
    if not stands_in_photo(body, source):
        return None
    shadow = ContactShadow(body, source, motion)
    return (shadow.background_of(window) for window in windows)


def _feet(body: SkinnedBody, motion: Motion) -> Float[Tensor, "t 2 3 2"]:
    """Return the toes and heels in pixels."""
    points = body.keypoints(motion.shape, motion.rotations)
    return project(points, motion.scale, motion.translation)[:, _FEET, :2].cpu()


def _ground(feet: Float[Tensor, "t 2 3 2"], fps: float) -> Float[Tensor, "t"]:
    """Return the row of the ground: that of the lowest foot of the time around, smoothed."""
    reach = max(1, round(_JUMP * fps))
    ends = (reach, reach)
    lowest = feet[..., 1].amax(dim=(1, 2))[None]
    lowest = functional.pad(lowest, ends, mode="replicate")
    lowest = functional.max_pool1d(lowest, 2 * reach + 1, stride=1)
    return functional.avg_pool1d(functional.pad(lowest, ends, mode="replicate"), 2 * reach + 1, 1)[
        0
    ]


def _darkness(source: Source, feet: Float[np.ndarray, "2 3 2"]) -> float:
    """Return the share of the light that the photo's own shadow takes away around the feet."""
    scale, person = float(source.pose.scale[0]), source.foreground[0].cpu().numpy()
    soles = np.zeros(person.shape, np.uint8)
    for foot in feet:
        cv2.fillConvexPoly(soles, cv2.convexHull(foot.astype(np.int32)), (1,))
    near = cv2.distanceTransform(1 - soles, cv2.DIST_L2, 5) < _AROUND * scale
    body = (person > 0.05).astype(np.uint8)
    off = cv2.distanceTransform(1 - body, cv2.DIST_L2, 5) > max(_OFF * scale, 2)
    ring = torch.from_numpy(near & off)
    if int(ring.sum()) < 8:
        return _DARKNESS[0]
    pictures = (source.image, source.background)
    seen, empty = (picture.cpu().mean(dim=0)[ring] + 1.05 for picture in pictures)
    lost = 1 - (seen / empty).quantile(0.1)
    return float(lost.clamp(*_DARKNESS))


def _lay(frame: Image, outline: Float[np.ndarray, "n 2"], rim: float, strength: float) -> None:
    """Darken a frame under an outline with a soft rim, in place."""
    reach = int(np.ceil(3 * rim))
    left, top = np.floor(outline.min(axis=0)).astype(int) - reach
    right, bottom = np.ceil(outline.max(axis=0)).astype(int) + reach + 1
    rows = slice(max(top, 0), min(bottom, frame.shape[1]))
    columns = slice(max(left, 0), min(right, frame.shape[2]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    shade = np.zeros((bottom - top, right - left), np.float32)
    corners = np.round(16 * (outline - (left, top) - 0.5)).astype(np.int32)
    cv2.fillConvexPoly(shade, corners, (1.0,), cv2.LINE_8, 4)
    shade = strength * cv2.GaussianBlur(shade, (0, 0), max(rim, 0.5))
    inner = shade[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    part = frame[:, rows, columns]
    part.copy_((part + 1) * (1 - torch.from_numpy(inner).to(part)) - 1)
