"""A fit that is wrong in the way that fits are: whole body parts turned, another shape, a shift."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.records import BONE_NAMES, Motion

_LOOSE = ("shoulder", "elbow", "hip", "knee")
_TURN = 0.12
"""Radians, standard deviation, of a loose bone's turn before all is scaled to the wanted error."""
_STIFF_SHARE = 0.4
"""Of that, what other bones turn."""
_SHAPE = 0.35
_SHIFT = 0.008
"""Shift and change of size, as shares of the person's pixels per metre."""
_LARGEST = 8.0
"""Times that the first guess is enlarged at most."""


def spoil_fit(pose: Motion, body: SkinnedBody, error: float, random: np.random.Generator) -> Motion:
    """Return the pose with an error of a given mean size over the keypoints.

    Args:
        pose: a motion of one frame.
        body: that it belongs to.
        error: mean distance of the keypoints from where they were, in pixels.
        random: decides everything else.
    """
    if error <= 0:
        return pose
    turns = random.normal(0, _TURN, (len(BONE_NAMES), 3))
    turns[[not name.endswith(_LOOSE) for name in BONE_NAMES]] *= _STIFF_SHARE
    shape = random.normal(0, _SHAPE, pose.shape.shape)
    shift, growth = random.normal(0, _SHIFT, 2), random.normal(0, _SHIFT)
    wrong = tuple(torch.from_numpy(part).float() for part in (turns, shape, shift))

    def moved(amount: float) -> Motion:
        return replace(
            pose,
            rotations=pose.rotations @ axis_angle_to_matrix(amount * wrong[0]),
            shape=pose.shape + amount * wrong[1],
            translation=pose.translation + amount * pose.scale[:, None] * wrong[2],
            scale=pose.scale * float(np.exp(amount * growth)),
        )

    before = _places(pose, body)
    least, most = 0.0, _LARGEST
    for _ in range(14):
        middle = (least + most) / 2
        apart = float((_places(moved(middle), body) - before).norm(dim=-1).mean())
        least, most = (middle, most) if apart < error else (least, middle)
    return moved(least)


def _places(pose: Motion, body: SkinnedBody) -> Float[Tensor, "t k 2"]:
    points = body.keypoints(pose.shape, pose.rotations)
    return project(points, pose.scale, pose.translation)[..., :2]
