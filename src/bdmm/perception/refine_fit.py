"""A second look at fits: a trained network sees body and picture together, and the body follows.

Keypoints and outlines leave room: where a shoulder is inside a coat, how far a torso is turned.
The network knows the points of the shipped body alone; fits of other bodies stay as they are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bdmm.body.model import BODIES, SkinnedBody
from bdmm.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from bdmm.perception.fit_refiner import SIDE, FitRefiner, load_refiner, picture_fit
from bdmm.perception.silhouette import spread_vertices
from bdmm.perception.surface_solve import Pull, follow
from bdmm.records import BONE_NAMES, Motion
from bdmm.shapes import Foreground, Image

BELIEVED = 0.5
"""Share of each way that the network sees: it learned from rendered people only."""
FrameView = Callable[[], tuple[Image, Foreground]]
"""Makes a frame and its foreground."""
PHOTO_LOOKS = 2
"""How often the network looks at a photo and the body follows."""
EVERY = 2
"""One of so many frames of a clip is looked at, unless told otherwise."""
CALM = 2.0
"""Frames, standard deviation, over which corrections are smoothed."""
LEAST = 0.005
"""Share of a clip's frame that the person must fill to be looked at."""
_SPACING = 0.05
"""Metres between the points of the surface that are pulled."""


def refine_photo(
    body: SkinnedBody,
    pose: Motion,
    image: Image,
    foreground: Foreground,
    network: FitRefiner | None = None,
) -> Motion:
    """Return the fit of a photo, pose and shape, after a second look.

    Args:
        body: that was fitted.
        pose: the fit, a motion of one frame in pixels of the photo.
        image: the photo.
        foreground: where the person is.
        network: the one that ships if None.
    """
    if body.name not in BODIES:
        return pose
    for _ in range(PHOTO_LOOKS):
        pose = _follow_look(body, pose, image, foreground, network or _shipped(), free_shape=True)
    return pose


def refine_motion(
    body: SkinnedBody,
    motion: Motion,
    frames: Iterable[FrameView],
    network: FitRefiner | None = None,
    every: int = EVERY,
) -> Motion:
    """Return the fit of a clip after a second look; its shape stays.

    Corrections are smoothed over time. Flagged frames are not looked at.

    Args:
        body: that was fitted.
        motion: the fit, in pixels of the frames.
        frames: all of them, made only where they are looked at; taken one by one.
        network: the one that ships if None.
        every: one of so many frames is looked at.
    """
    if body.name not in BODIES:
        return motion
    network = network or _shipped()
    places: list[int] = []
    found: list[_Correction] = []
    for place, look in zip(range(len(motion)), frames, strict=False):
        wanted = place % every == 0 or place == len(motion) - 1
        if not wanted or bool(motion.flagged[place]):
            continue
        image, foreground = look()
        if not _shows_person(foreground):
            continue
        before = motion[place : place + 1]
        after = _follow_look(body, before, image, foreground, network, free_shape=False)
        places.append(place)
        found.append(_Correction.between(before, after))
    if not places:
        return motion
    return _Correction.smoothed(found, torch.tensor(places), len(motion)).applied(motion)


@dataclass(frozen=True)
class _Correction:
    """What is changed of ``t`` frames.

    Attributes:
        turn: ``t 24 3`` radians about the axes of the joints as they were.
        growth: ``t`` logarithm of the factor on the size.
        move: ``t 2`` metres.
    """

    turn: Float[Tensor, "t n 3"]
    growth: Float[Tensor, "t"]
    move: Float[Tensor, "t 2"]

    @classmethod
    def between(cls, before: Motion, after: Motion) -> "_Correction":
        """Return what takes one motion to the other."""
        return cls(
            matrix_to_axis_angle(before.rotations.mT @ after.rotations),
            (after.scale / before.scale).log(),
            (after.translation - before.translation) / before.scale[:, None],
        )

    @classmethod
    def smoothed(
        cls, found: list["_Correction"], places: Int[Tensor, "m"], count: int
    ) -> "_Correction":
        """Return the corrections of all frames: Gaussian means of those of some frames."""
        apart = torch.arange(count)[:, None] - places
        # Far from all of them the nearest one counts.
        weight = torch.softmax(-0.5 * (apart / CALM).square(), dim=1)

        def mean(name: str) -> Tensor:
            values = torch.cat([getattr(one, name) for one in found])
            return (weight.to(values) @ values.flatten(1)).unflatten(1, values.shape[1:])

        growth = weight @ torch.cat([one.growth for one in found])
        return cls(mean("turn"), growth, mean("move"))

    def applied(self, motion: Motion) -> Motion:
        """Return the motion with all of it changed."""
        return replace(
            motion,
            rotations=motion.rotations @ axis_angle_to_matrix(self.turn),
            scale=motion.scale * self.growth.exp(),
            translation=motion.translation + self.move * motion.scale[:, None],
        )


def _follow_look(
    body: SkinnedBody,
    pose: Motion,
    image: Image,
    foreground: Foreground,
    network: FitRefiner,
    free_shape: bool,
) -> Motion:
    picture = picture_fit(body, pose, image, foreground)
    vertices = _pulled_vertices(body)
    with torch.no_grad():
        field = network(picture.maps[None])[0] * (BELIEVED * picture.side / SIDE)
        shift = picture.sampled(field, picture.vertices[vertices, :2])
    pull = Pull(vertices, shift[None], picture.seen(vertices)[None])
    return follow(body, pose, pull, free_shape)


def _shows_person(foreground: Foreground) -> bool:
    return float((foreground > 0.5).float().mean()) > LEAST


_KNOWN_VERTICES: WeakKeyDictionary[SkinnedBody, Int[Tensor, "p"]] = WeakKeyDictionary()


def _pulled_vertices(body: SkinnedBody) -> Int[Tensor, "p"]:
    if body in _KNOWN_VERTICES:
        return _KNOWN_VERTICES[body]
    rest = torch.eye(3).expand(len(BONE_NAMES), 3, 3)
    spread = spread_vertices(body.vertices(torch.zeros(body.shape_size), rest), _SPACING)
    return _KNOWN_VERTICES.setdefault(body, spread)


@cache
def _shipped() -> FitRefiner:
    return load_refiner()
