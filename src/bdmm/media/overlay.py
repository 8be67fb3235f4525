"""Keypoints, body and foreground drawn over a copy of a frame."""

import cv2
import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import SkinnedBody
from bdmm.body.rasterize import rasterize
from bdmm.media.image import Picture
from bdmm.records import KEYPOINT_NAMES, Motion

_LIMBS = (
    ("nose", "neck"), ("neck", "right_shoulder"), ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"), ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"), ("neck", "mid_hip"), ("mid_hip", "right_hip"),
    ("right_hip", "right_knee"), ("right_knee", "right_ankle"), ("right_ankle", "right_big_toe"),
    ("right_ankle", "right_heel"), ("mid_hip", "left_hip"), ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"), ("left_ankle", "left_big_toe"), ("left_ankle", "left_heel"),
    ("nose", "right_eye"), ("nose", "left_eye"), ("right_eye", "right_ear"),
    ("left_eye", "left_ear"), ("right_wrist", "right_index"), ("left_wrist", "left_index"),
)  # fmt: skip
RIGHT, LEFT, MIDDLE = (235, 110, 40), (30, 130, 235), (245, 215, 60)
"""Colours of the person's right side, left side and middle."""
ALARM = (220, 30, 30)
_BODY_COLOUR = np.array([120, 200, 170], np.float32)
_FOREGROUND_COLOUR = np.array([80, 60, 220], np.float32)
_FOREGROUND_OPACITY = 0.45
_LEAST_CONFIDENCE = 0.3


def draw_keypoints(frame: Picture, keypoints: Float[Tensor, "k 3"]) -> Picture:
    """Draw the keypoints that were seen, joined to a skeleton.

    Args:
        keypoints: 29 (x, y, confidence) in pixels of the frame.
    """
    picture = np.ascontiguousarray(frame.copy())
    seen = keypoints[:, 2] >= _LEAST_CONFIDENCE
    # OpenCV puts (0, 0) at the first pixel's centre
    places = [(round(x - 0.5), round(y - 0.5)) for x, y in keypoints[:, :2].tolist()]
    thick = max(1, round(max(frame.shape[:2]) / 300))
    for names in _LIMBS:
        start, end = (KEYPOINT_NAMES.index(name) for name in names)
        if seen[start] and seen[end]:
            cv2.line(picture, places[start], places[end], _side(names[1]), thick, cv2.LINE_AA)
    for name, place, known in zip(KEYPOINT_NAMES, places, seen, strict=True):
        if known:
            cv2.circle(picture, place, thick + 1, _side(name), -1, cv2.LINE_AA)
    return picture


def draw_body(frame: Picture, motion: Motion, body: SkinnedBody, opacity: float = 0.55) -> Picture:
    """Lay the fitted body over a frame, shaded as if lit from the camera."""
    posed = body.vertices(motion.shape, motion.rotations)
    vertices = project(posed, motion.scale, motion.translation)
    height, width = frame.shape[:2]
    raster = rasterize(vertices, body.faces, (height, width))
    face = raster.face[0].numpy()
    covered = face >= 0
    light = _facing(vertices[0], body)[face[covered]]
    picture = frame.astype(np.float32)
    shaded = _BODY_COLOUR * (0.25 + 0.75 * light[:, None])
    picture[covered] += (shaded - picture[covered]) * opacity
    return picture.round().clip(0, 255).astype(np.uint8)


def tint_foreground(frame: Picture, foreground: Float[Tensor, "h w"]) -> Picture:
    """Colour the person's foreground, in [0, 1]."""
    share = _FOREGROUND_OPACITY * foreground.numpy()[..., None]
    picture = frame + (_FOREGROUND_COLOUR - frame) * share
    return picture.round().clip(0, 255).astype(np.uint8)


def mark_flagged(frame: Picture) -> Picture:
    """Put a red rim around a frame whose pose was not trusted."""
    picture = frame.copy()
    rim = max(2, max(frame.shape[:2]) // 80)
    for edge in (np.s_[:rim], np.s_[-rim:], np.s_[:, :rim], np.s_[:, -rim:]):
        picture[edge] = ALARM
    return picture


def _facing(vertices: Float[Tensor, "v 3"], body: SkinnedBody) -> Float[np.ndarray, "f"]:
    """Return how much each face is turned towards the camera, in [0, 1]."""
    corners = vertices[body.faces]
    edges = rearrange(corners[:, 1:] - corners[:, :1], "f edge xyz -> edge f xyz")
    normals = torch.nn.functional.normalize(torch.linalg.cross(edges[0], edges[1]), dim=-1)
    return normals[:, 2].abs().numpy()


def _side(name: str) -> tuple[int, int, int]:
    if name.startswith("right"):
        return RIGHT
    return LEFT if name.startswith("left") else MIDDLE
