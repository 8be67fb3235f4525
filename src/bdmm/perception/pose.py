"""What every pose estimator looks like from outside, and what it hands over."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from bdmm.records import Landmarks
from bdmm.shapes import Foreground

FrameArray = UInt8[np.ndarray, "h w 3"]
"""One frame as files hold it: RGB in 0..255."""


@dataclass(frozen=True)
class Silhouette:
    """The person's foreground in one frame, cut out around the person and stored small.

    A point ``p`` of the frame (pixels) lies at ``(p - origin) * scale`` of the cutting.

    Attributes:
        frame: index of the frame in its clip.
        foreground: ``1 h w`` in [0, 1].
        origin: (x, y) of the cutting's outer corner, pixels of the frame; may lie outside of it.
        scale: pixels of the cutting per pixel of the frame.
    """

    frame: int
    foreground: Foreground
    origin: tuple[float, float]
    scale: float

    def to_cutting(self, points: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b 2"]:
        """Map (x, y) positions in pixels of the frame to pixels of the cutting."""
        origin = torch.tensor(self.origin, dtype=points.dtype, device=points.device)
        return (points - origin) * self.scale


@dataclass(frozen=True)
class Sighting:
    """What an estimator saw in a photo or in a whole clip.

    Attributes:
        landmarks: keypoints of every frame.
        silhouettes: foregrounds of a few well-spread frames; empty where the estimator has none.
        notes: sentences for the user, such as which of several people was taken.
    """

    landmarks: Landmarks
    silhouettes: tuple[Silhouette, ...] = ()
    notes: tuple[str, ...] = ()


class PoseEstimator(Protocol):
    """Finds one person in frames. Implemented by `MediaPipePose`."""

    def detect(
        self, frames: Iterable[FrameArray], fps: Fraction, person: int | None = None
    ) -> Sighting:
        """Follow one person through a clip, frame by frame, in bounded memory.

        Args:
            frames: RGB frames in 0..255, all of one size.
            fps: frames per second.
            person: which of several people, counted from the left from 1 on; the largest if None.

        Raises:
            InputError: there are no frames, or nobody is seen, or fewer people than ``person``.
        """
        ...

    def detect_photo(self, photo: FrameArray, person: int | None = None) -> Sighting:
        """Find one person in a photo; its only silhouette covers the whole photo.

        Args:
            photo: RGB in 0..255.
            person: as for `detect`.

        Raises:
            InputError: nobody is seen, or fewer people than ``person``.
        """
        ...
