"""A motion as a skeleton that moves through a room: what programs for 3-D pictures read.

Metres, y up, the person's left at x > 0 and facing z at rest; the ground is y = 0. Identity
rotations are the body's rest pose: upright, arms about 45 degrees down.

A weak-perspective motion says where the pelvis is seen and how large the person is. With a camera
that looks level, at a person of ``s`` pixels per metre, both sideways position and height are
``(pixel - centre) / s`` metres. Depth needs a focal length, which nobody knows: it is that of
`_VIEW`. So travel towards the camera is an estimate.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.model import SkinnedBody, load_body
from bdmm.body.retarget import leg_length
from bdmm.body.rotations import pose_bones
from bdmm.errors import InputError
from bdmm.records import BONE_PARENTS, Motion
from bdmm.shapes import Rotations

MAX_FRAMES = 100_000
"""Longer motions are refused: 55 minutes at 30 frames per second."""
_VIEW = math.radians(50)
"""Angle of view that a camera is taken to have across the longer side of its frames."""
_FLIP = torch.tensor([1.0, -1.0, -1.0])
"""From the camera's axes to y up: half a turn about x."""


@dataclass(frozen=True)
class Skeleton:
    """A body that moves.

    Attributes:
        body: its mesh, in clothes or without, in camera axes.
        shape: ``s`` its shape components.
        joints: ``n 3`` rest positions in metres, the pelvis at zero.
        rotations: ``t n 3 3`` local rotations.
        path: ``t 3`` positions of the pelvis in metres.
        fps: frames per second.
    """

    body: SkinnedBody
    shape: Float[Tensor, "s"]
    joints: Float[Tensor, "n 3"]
    rotations: Rotations
    path: Float[Tensor, "t 3"]
    fps: Fraction

    def __len__(self) -> int:
        return len(self.path)

    def positions(self) -> Float[Tensor, "t n 3"]:
        """Return where the joints are in each frame, metres."""
        posed = pose_bones(self.rotations, self.joints)[..., 3]
        return posed - posed[:, :1] + self.path[:, None]

    def rest_vertices(self) -> Float[Tensor, "v 3"]:
        """Return the mesh at rest, the pelvis at zero."""
        return to_y_up(self.body.rest_vertices(self.shape))


def skeleton_of(
    motion: Motion, body: SkinnedBody | None = None, shape: Float[Tensor, "s"] | None = None
) -> Skeleton:
    """Return a motion as a skeleton.

    Args:
        body: of another person, who moves instead of the driver; paths are scaled by their legs.
        shape: of that person.

    Raises:
        InputError: the motion has no frames or too many, or belongs to another body.
    """
    if len(motion) == 0:
        raise InputError("The motion has no frames: there is nothing to export.")
    if len(motion) > MAX_FRAMES:
        raise InputError(
            f"The motion has {len(motion)} frames; at most {MAX_FRAMES} are exported: cut it first."
        )
    own = load_body(motion.body)
    body, shape = body or own, motion.shape if shape is None else shape
    if body.name != motion.body:
        raise InputError(
            f"The motion was made for the body {motion.body!r}, the person for {body.name!r}."
        )
    growth = leg_length(body, shape) / leg_length(own, motion.shape)
    turns = _FLIP[:, None] * motion.rotations * _FLIP
    path = growth * _seen_path(motion)
    lowest = body.keypoints(shape, motion.rotations)[..., 1].amax(dim=1)
    path[:, 1] += (lowest - path[:, 1]).median()
    return Skeleton(body, shape, to_y_up(body.joints(shape)), turns, path, motion.fps)


def children_of(bone: int) -> list[int]:
    """Return the bones that hang on one."""
    return [child for child, parent in enumerate(BONE_PARENTS) if parent == bone]


def to_y_up(points: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """Return points in camera axes with y up."""
    return points * _FLIP


def _seen_path(motion: Motion) -> Float[Tensor, "t 3"]:
    """Return the pelvis's path on the driver's own body; it starts at x = z = 0."""
    height, width = motion.size
    centre = motion.translation.new_tensor([width, height]) / 2
    across = (motion.translation - centre) / motion.scale[:, None]
    focal = max(width, height) / 2 / math.tan(_VIEW / 2)
    path = to_y_up(torch.cat((across, (focal / motion.scale)[:, None]), dim=1))
    path[:, ::2] -= path[0, ::2].clone()
    return path
