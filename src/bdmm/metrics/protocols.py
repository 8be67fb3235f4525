"""Rules of scoring: the paper's and modern ones, as rows of data.

Numbers of different protocols never stand in one table: the range that SSIM takes, the scale of L1
and the resampling before a detector change them by more than systems differ.
"""

from dataclasses import dataclass
from typing import Literal

from bdmm.errors import InputError


@dataclass(frozen=True)
class VideoDistance:
    """One Fréchet video distance.

    Attributes:
        frames: frames of a clip that the detector is shown.
        stride: every N-th frame is taken: 16 frames at stride 8 stand for 128.
        real: which split the real clips come from.
        repeats: how often clips are drawn at new random offsets.
        size: pixels of the detector's square input; RGB in [-1, 1].
    """

    name: str
    frames: int
    stride: int
    real: Literal["train", "test"]
    repeats: int = 50
    size: int = 224

    @property
    def reach(self) -> int:
        """Return the frames of the video from a clip's first to its last."""
        return (self.frames - 1) * self.stride + 1


@dataclass(frozen=True)
class Protocol:
    """Rules of scoring.

    Attributes:
        frame_size: pixels of the square frames that are scored, or None for frames as they are.
        ssim_range: the range that SSIM's constants are taken from: brightest minus darkest level
            of the ``generated`` frame, or the ``full`` 255.
        l1_levels: difference in 8-bit levels that counts as 1: 127.5 for images in [-1, 1], 255
            for images in [0, 1].
        fid_resize: how frames are brought to the detector's 299 pixels.
        fid_real: which split the real frames come from.
        regions: whether the person's, face's and hands' regions are scored too.
        temporal: whether the warping error between neighbouring frames is measured.
    """

    name: str
    frame_size: int | None
    ssim_range: Literal["generated", "full"]
    l1_levels: float
    lpips: tuple[Literal["alex", "vgg"], ...]
    fid_resize: Literal["bilinear", "antialiased"]
    fid_real: Literal["train", "test"]
    video_distances: tuple[VideoDistance, ...]
    regions: bool
    temporal: bool


VIDEO_DISTANCES = tuple(
    VideoDistance(f"FVD-{split.capitalize()}{label}", frames, stride, split)
    for split in ("train", "test")
    for label, frames, stride in (("128f", 128, 1), ("16f", 16, 1), ("128f-stride8", 16, 8))
)

PROTOCOLS = {
    row.name: row
    for row in (
        Protocol(
            name="paper",
            frame_size=256,
            ssim_range="generated",
            l1_levels=127.5,
            lpips=("alex",),
            fid_resize="bilinear",
            fid_real="train",
            video_distances=VIDEO_DISTANCES,
            regions=False,
            temporal=False,
        ),
        Protocol(
            name="modern",
            frame_size=None,
            ssim_range="full",
            l1_levels=255.0,
            lpips=("alex", "vgg"),
            fid_resize="antialiased",
            fid_real="train",
            video_distances=VIDEO_DISTANCES,
            regions=True,
            temporal=True,
        ),
    )
}


def find_protocol(name: str) -> Protocol:
    """Return a protocol by its name.

    Raises:
        InputError: there is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"There is no protocol {name!r}; choose one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
