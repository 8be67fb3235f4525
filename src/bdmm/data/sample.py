"""One sample before it becomes a batch: what augmentation works on."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from bdmm.shapes import Frames, Image, Keypoints


@dataclass(frozen=True)
class Sample:
    """A source and a run of frames of one clip, joints not yet drawn.

    Attributes:
        source_image: ``3 h0 w0`` RGB in [-1, 1]; whole, though frames may be parts (`data.crop`).
        source_foreground: ``1 h0 w0`` in [0, 1].
        background: RGB in [-1, 1].
        keypoints: ``t 29 3`` in pixels.
        source_grid: ``t h w 2`` normalised positions.
        state: ``t h w`` values of `records.PixelState`.
        filled: ``t h w``.
        target_frames: RGB in [-1, 1].
        target_foreground: ``t 1 h w`` in [0, 1].
    """

    source_image: Float[Tensor, "3 h0 w0"]
    source_foreground: Float[Tensor, "1 h0 w0"]
    background: Image
    keypoints: Keypoints
    source_grid: Float[Tensor, "t h w 2"]
    state: Int[Tensor, "t h w"]
    filled: Bool[Tensor, "t h w"]
    target_frames: Frames
    target_foreground: Float[Tensor, "t 1 h w"]
