"""What crosses the borders between stages: plain frozen values, nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from fractions import Fraction
from typing import Any

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.nn.functional import pad

from bdmm.errors import InputError
from bdmm.shapes import Flags, Foreground, Image, Keypoints, Rotations

# BODY-25 order, then four knuckles that show how a hand is turned.
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

_LEAST_SCALE, _MOST_PIXELS, _MOST_SHAPE = 0.01, 1e6, 100.0


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
        return self.rotations.shape[0]

    def flaw(self) -> str | None:
        """Return what makes a motion from outside unusable, as a clause; None where nothing does.

        A scale lies between 0.01 and 1e6 pixels per metre, a translation within 1e6 pixels, a
        shape component within 100; rotations are finite.
        """
        if not bool(((self.scale > _LEAST_SCALE) & (self.scale < _MOST_PIXELS)).all()):
            return "its scale is not a usual number of pixels per metre in every frame"
        if not bool((self.translation.abs() < _MOST_PIXELS).all()):
            return "its translation is not a pixel position in every frame"
        if not bool((self.shape.abs() < _MOST_SHAPE).all()):
            return "its body shape is impossible"
        if not bool(self.rotations.isfinite().all()):
            return "its rotations are not finite"
        return None

    def to(self, device: torch.device | str) -> "Motion":
        """Return the motion on a device."""
        names = ("rotations", "scale", "translation", "shape", "flagged")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

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

    def to(self, device: torch.device | str) -> "Source":
        """Return the source on a device."""
        image, foreground, background = (
            one.to(device) for one in (self.image, self.foreground, self.background)
        )
        return Source(image, foreground, background, self.pose.to(device))


@dataclass(frozen=True)
class Atlas:
    """Colours of a person's whole surface, in the texture coordinates of the body.

    Attributes:
        colours: ``3 r r`` RGB in [-1, 1]; made up where no photo shows the surface.
        confidence: ``1 r r`` in [0, 1], how well the photos show it; 0 where it was made up.
    """

    colours: Float[Tensor, "3 r r"]
    confidence: Float[Tensor, "1 r r"]

    def to(self, device: torch.device | str) -> "Atlas":
        """Return the atlas on a device."""
        return Atlas(self.colours.to(device), self.confidence.to(device))


@dataclass(frozen=True)
class Person:
    """What is known of a person: photos of one body, and the colours of its surface.

    Attributes:
        photos: the first one is the frame that is rendered, its background the video's. All have
            the first one's light, and poses of one common shape.
        atlas: None: nothing beyond the photos is known.
    """

    photos: tuple[Source, ...]
    atlas: Atlas | None = None

    def to(self, device: torch.device | str) -> "Person":
        """Return the person on a device."""
        atlas = None if self.atlas is None else self.atlas.to(device)
        return Person(tuple(photo.to(device) for photo in self.photos), atlas)


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


NOWHERE = -2.0
"""Grid position of pixels of which nothing is known: far outside the source, so it samples zero."""


@dataclass(frozen=True)
class Conditions:
    """What networks and renderers are given for the frames of one window.

    `bdmm.conditioning` makes them; they are stored, augmented, batched and rendered as such. Pose
    heatmaps are drawn from the keypoints where they are used (`kernels.pose_heatmaps`).

    Attributes:
        keypoints: ``b t 29 3`` (x, y, confidence) in pixels of the window, whose frames may be
            parts of whole ones. A keypoint of confidence 0 is missing.
        source_grid: ``b t h w 2`` normalised (x, y) positions in the source, `NOWHERE` where
            unknown. Hidden pixels carry their fallback correspondence.
        state: ``b t h w`` values of `PixelState`.
        fallback: ``b t h w`` hidden pixels whose fallback correspondence may be copied.
        segment: ``b t h w`` index into `BONE_NAMES` of the body at each pixel, -1 off the body;
            None where it was not kept.
        inpainted: ``b t 3 h w`` colours in [-1, 1] for hidden pixels to which nothing is copied;
            None: the network spreads the colours around them.
        warped: ``b t 4 h w`` colours and foreground that the photos show at each pixel, of several
            photos the mixture; None: those of the one photo at ``source_grid``.
        joints: which keypoints become heatmaps.
        side: shorter side of the whole frame in pixels, by which heatmaps are scaled; None: of
            these frames.
        extent: (height, width) of what is frame; the rest is padding, where heatmaps are zero.
            None: there is no padding.
        before: of the frame before the window, the first of a clip's; None: the first frame's own.
        after: of the frame after the window; None: the last frame's own.
    """

    keypoints: Float[Tensor, "b t k 3"]
    source_grid: Float[Tensor, "b t h w 2"]
    state: Integer[Tensor, "b t h w"]
    fallback: Bool[Tensor, "b t h w"]
    segment: Integer[Tensor, "b t h w"] | None = None
    inpainted: Float[Tensor, "b t 3 h w"] | None = None
    warped: Float[Tensor, "b t 4 h w"] | None = None
    joints: tuple[int, ...] = COCO18
    side: int | None = None
    extent: tuple[int, int] | None = None
    before: "Conditions | None" = None
    after: "Conditions | None" = None

    @property
    def visible(self) -> Bool[Tensor, "b t h w"]:
        """Where the target's body point can be seen in the source."""
        return self.state == PixelState.VISIBLE

    @property
    def frame_count(self) -> int:
        """Frames of the window."""
        return self.state.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        return self.state.shape[2], self.state.shape[3]

    def map(self, change: Callable[[Tensor], Tensor]) -> "Conditions":
        """Return conditions whose tensors are all changed by a function."""
        names = ("keypoints", "source_grid", "state", "fallback", "segment", "inpainted", "warped")
        values = {name: getattr(self, name) for name in names}
        values = {name: one if one is None else change(one) for name, one in values.items()}
        return self._with_neighbours(lambda one: one.map(change), **values)

    def to(self, device: torch.device | str) -> "Conditions":
        """Return the conditions on a device."""
        return self.map(lambda value: value.to(device, non_blocking=True))

    def frames(self, part: slice) -> "Conditions":
        """Return a run of frames; the one behind its end rides along as ``after``."""
        start, stop, _ = part.indices(self.frame_count)
        alone = replace(self, before=None, after=None)
        after = self.after
        if stop < self.frame_count:
            after = alone.map(lambda value: value[:, stop : stop + 1])
        return replace(alone.map(lambda value: value[:, start:stop]), after=after)

    def crop(self, rows: slice, columns: slice) -> "Conditions":
        """Cut the same part out of all frames; positions still refer to the whole source.

        Args:
            rows: with both ends, within the frames.
            columns: likewise.
        """
        corner = self.keypoints.new_tensor([columns.start, rows.start, 0])
        extent = None
        if self.extent is not None:
            (height, width), cut = self.extent, (rows, columns)
            ends = (min(end, one.stop) for end, one in zip((height, width), cut, strict=True))
            height, width = (max(0, e - one.start) for e, one in zip(ends, cut, strict=True))
            extent = (height, width)
        place = (..., rows, columns)
        return self._with_neighbours(
            lambda one: one.crop(rows, columns),
            keypoints=self.keypoints - corner,
            source_grid=self.source_grid[:, :, rows, columns],
            state=self.state[place],
            fallback=self.fallback[place],
            segment=None if self.segment is None else self.segment[place],
            inpainted=None if self.inpainted is None else self.inpainted[place],
            warped=None if self.warped is None else self.warped[place],
            side=self.side or min(self.size),
            extent=extent,
        )

    def pad(self, size: tuple[int, int], share: tuple[float, float] | None = None) -> "Conditions":
        """Grow frames to the right and below by pixels without a body.

        Args:
            size: (height, width) of the result, at least that of the frames.
            share: of the grown source's height and width that the source has; None: it has the
                frames' size and is grown likewise.
        """
        height, width = self.size
        grow = (0, size[1] - width, 0, size[0] - height)
        down, across = share or (height / size[0], width / size[1])
        shrink = self.source_grid.new_tensor([across, down])
        nowhere = self.source_grid == NOWHERE
        grid = torch.where(nowhere, NOWHERE, (self.source_grid + 1) * shrink - 1)
        inpainted, segment = self.inpainted, self.segment
        return self._with_neighbours(
            lambda one: one.pad(size, share),
            source_grid=pad(grid, (0, 0, *grow), value=NOWHERE),
            state=pad(self.state, grow),
            fallback=pad(self.fallback, grow),
            segment=None if segment is None else pad(segment, grow, value=-1),
            inpainted=None if inpainted is None else pad(inpainted, grow),
            warped=None if self.warped is None else pad(self.warped, grow),
            side=self.side or min(self.size),
            extent=self.extent or self.size,
        )

    def _with_neighbours(
        self, change: Callable[["Conditions"], "Conditions"], **values: Any
    ) -> "Conditions":
        beyond = {"before": self.before, "after": self.after}
        beyond = {name: one if one is None else change(one) for name, one in beyond.items()}
        return replace(self, **values, **beyond)


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
