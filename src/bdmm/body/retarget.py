"""Retargeting: the driving motion on the source's own body, in pixels of the source's photo."""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bdmm.body.model import SkinnedBody, load_body
from bdmm.errors import InputError
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES, Motion

Root = Literal["relative", "absolute", "fixed"]
_MARGIN = 0.08
"""Share of the photo's width that the pelvis keeps clear of its sides when it travels."""
_CUT = 0.03
"""Share of the photo's height that may be cut off from head or feet."""
_SKULL = 0.12
"""Metres from the eyes to the top of the head."""
_HEAD = [KEYPOINT_NAMES.index(name) for name in ("nose", "left_eye", "right_eye")]
_STEPS = 20
"""Shares of travel and growth that are tried: in steps of 5 %."""
_SETTLING = 0.5
"""Seconds over which the limit on travel and growth sets in."""


def retarget(
    driving: Motion, source: Motion, root: Root = "relative", body: SkinnedBody | None = None
) -> Motion:
    """Put the driving motion on the source's body.

    The result has the source's shape, its size in the photo and its ground. The driving motion
    gives the bones' local rotations (bone 0, how the body stands to the camera, included), and:

    - ``relative``: where it goes from its first trusted frame on, in leg lengths, and how its size
      changes as it nears or leaves the camera. The start is the photo's place, feet on the photo's
      ground however bent the first driving frame is. Travel and growth that would take the head or
      the feet out of the photo are limited; sideways travel that would take the pelvis out is
      compressed as a whole.
    - ``absolute``: its place in its own frame (pelvis across, lowest point down), the frame fitted
      into the photo; the size as in ``relative``.
    - ``fixed``: nothing else. The pelvis keeps its column, the lowest point the photo's ground.

    Args:
        source: the fitted body of the photo, a motion of one frame.
        root: where the result goes, as above.

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
    moved = replace(
        driving,
        shape=source.shape,
        size=source.size,
        scale=source.scale.expand(len(driving)),
        translation=source.translation.expand(len(driving), 2),
    )
    move = {"relative": _relative, "absolute": _absolute, "fixed": _fixed}[root]
    return move(driving, source, moved, body)


def _relative(driving: Motion, source: Motion, standing: Motion, body: SkinnedBody) -> Motion:
    start = _first_trusted(driving)
    legs = source.scale * leg_length(body, source.shape)
    legs = legs / (driving.scale[start] * leg_length(body, driving.shape))
    travel = legs * (driving.translation - driving.translation[start])
    here = source.translation[0].clone()
    if _stands_in_photo(source, body):
        here[1] = _ground(source, body) - _lowest(standing[start : start + 1], body)[0]
    across = _share_across(travel[:, 0], here[0], source.size[1])
    moved = replace(
        standing,
        scale=source.scale * driving.scale / driving.scale[start],
        translation=here + travel * torch.stack([across, torch.ones_like(across)]),
    )
    return _kept_in_height(moved, replace(standing, translation=here.expand_as(travel)), body)


def _absolute(driving: Motion, source: Motion, standing: Motion, body: SkinnedBody) -> Motion:
    height, width = source.size
    driving_height, driving_width = driving.size
    fit = min(height / driving_height, width / driving_width)
    centre = driving.translation.new_tensor([driving_width, driving_height]) / 2
    growth = driving.scale / driving.scale[_first_trusted(driving)]
    moved = replace(standing, scale=source.scale * growth)
    feet = driving.translation.clone()
    feet[:, 1] += _lowest(driving, body)
    feet = (feet - centre) * fit + feet.new_tensor([width, height]) / 2
    feet[:, 1] -= _lowest(moved, body)
    return replace(moved, translation=feet)


def _fixed(driving: Motion, source: Motion, standing: Motion, body: SkinnedBody) -> Motion:
    place = standing.translation.clone()
    if _stands_in_photo(source, body):
        place[:, 1] = _ground(source, body) - _lowest(standing, body)
    return replace(standing, translation=place)


def _first_trusted(motion: Motion) -> int:
    trusted = torch.nonzero(~motion.flagged).flatten().tolist()
    return trusted[0] if trusted else 0


def leg_length(body: SkinnedBody, shape: Float[Tensor, "s"]) -> Float[Tensor, ""]:
    """Return the length of the legs in metres, hip to ankle, whatever the pose."""
    joints = body.joints(shape)
    hip, knee, ankle = (
        joints[[BONE_NAMES.index(f"left_{name}"), BONE_NAMES.index(f"right_{name}")]]
        for name in ("hip", "knee", "ankle")
    )
    return ((hip - knee).norm(dim=-1) + (knee - ankle).norm(dim=-1)).mean()


def _lowest(motion: Motion, body: SkinnedBody) -> Float[Tensor, "t"]:
    """Return how many pixels below the pelvis the body's lowest keypoint is."""
    points = body.keypoints(motion.shape, motion.rotations)
    return motion.scale * points[..., 1].amax(dim=-1)


