"""Retargeting: the driver's motion on the source's own body, in pixels of the source's photo."""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import BodyModel, load_body
from bdmm.errors import InputError
from bdmm.records import BONE_NAMES, Motion

Root = Literal["relative", "absolute", "fixed"]
_MARGIN = 0.08
"""Share of the photo's sides that the pelvis keeps clear of when it travels."""
_TALLEST = 1.1
"""Height that the person may grow to by coming closer, as a share of the photo's height."""


def retarget(
    driving: Motion, source: Motion, root: Root = "relative", body: BodyModel | None = None
) -> Motion:
    """Put the driver's motion on the source's body.

    The result has the source's shape, its size in the photo and its ground; from the driver come
    the bones' local rotations (bone 0, how the body stands to the camera, included), and:

    - ``relative``: where it goes from its first trusted frame on, in leg lengths, and how its size
      changes as it nears or leaves the camera. The start is the photo's place, feet on the photo's
      ground however bent the driver's first frame is. Travel that would take the pelvis out of the
      photo, or the person far beyond its height, is compressed as a whole.
    - ``absolute``: its place in its own frame (pelvis across, lowest point down), the frame fitted
      into the photo; the size as in ``relative``.
    - ``fixed``: nothing else. The pelvis keeps its column, the lowest point the photo's ground.

    Args:
        driving: the motion to carry over, any length.
        source: the fitted body of the photo, a motion of one frame.
        root: what to do with the driver's place, as above.
        body: the body that both belong to; by default the shipped one that they name.

    Raises:
        InputError: the two belong to different bodies.
    """
    if driving.body != source.body:
        raise InputError(
            f"The motion was made for the body {driving.body!r} but the photo was fitted with "
            f"{source.body!r}; extract the motion again with the same body."
        )
    assert len(source) == 1
    if root not in ("relative", "absolute", "fixed"):
        raise InputError(f"root must be relative, absolute or fixed, not {root!r}.")
    body = body or load_body(source.body)
    start = _first_trusted(driving)
    growth = torch.ones_like(driving.scale)
    if root != "fixed":
        growth = _bounded_growth(driving.scale / driving.scale[start], source, body)
    moved = replace(
        driving, shape=source.shape, size=source.size, scale=source.scale * growth
    )
    place = {"relative": _relative, "absolute": _absolute, "fixed": _fixed}[root]
    return replace(moved, translation=place(driving, source, moved, body))


def _relative(driving: Motion, source: Motion, moved: Motion, body: BodyModel) -> Tensor:
    start = _first_trusted(driving)
    legs = source.scale * _leg(source, body) / (driving.scale[start] * _leg(driving, body))
    travel = legs * (driving.translation - driving.translation[start])
    here = source.translation[0].clone()
    if _stands_in_photo(source, body):
        here[1] = _ground(source, body) - _lowest(moved[start : start + 1], body)[0]
    return here + _bounded_travel(travel, here, source.size)


def _absolute(driving: Motion, source: Motion, moved: Motion, body: BodyModel) -> Tensor:
    height, width = source.size
    driver_height, driver_width = driving.size
    fit = min(height / driver_height, width / driver_width)
    centre = driving.translation.new_tensor([driver_width, driver_height]) / 2
    spot = driving.translation.clone()
    spot[:, 1] += _lowest(driving, body)
    spot = (spot - centre) * fit + spot.new_tensor([width, height]) / 2
    spot[:, 1] -= _lowest(moved, body)
    return spot


def _fixed(driving: Motion, source: Motion, moved: Motion, body: BodyModel) -> Tensor:
    place = source.translation.expand(len(driving), 2).clone()
    if _stands_in_photo(source, body):
        place[:, 1] = _ground(source, body) - _lowest(moved, body)
    return place


def _first_trusted(motion: Motion) -> int:
    trusted = torch.nonzero(~motion.flagged).flatten().tolist()
    return trusted[0] if trusted else 0


def _leg(motion: Motion, body: BodyModel) -> Float[Tensor, ""]:
    """Return the length of the mover's legs in metres, hip to ankle, whatever the pose."""
    joints = body.joints(motion.shape)
    hip, knee, ankle = (
        joints[[BONE_NAMES.index(f"left_{name}"), BONE_NAMES.index(f"right_{name}")]]
        for name in ("hip", "knee", "ankle")
    )
    return ((hip - knee).norm(dim=-1) + (knee - ankle).norm(dim=-1)).mean()


def _lowest(motion: Motion, body: BodyModel) -> Float[Tensor, "t"]:
    """Return how many pixels below the pelvis the body's lowest keypoint is."""
    points = body.keypoints(motion.shape, motion.rotations)
    return motion.scale * points[..., 1].amax(dim=-1)


def _ground(source: Motion, body: BodyModel) -> Float[Tensor, ""]:
    return source.translation[0, 1] + _lowest(source, body)[0]


def _stands_in_photo(source: Motion, body: BodyModel) -> bool:
    """Whether the photo shows the ground that the person stands on, so that the fit knows it."""
    return bool(_ground(source, body) <= 1.02 * source.size[0])


def _bounded_travel(
    travel: Float[Tensor, "t 2"], start: Float[Tensor, "2"], size: tuple[int, int]
) -> Float[Tensor, "t 2"]:
    """Compress travel along each axis so that the pelvis stays inside the photo."""
    room = start.new_tensor([size[1], size[0]])
    ahead = ((1 - _MARGIN) * room - start).clamp(min=0)
    behind = (start - _MARGIN * room).clamp(min=0)
    furthest, least = travel.amax(dim=0), travel.amin(dim=0)
    factor = torch.minimum(
        torch.where(furthest > ahead, ahead / furthest, 1.0),
        torch.where(-least > behind, behind / -least, 1.0),
    )
    return travel * factor


def _bounded_growth(
    growth: Float[Tensor, "t"], source: Motion, body: BodyModel
) -> Float[Tensor, "t"]:
    """Compress changes of size so that the person stays within the photo's height."""
    joints = body.joints(source.shape)
    height = source.scale[0] * (joints[:, 1].amax() - joints[:, 1].amin())
    allowed = (_TALLEST * source.size[0] / height).clamp(min=1.0)
    most = growth.amax()
    if most <= allowed:
        return growth
    return growth ** (allowed.log() / most.log())
