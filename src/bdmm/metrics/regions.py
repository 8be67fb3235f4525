"""The parts of a person that are scored apart: the whole person, the face, the hands.

Regions are drawn from what was seen in the *true* frame, so that every system is scored on the
same pixels.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from bdmm.metrics.frame_metrics import Region
from bdmm.records import KEYPOINT_NAMES

PERSON, FACE, HANDS = "person", "face", "hands"

_MIN_CONFIDENCE = 0.5
_FACE_OF_TRUNK = 0.3
_HAND_OF_TRUNK = 0.2
_FACE_POINTS = ("nose", "right_eye", "left_eye")
_SIDES = ("right", "left")
_FINE = 4


def person_region(foreground: UInt8[np.ndarray, "h w"]) -> Region:
    """Return a foreground in 0..255 as a region, half-covered pixels with half their weight."""
    return foreground / 255.0


def keypoint_regions(keypoints: Float[Tensor, "k 3"], size: tuple[int, int]) -> dict[str, Region]:
    """Return the regions of face and hands; one that is not seen is left out.

    Each is a disc whose radius is a share of the trunk's length (neck to middle of the hips): 0.3
    around the middle of nose and eyes, 0.2 around the middle of wrist and knuckles. A face needs
    the nose and an eye, a hand its wrist, and both need neck and hips, each with a confidence of
    at least 0.5.

    Args:
        keypoints: (x, y, confidence) of `records.KEYPOINT_NAMES`, in pixels of the true frame.
        size: (height, width) of the frame.
    """
    trunk = _seen(keypoints, ("neck", "mid_hip"))
    if len(trunk) < 2:
        return {}
    length = float((trunk[0] - trunk[1]).norm())
    regions = {}
    face = _seen(keypoints, _FACE_POINTS)
    if len(_seen(keypoints, ("nose",))) and len(face) > 1:
        regions[FACE] = _discs([face.mean(0)], _FACE_OF_TRUNK * length, size)
    hands = [
        _seen(keypoints, (f"{side}_wrist", f"{side}_index", f"{side}_pinky")).mean(0)
        for side in _SIDES
        if len(_seen(keypoints, (f"{side}_wrist",)))
    ]
    if hands:
        regions[HANDS] = _discs(hands, _HAND_OF_TRUNK * length, size)
    return {name: region for name, region in regions.items() if region.any()}


def _seen(keypoints: Tensor, names: Sequence[str]) -> Tensor:
    chosen = keypoints[[KEYPOINT_NAMES.index(name) for name in names]]
    return chosen[(chosen[:, 2] >= _MIN_CONFIDENCE) & torch.isfinite(chosen).all(1), :2]


def _discs(centres: Sequence[Tensor], radius: float, size: tuple[int, int]) -> Region:
    """Draw filled discs with weight 1; positions count from the outer corner of pixel (0, 0)."""
    drawn = np.zeros(size, np.uint8)
    fine = 2**_FINE
    for centre in centres:
        x, y = (round((float(value) - 0.5) * fine) for value in centre)
        cv2.circle(drawn, (x, y), round(radius * fine), (255,), cv2.FILLED, shift=_FINE)
    return (drawn > 0).astype(np.float64)
