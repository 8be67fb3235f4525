"""Keypoints of a clip in a few dozen bytes a frame."""

import numpy as np
import torch

from bdmm.data.squeeze import pack_tracks, unpack_tracks
from bdmm.records import KEYPOINT_NAMES
from bdmm.shapes import Keypoints

STEPS = 16
"""Parts of a pixel to which positions are rounded."""
LEVELS = 255
"""Parts of one to which confidences are rounded; what is above zero stays above zero."""
FARTHEST = 8000.0
"""Pixels that positions are cut off at."""
_PARENTS = np.maximum(np.arange(len(KEYPOINT_NAMES)) - 1, 0)


def pack_keypoints(keypoints: Keypoints) -> bytes:
    """Code ``t 29 3`` keypoints (x, y in pixels, confidence in [0, 1])."""
    places = keypoints[..., :2].nan_to_num().clamp(-FARTHEST, FARTHEST) * STEPS
    trust = keypoints[..., 2:].clamp(0, 1) * LEVELS
    trust = torch.where(trust > 0, trust.clamp(min=1), 0)
    values = torch.cat([places, trust], dim=-1).round().int()
    return pack_tracks(values.cpu().numpy(), _PARENTS)


def unpack_keypoints(block: bytes, frames: int) -> Keypoints:
    """Return what `pack_keypoints` was given.

    Raises:
        DamagedBlockError: the block is damaged, or of another number of frames.
    """
    values = torch.from_numpy(unpack_tracks(block, frames, 3, _PARENTS)).float()
    return torch.cat([values[..., :2] / STEPS, values[..., 2:] / LEVELS], dim=-1)
