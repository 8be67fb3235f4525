"""A soft shadow where the feet meet the ground, on the photo's own background.

As dark, as soft and falling to the same side as the photo's own: these three are fitted to the
light that its ground lacks around the feet, against the completed background. A foot that leaves
the ground leaves its shadow there, wider and fainter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from bdmm.shapes import Frames

Shadow = Literal["contact", "none"]

_FEET = [
    [KEYPOINT_NAMES.index(f"{side}_{point}") for point in ("big_toe", "small_toe", "heel")]
    for side in ("left", "right")
]
_SOLE = (0.03, 0.012)
"""Metres of sole around toes and heel, across and down the picture."""
_DARKNESS = (0.15, 0.6)
"""Least and greatest share of the light that is taken away on the ground under a foot."""
_UNSEEN = 0.3
"""That share where the ground around the feet is not seen."""
_AROUND, _OFF = 0.25, 0.015
"""Metres around the feet in which the photo's shadow is measured, and from their rim on."""
_FINE = 120.0
"""Pixels per metre at which it is fitted."""
_RIMS, _SPREAD = (0.025, 0.015, 0.05), 0.3
"""Standard deviations in metres of the rim of a foot on the ground, the usual one first; and their
growth per metre above it."""
_SLOPES = tuple(
    (reach * right, 0.4 * reach * down)
    for reach in (0.8, 1.6)
    for right, down in ((1, 0), (0.7, 0.7), (0, 1), (-0.7, 0.7), (-1, 0), (-0.7, -0.7), (0.7, -0.7))
)
"""Where a shadow may lie, in metres right and down the picture per metre above the ground."""
_LEG = 0.1
"""Metres of foot and leg that cast a shadow."""
_GAIN = 0.75
"""Share of the usual shadow's squared error that another one must get below."""
_TILT = 0.06
"""Metres that a foot may be above the other in the picture because it is farther away."""
_FADE = 0.15
"""Metres above the ground at which a shadow is fainter by the factor e."""
_JUMP = 0.5
"""Seconds before and after in which the lowest foot stood on the ground."""


@dataclass(frozen=True)
class GroundLight:
    """How the ground of a photo is shaded.

    Attributes:
        darkness: share of the light that is taken away under a foot.
        slope: metres to the right and down the picture by which the shadow of a point lies aside,
            per metre that it is above the ground.
        rim: standard deviation in metres of the shadow's rim.
    """

    darkness: float = _UNSEEN
    slope: tuple[float, float] = (0.0, 0.0)
    rim: float = _RIMS[0]


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
        self.light = fit_light(source, _feet(body, source.pose)[0].numpy())

    def background_of(self, part: slice) -> Frames:
        """Return the background of some frames, with the shadow."""
        count = len(self._feet[part])
        frames = self.background.expand(count, -1, -1, -1).clone()
        for t, frame in zip(range(part.start, part.start + count), frames, strict=True):
            for foot in self._feet[t].numpy():
                height, scale = self._height(foot, t), float(self._scale[t])
                outline = _outline(foot, height, scale, self.light.slope)
                strength = self.light.darkness * float(np.exp(-height / _FADE))
                _lay(frame, outline, scale * (self.light.rim + _SPREAD * height), strength)
        return frames

    def _height(self, foot: Float[np.ndarray, "3 2"], t: int) -> float:
        """Return metres above the ground, but for what may be distance."""
        above = float(self._ground[t] - foot[:, 1].max()) / float(self._scale[t])
        return max(above - _TILT, 0.0)


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


def fit_light(source: Source, feet: Float[np.ndarray, "2 3 2"]) -> GroundLight:
    """Return the shadow of feet that explains best what light the ground around them lacks.

    Args:
        feet: toes and heels in the photo, in pixels.
    """
    scale = float(source.pose.scale[0])
    shrink = min(1.0, _FINE / scale)
    # Where the ground is seen around the feet, and the light that it lacks.
    reach = _AROUND * scale
    left, top = np.floor(feet.min(axis=(0, 1)) - reach).astype(int).clip(0)
    right, bottom = np.ceil(feet.max(axis=(0, 1)) + reach).astype(int)
    box = (..., slice(top, bottom), slice(left, right))
    body = (source.foreground[0].cpu()[box].numpy() > 0.05).astype(np.uint8)
    if not body.size:
        return GroundLight()
    off = cv2.distanceTransform(1 - body, cv2.DIST_L2, 5) > max(_OFF * scale, 2)
    seen, empty = (
        p.cpu()[box].mean(dim=0).numpy() + 1.05 for p in (source.image, source.background)
    )
    lost = (1 - seen / empty).clip(0, 1)
    ground, lost = (
        cv2.resize(one.astype(np.float32), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        for one in (off, lost * off)
    )
    if ground.sum() < 16:
        return GroundLight()

    def tried(light: GroundLight) -> tuple[float, GroundLight]:
        """Return the squared error that a shadow leaves, and the shadow as dark as fits best."""
        frame = torch.ones(1, *ground.shape)
        for foot in feet:
            outline = _outline((foot - (left, top)) * shrink, 0.0, scale * shrink, light.slope)
            _lay(frame, outline, scale * shrink * light.rim, 1.0)
        shade = (1 - frame[0].numpy()) / 2 * ground
        darkness = float((shade * lost).sum() / (shade**2).sum().clip(1e-6))
        return float(((lost - darkness * shade) ** 2).sum()), replace(light, darkness=darkness)

    usual, *others = [
        tried(GroundLight(slope=slope, rim=rim))
        for slope in ((0.0, 0.0), *_SLOPES)
        for rim in _RIMS
    ]
    best = min(others, key=lambda one: one[0])
    light = best[1] if best[0] < _GAIN * usual[0] else usual[1]
    return replace(light, darkness=min(max(light.darkness, _DARKNESS[0]), _DARKNESS[1]))


def _outline(
    foot: Float[np.ndarray, "3 2"], height: float, scale: float, slope: tuple[float, float]
) -> Float[np.ndarray, "n 2"]:
    """Return the outline in pixels of a foot's shadow on the ground.

    Args:
        foot: toes and heel in pixels.
        height: metres above the ground.
        scale: pixels per metre.
        slope: see `GroundLight`.
    """
    around = np.array([(x, y) for x in (-_SOLE[0], _SOLE[0]) for y in (-_SOLE[1], _SOLE[1])])
    sole = (foot[:, None] + scale * (around + np.array([0.0, height]))).reshape(-1, 2)
    cast = [sole + scale * above * np.array(slope) for above in (height, height + _LEG)]
    return cv2.convexHull(np.concatenate(cast).astype(np.float32))[:, 0]


def _lay(
    frame: Float[Tensor, "c h w"], outline: Float[np.ndarray, "n 2"], rim: float, strength: float
) -> None:
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