def _ground(source: Motion, body: SkinnedBody) -> Float[Tensor, ""]:
    return source.translation[0, 1] + _lowest(source, body)[0]


def _stands_in_photo(source: Motion, body: SkinnedBody) -> bool:
    """Whether the photo shows the ground that the person stands on, so that the fit knows it."""
    return bool(_ground(source, body) <= 1.02 * source.size[0])


def _share_across(
    travel: Float[Tensor, "t"], start: Float[Tensor, ""], width: int
) -> Float[Tensor, ""]:
    """Return the share of its sideways travel that keeps the pelvis inside the photo."""
    right = ((1 - _MARGIN) * width - start).clamp(min=0)
    left = (start - _MARGIN * width).clamp(min=0)
    furthest, least = travel.amax(), -travel.amin()
    share = torch.ones_like(start)
    share = torch.where(furthest > right, right / furthest, share)
    return torch.minimum(share, torch.where(least > left, left / least, share))


def _kept_in_height(moved: Motion, standing: Motion, body: SkinnedBody) -> Motion:
    """Go back from ``moved`` toward ``standing`` where head or feet would leave the photo.

    How far is decided for each frame and changes slowly. What is out even standing is allowed.
    """
    points = body.keypoints(moved.shape, moved.rotations)[..., 1]
    reach = torch.stack([points[:, _HEAD].amin(dim=1) - _SKULL, points.amax(dim=1)], dim=1)

    def beyond(motion: Motion) -> Float[Tensor, "t 2"]:
        edges = motion.translation[:, 1:] + motion.scale[:, None] * reach
        return torch.stack([-edges[:, 0], edges[:, 1] - motion.size[0]], dim=1).clamp(min=0)

    allowed = beyond(standing) + _CUT * moved.size[0]
    share = torch.zeros_like(moved.scale)
    for step in range(1, _STEPS + 1):
        trial = torch.full_like(share, step / _STEPS)
        fits = (beyond(_between(standing, moved, trial)) <= allowed).all(dim=1)
        share = torch.where(fits, trial, share)
    return _between(standing, moved, _smooth_below(share, round(_SETTLING * float(moved.fps))))


def _smooth_below(share: Float[Tensor, "t"], radius: int) -> Float[Tensor, "t"]:
    """Return a smooth curve below ``share``: the mean of neighbourhoods' least values."""
    width = 2 * radius + 1
    ends = (radius, radius)
    least = -functional.max_pool1d(-functional.pad(share[None], ends, mode="replicate"), width, 1)
    return functional.avg_pool1d(functional.pad(least, ends, mode="replicate"), width, 1)[0]


def _between(standing: Motion, moved: Motion, share: Float[Tensor, "t"]) -> Motion:
    """Return part of the way to ``moved`` in size and height; across it is ``moved``'s place."""
    translation = moved.translation.clone()
    translation[:, 1] = torch.lerp(standing.translation[:, 1], moved.translation[:, 1], share)
    scale = standing.scale * (moved.scale / standing.scale) ** share
    return replace(moved, scale=scale, translation=translation)
