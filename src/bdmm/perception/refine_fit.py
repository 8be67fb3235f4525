"""Fit refinement: a trained network compares the drawn body with the picture, the fit is corrected.

Keypoints and outlines leave some of the fit open: where a shoulder is inside a coat, how far a
torso is turned. The network knows the points of the shipped body only; fits of other bodies stay
unrefined.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from bdmm.body.model import BODIES, SkinnedBody
from bdmm.body.rasterize import rasterize
from bdmm.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from bdmm.media.prefetch import mapped
from bdmm.perception.fit_refiner import SIDE, FitRefiner, load_refiner, picture_fit
from bdmm.perception.silhouette import spread_vertices
from bdmm.perception.surface_solve import DisplacementTargets, solve
from bdmm.records import BONE_NAMES, Motion
from bdmm.shapes import Foreground, Image

FrameView = Callable[[], tuple[Image, Foreground]]
"""A lazy loader of a frame and its foreground."""
DAMPING = 0.5
"""Factor on each displacement that the network sees: it was trained on rendered people only."""
PHOTO_ROUNDS = 2
"""Rounds of network and solve for a photo: after two, damping leaves a quarter of the error."""
EVERY = 2
"""Every N-th frame of a clip is refined by default."""
SMOOTHING = 3.0
"""Standard deviation in frames of the smoothing of corrections over time."""
SMALLEST_PERSON = 0.005
"""Share of a clip's frame that the person must fill to be refined: 18 pixels square at 256."""
_AT_ONCE = 1024
"""Frames that are corrected at once: memory doesn't grow with the square of a clip's length."""
_REACH = round(30 * SMOOTHING)
"""Frames beyond which a correction's weight vanishes in float32 next to a nearer one's."""
_SPACING = 0.05
"""Metres between the displaced points of the surface: 4 to 5 pixels at the fit's 160."""


def refine_photo(
    body: SkinnedBody,
    pose: Motion,
    image: Image,
    foreground: Foreground,
    free_shape: bool = True,
) -> Motion:
    """Return the refined fit of a photo, pose and shape.

    Args:
        pose: the fit, a motion of one frame in pixels of the photo.
        free_shape: False: its shape stays.
    """
    if body.name not in BODIES:
        return pose
    refine = _Refiner(body, _shipped(), free_shape)
    for _ in range(PHOTO_ROUNDS):
        pose = refine(pose, image, foreground)
    return pose


def refine_motion(
    body: SkinnedBody, motion: Motion, frames: Iterable[FrameView], every: int = EVERY
) -> Motion:
    """Return the refined fit of a clip; its shape stays.

    Corrections are smoothed over time. Flagged frames are not refined themselves.

    Args:
        frames: of the whole clip, taken one by one and loaded only where they are refined.
        every: refine every N-th frame, and the last one.
    """
    views = (
        (index, motion[index : index + 1], view)
        for index, view in zip(range(len(motion)), frames, strict=False)
        if index % every == 0 or index == len(motion) - 1
    )
    return refine_views(body, motion, views)


def refine_views(
    body: SkinnedBody, motion: Motion, views: Iterable[tuple[int, Motion, FrameView]]
) -> Motion:
    """Return the refined fit of a clip of which some frames can be seen, each in its own view.

    Args:
        views: number of the frame, its fit in pixels of the view, and the view.
    """
    if body.name not in BODIES:
        return motion
    refine = _Refiner(body, _shipped(), free_shape=False)

    def found(seen: tuple[int, Motion, FrameView]) -> tuple[int, _Change] | None:
        index, before, view = seen
        if bool(motion.flagged[index]):
            return None
        image, foreground = view()
        if float((foreground > 0.5).float().mean()) <= SMALLEST_PERSON:
            return None
        return index, _change(before, refine(before, image, foreground))

    changes = [one for one in mapped(found, views) if one is not None]
    return _corrected(motion, *zip(*changes, strict=True)) if changes else motion


_Change = tuple[Tensor, Tensor, Tensor]
"""Rotation vectors, logarithms of the growth and moves in metres from one fit to another."""


def _change(before: Motion, after: Motion) -> _Change:
    return (
        matrix_to_axis_angle(before.rotations.mT @ after.rotations),
        (after.scale / before.scale).log(),
        (after.translation - before.translation) / before.scale[:, None],
    )


def _corrected(motion: Motion, refined: Sequence[int], changes: Sequence[_Change]) -> Motion:
    """Change all frames by Gaussian means over time of the refined frames' changes."""
    parts = []
    for start in range(0, len(motion), _AT_ONCE):
        part = motion[start : start + _AT_ONCE]
        # One refined frame beyond the reach on each side, which counts where none is nearer.
        first = max(bisect_left(refined, start - _REACH) - 1, 0)
        last = bisect_left(refined, start + len(part) + _REACH) + 1
        near = torch.tensor(refined[first:last]) - start
        turns, growths, moves = (torch.cat(one) for one in zip(*changes[first:last], strict=True))
        distance = torch.arange(len(part))[:, None] - near
        # The softmax normalises; far from all refined frames the nearest one counts.
        weight = torch.softmax(-0.5 * (distance / SMOOTHING).square(), dim=1)
        turn = (weight @ turns.flatten(1)).unflatten(1, turns.shape[1:])
        parts.append(
            replace(
                part,
                rotations=part.rotations @ axis_angle_to_matrix(turn),
                scale=part.scale * (weight @ growths).exp(),
                translation=part.translation + weight @ moves * part.scale[:, None],
            )
        )
    return replace(
        motion,
        rotations=torch.cat([one.rotations for one in parts]),
        scale=torch.cat([one.scale for one in parts]),
        translation=torch.cat([one.translation for one in parts]),
    )


class _Refiner:
    """One round of refinement: network, then solve."""

    def __init__(self, body: SkinnedBody, network: FitRefiner, free_shape: bool) -> None:
        self.body, self.network, self.free_shape = body, network, free_shape
        rest = torch.eye(3).expand(len(BONE_NAMES), 3, 3)
        surface = body.vertices(torch.zeros(body.shape_size), rest)
        self.vertices = spread_vertices(surface, _SPACING)
        rasterize(surface[None], body.faces, (1, 1))  # compiled once, before threads ask for it

    def __call__(self, pose: Motion, image: Image, foreground: Foreground) -> Motion:
        picture = picture_fit(self.body, pose, image, foreground)
        with torch.no_grad():
            field = self.network(picture.maps[None])[0] * (DAMPING * picture.side / SIDE)
            shift = picture.sampled(field, picture.vertices[self.vertices, :2])
        seen = picture.seen(self.vertices)
        targets = DisplacementTargets(self.vertices, shift[None], seen[None])
        return solve(self.body, pose, targets, self.free_shape)


@cache
def _shipped() -> FitRefiner:
    return load_refiner()
