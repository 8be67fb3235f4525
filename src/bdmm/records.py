"""What crosses the borders between stages: plain frozen values, nothing else."""

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from fractions import Fraction

from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.errors import InputError
from bdmm.shapes import Flags, Foreground, Image, Keypoints, Rotations

# BODY-25 order, then four knuckles that tell how a hand is turned.
KEYPOINT_NAMES = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist", "mid_hip",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel",
    "right_big_toe", "right_small_toe", "right_heel",
    "right_index", "right_pinky", "left_index", "left_pinky",
)  # fmt: skip
"""The 29 keypoints that every estimator and every body speaks; a missing one has confidence 0."""

COCO18 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
"""Indices of OpenPose's 18 COCO joints among the keypoints: the paper's pose heatmaps."""
BODY25 = tuple(range(25))
"""Indices of OpenPose's BODY-25 joints among the keypoints: the released network's heatmaps."""


def joints_of(count: int) -> tuple[int, ...]:
    """Return the keypoints that a network of so many heatmaps takes.

    Raises:
        InputError: the count is neither the 18 of COCO nor the 25 of BODY-25.
    """
    for joints in (COCO18, BODY25):
        if len(joints) == count:
            return joints
    raise InputError(f"The weights are of a network for {count} joints, not 18 or 25.")


BONE_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
    "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck",
    "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
"""The 24 bones of every body, named for the joint at which they turn."""
BONE_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)


@dataclass(frozen=True)
class Landmarks:
    """What a pose estimator saw in a run of frames.

    Attributes:
        keypoints: ``t 29 3`` (x, y, confidence) in pixels of the frame.
        keypoints_3d: ``t 29 3`` metres around the hips in camera axes (x right, y down, z away),
            or None where the estimator is 2-D only.
        found: ``t`` whether a person was found at all.
        size: (height, width) of the frames.
        fps: frames per second.
    """

    keypoints: Keypoints
    keypoints_3d: Float[Tensor, "t k 3"] | None
    found: Flags
    size: tuple[int, int]
    fps: Fraction


@dataclass(frozen=True)
class Motion:
    """Per-frame body parameters of one person under a weak-perspective camera.

    A body point X (metres, camera axes x right, y down, z away, origin at the pelvis) is seen at
    ``pixel = scale * X[:2] + translation``; its depth in pixels is ``scale * X[2]``.

    Attributes:
        rotations: ``t 24 3 3`` local bone rotations, bone 0 the body's orientation.
        scale: ``t`` pixels per metre.
        translation: ``t 2`` pixel position of the pelvis.
        shape: ``s`` shape components of the body (the mover's own).
        flagged: ``t`` frames whose pose was not trusted and is bridged from its neighbours.
        size: (height, width) of the frames that the pixels refer to.
        fps: frames per second.
        body: name of the body model that the numbers belong to.
    """

    rotations: Rotations
    scale: Float[Tensor, "t"]
    translation: Float[Tensor, "t 2"]
    shape: Float[Tensor, "s"]
    flagged: Flags
    size: tuple[int, int]
    fps: Fraction
    body: str = "anny24"

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.rotations.shape[0]

    def __getitem__(self, frames: slice) -> "Motion":
        """Return a run of frames."""
        return replace(
            self,
            rotations=self.rotations[frames],
            scale=self.scale[frames],
            translation=self.translation[frames],
            flagged=self.flagged[frames],
        )


@dataclass(frozen=True)
class Source:
    """The photo of the person to animate, at the working resolution.

    Attributes:
        image: the photo, RGB in [-1, 1].
        foreground: where the person is, in [0, 1].
        background: the photo with the person removed and filled, RGB in [-1, 1].
        pose: a motion of one frame: the fitted body, in pixels of ``image``.
    """

    image: Image
    foreground: Foreground
    background: Image
    pose: Motion


class PixelState(IntEnum):
    """What is known of a target pixel."""

    NONE = 0
    """No body here."""
    VISIBLE = 1
    """The body point can be seen in the source."""
    HIDDEN = 2
    """Body, but not to be seen in the source."""
    EXTENDED = 3
    """Off the body but near it: hair and loose clothes, carried along with the nearest part."""


@dataclass(frozen=True)
class Conditions:
    """What the networks and renderers are given for the frames of one window.

    Attributes:
        pose_heatmaps: ``t k h w`` in [0, 1].
        source_grid: ``t h w 2`` normalised (x, y) positions in the source; -2 where nothing is
            known (samples zero). Hidden pixels carry the through-body position.
        state: ``t h w`` values of `PixelState`.
        filled: ``t h w`` hidden pixels whose through-body position may be copied.
        warped_foreground: ``t 1 h w`` the source's foreground sampled by ``source_grid``.
        segment: ``t h w`` index into `BONE_NAMES` of the body at each pixel, -1 off the body.
    """

    pose_heatmaps: Float[Tensor, "t k h w"]
    source_grid: Float[Tensor, "t h w 2"]
    state: Int[Tensor, "t h w"]
    filled: Bool[Tensor, "t h w"]
    warped_foreground: Float[Tensor, "t 1 h w"]
    segment: Int[Tensor, "t h w"]

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.source_grid.shape[0]

    def __getitem__(self, frames: slice) -> "Conditions":
        """Return a run of frames."""
        return Conditions(*(getattr(self, one.name)[frames] for one in fields(self)))

    @property
    def visible(self) -> Bool[Tensor, "t h w"]:
        """Where the target's body point can be seen in the source."""
        return self.state == PixelState.VISIBLE


@dataclass(frozen=True)
class PropagationState:
    """What one window of the generator hands to the next.

    Attributes:
        structural: ``b c h/8 w/8`` state of the structural encoder's recurrence.
        forward: forward recurrences' last features, coarse to fine (1/4, then 1/2 resolution).
        last_generated: ``b 3 h w`` the last generated frame, where the preset feeds it back.
    """

    structural: Float[Tensor, "b c h1 w1"]
    forward: tuple[Float[Tensor, "b _ _ _"], ...]
    last_generated: Float[Tensor, "b 3 h w"] | None = None
