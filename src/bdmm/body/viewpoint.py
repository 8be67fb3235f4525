"""A motion seen by a camera that stands elsewhere, or that walks around the person."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.records import Motion


def orbit(frame_count: int, start: float = 0.0) -> Float[Tensor, "t"]:
    """Return degrees that go once around, at one speed; the frame after the last is the first."""
    return start + torch.arange(frame_count) * (360 / frame_count)


def seen_from(motion: Motion, degrees: Float[Tensor, "t"]) -> Motion:
    """Return a motion as a camera sees it that was carried around the person.

    The camera turns about the vertical through the pelvis of the first frame. A way across the
    picture is foreshortened. A way toward the camera stays a change of size: a weak-perspective
    camera does not know how far it goes.

    Args:
        degrees: of each frame, to the right as the camera sees it: at 90 it shows the side that
            was at the picture's right.
    """
    angle = torch.deg2rad(degrees.double()).to(motion.rotations)
    turn = axis_angle_to_matrix(angle[:, None] * angle.new_tensor([0.0, 1.0, 0.0]))
    orientation = turn @ motion.rotations[:, 0]
    rotations = torch.cat([orientation[:, None], motion.rotations[:, 1:]], dim=1)
    start = motion.translation[0, 0]
    across = start + (motion.translation[:, 0] - start) * angle.cos()
    translation = torch.stack([across, motion.translation[:, 1]], dim=1)
    return replace(motion, rotations=rotations, translation=translation)
