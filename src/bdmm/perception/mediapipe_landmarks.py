"""MediaPipe's 33 landmarks as our 29 keypoints."""

import numpy as np
from jaxtyping import Float

from bdmm.records import KEYPOINT_NAMES

_PLACES = {
    "nose": (0,), "neck": (11, 12), "mid_hip": (23, 24),
    "left_eye": (2,), "right_eye": (5,), "left_ear": (7,), "right_ear": (8,),
    "left_shoulder": (11,), "right_shoulder": (12,), "left_elbow": (13,), "right_elbow": (14,),
    "left_wrist": (15,), "right_wrist": (16,), "left_pinky": (17,), "right_pinky": (18,),
    "left_index": (19,), "right_index": (20,), "left_hip": (23,), "right_hip": (24,),
    "left_knee": (25,), "right_knee": (26,), "left_ankle": (27,), "right_ankle": (28,),
    "left_heel": (29,), "right_heel": (30,), "left_big_toe": (31,), "right_big_toe": (32,),
}  # fmt: skip
"""The landmarks whose mean each keypoint is; the small toes have none."""
_DRAWN = {
    "elbow": ("wrist", 0.105), "wrist": ("index", 0.14), "index": ("wrist", 0.08),
    "ankle": ("heel", 0.34), "heel": ("ankle", -0.35), "big_toe": ("heel", 0.09),
    "ear": ("other ear", 0.13), "hip": ("other hip", 0.045), "shoulder": ("other shoulder", 0.015),
}  # fmt: skip
"""Where MediaPipe puts a point: this share of the way from the body's keypoint to another one.

Measured on drawn bodies of known pose; it is what MediaPipe means by a wrist, not its error.
"""


def _mixing() -> Float[np.ndarray, "k 33"]:
    """Return the matrix from landmarks to keypoints, zero rows for what has no landmark."""
    means = np.zeros((len(KEYPOINT_NAMES), 33))
    for name, places in _PLACES.items():
        means[KEYPOINT_NAMES.index(name), list(places)] = 1 / len(places)
    drawn = np.eye(len(KEYPOINT_NAMES))
    for point, (partner, share) in _DRAWN.items():
        for side, other in (("left", "right"), ("right", "left")):
            near = KEYPOINT_NAMES.index(f"{side}_{point}")
            bare = partner.removeprefix("other ")
            far = KEYPOINT_NAMES.index(f"{side if bare == partner else other}_{bare}")
            drawn[near, near] -= share
            drawn[near, far] += share
    return np.linalg.inv(drawn) @ means


_MIXING = _mixing()


def to_keypoints(landmarks: Float[np.ndarray, "33 c"]) -> Float[np.ndarray, "k c"]:
    """Return the positions of the 29 keypoints, 2-D or 3-D; zeros for the small toes."""
    return (_MIXING @ landmarks).astype(np.float32)


def to_confidence(visibility: Float[np.ndarray, "33"]) -> Float[np.ndarray, "k"]:
    """Return each keypoint's confidence: the least of its landmarks', 0 for the small toes."""
    confidence = np.zeros(len(KEYPOINT_NAMES), np.float32)
    for name, places in _PLACES.items():
        confidence[KEYPOINT_NAMES.index(name)] = visibility[list(places)].min()
    return confidence
