"""Corrects front-back confusions of pose estimators, by Viterbi's algorithm over a clip.

Seen from afar, a body and its mirror image in depth look the same, with left and right exchanged.
Estimators change from one reading to the other within a frame; bodies turn through the profile.
"""

import numpy as np
from jaxtyping import Bool, Float

from bdmm.body.bones import other_sides
from bdmm.records import KEYPOINT_NAMES

SWITCH = 0.5
"""Cost of changing the reading between two frames, in radians of turning: a body turns less than
29 degrees in a frame."""
DISTRUST = 0.01
"""Cost per frame of contradicting the estimator."""
FACE = 0.03
"""Cost per frame of a face where the back of the head should be, or of none where one should."""
FACE_SCORE = 0.75
"""A face detector's score that says neither."""

_POINT = {name: index for index, name in enumerate(KEYPOINT_NAMES)}
_MIRRORED = other_sides(KEYPOINT_NAMES)


def find_front_back_flips(
    keypoints_3d: Float[np.ndarray, "t k 3"], faces: Float[np.ndarray, "t"]
) -> Bool[np.ndarray, "t"]:
    """Return in which frames front and back are flipped, by the cheapest path through the clip.

    Turning fast costs, contradicting the estimator costs a little, and a face that is or isn't
    where the reading says so costs a little too (Viterbi's algorithm over two readings).

    Args:
        keypoints_3d: metres, camera axes; zeros where nobody was found.
        faces: a face detector's score at the head in [0, 1], NaN where it wasn't asked.
    """
    across = _across(keypoints_3d)
    readings = np.stack([across, across * (-1, 1)], axis=1)
    costs = _unary_costs(keypoints_3d, across, faces)
    angles = np.arctan2(readings[..., 1], readings[..., 0])
    total = costs[0]
    came_from = np.zeros((len(costs), 2), int)
    for frame in range(1, len(costs)):
        turn = angles[frame][None, :] - angles[frame - 1][:, None]
        turn = np.abs((turn + np.pi) % (2 * np.pi) - np.pi) + SWITCH * (1 - np.eye(2))
        came_from[frame] = (total[:, None] + turn).argmin(0)
        total = (total[:, None] + turn).min(0) + costs[frame]
    path = [int(total.argmin())]
    for frame in range(len(costs) - 1, 0, -1):
        path.append(int(came_from[frame, path[-1]]))
    return np.array(path[::-1], bool)


def mirror_depth(
    keypoints: Float[np.ndarray, "*t k 3"], keypoints_3d: Float[np.ndarray, "*t k 3"]
) -> tuple[Float[np.ndarray, "*t k 3"], Float[np.ndarray, "*t k 3"]]:
    """Return the other reading: left and right exchanged, depth reversed."""
    return keypoints[..., _MIRRORED, :], keypoints_3d[..., _MIRRORED, :] * (1, 1, -1)


def _across(keypoints_3d: Float[np.ndarray, "t k 3"]) -> Float[np.ndarray, "t 2"]:
    """Return (x, z) from the right to the left side; a missing frame repeats the last."""
    directions = sum(
        keypoints_3d[:, _POINT[f"left_{pair}"]] - keypoints_3d[:, _POINT[f"right_{pair}"]]
        for pair in ("shoulder", "hip")
    )
    across = np.asarray(directions)[:, [0, 2]]
    for frame in range(1, len(across)):
        if not across[frame].any():
            across[frame] = across[frame - 1]
    return across


def _unary_costs(
    keypoints_3d: Float[np.ndarray, "t k 3"],
    across: Float[np.ndarray, "t 2"],
    faces: Float[np.ndarray, "t"],
) -> Float[np.ndarray, "t 2"]:
    """Return each frame's cost of both readings, whatever the other frames are."""
    costs = np.zeros((len(faces), 2))
    costs[:, 1] = DISTRUST
    trunk = keypoints_3d[:, _POINT["neck"]] - keypoints_3d[:, _POINT["mid_hip"]]
    length = np.maximum(np.linalg.norm(trunk, axis=1), 1e-6)
    width = np.maximum(np.linalg.norm(across, axis=1), 1e-6)
    # A bowed head hides its face, and a profile shows half of it: neither weight.
    weight = np.isfinite(faces) * (trunk[:, 1] < -0.85 * length) * np.abs(across[:, 0]) / width
    score = np.nan_to_num(faces)
    front = FACE * weight * np.clip(1 - score / FACE_SCORE, 0, 1)
    back = FACE * weight * np.clip((score - FACE_SCORE) / (1 - FACE_SCORE), 0, 1)
    faces_front = across[:, 0] > 0
    costs[:, 0] += np.where(faces_front, front, back)
    costs[:, 1] += np.where(faces_front, back, front)
    return costs
