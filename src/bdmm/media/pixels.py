"""Between the 8-bit pictures of files and the frames in [-1, 1] of everything else."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from bdmm.media.image import AnyPicture, Picture
from bdmm.shapes import Frames


def to_frames(pictures: Sequence[Picture], device: torch.device | str = "cpu") -> Frames:
    """Return pictures of one size as frames.

    Args:
        pictures: RGB in 0..255.
        device: where the frames shall be.
    """
    stacked = torch.from_numpy(np.stack(pictures)).to(device)
    return rearrange(stacked, "t h w rgb -> t rgb h w").float() / 127.5 - 1


def to_pictures(frames: Frames) -> UInt8[np.ndarray, "t h w 3"]:
    """Return frames as pictures, rounded to the nearest level; what lies beyond is clipped."""
    pictures = np.empty((len(frames), *frames.shape[2:], frames.shape[1]), np.uint8)
    # Frame by frame, what lies in between stays in the cache.
    for picture, frame in zip(pictures, frames, strict=True):
        levels = (frame.float() + 1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
        cv2.merge(tuple(levels.cpu().numpy()), picture)
    return pictures


def with_alpha(
    pictures: UInt8[np.ndarray, "t h w 3"], alpha: Float[Tensor, "t 1 h w"]
) -> UInt8[np.ndarray, "t h w 4"]:
    """Return pictures with alpha of [0, 1] as a fourth channel; colours stay as they are."""
    levels = (alpha.float() * 255).round().clamp(0, 255).to(torch.uint8)
    return np.concatenate((pictures, rearrange(levels, "t 1 h w -> t h w 1").cpu().numpy()), axis=3)


def on_white(picture: AnyPicture) -> Picture:
    """Return a picture without alpha: over white, or as it is."""
    if picture.shape[2] == 3:
        return picture
    alpha = picture[..., 3:] / np.float32(255)
    return (alpha * picture[..., :3] + 255 * (1 - alpha)).round().astype(np.uint8)
