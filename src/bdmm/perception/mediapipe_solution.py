"""MediaPipe's two networks that are used here, kept quiet; their models lie inside its wheel."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from bdmm.records import KEYPOINT_NAMES

Picture = UInt8[np.ndarray, "h w 3"]

DETECTION_CONFIDENCE = 0.15
"""Low, for kicks and turned backs; what is no person is sorted out by the landmarks afterwards."""
FACE_SIDE = 128
_HEAD = [KEYPOINT_NAMES.index(name) for name in ("nose", "left_ear", "right_ear")]
_TRUNK = [KEYPOINT_NAMES.index(name) for name in ("neck", "mid_hip")]
_NOTHING = np.zeros((64, 64, 3), np.uint8)


class PoseSolution:
    """The pose network (BlazePose, complexity 1).

    Args:
        static: look at each picture afresh instead of where the person was last.
    """

    def __init__(self, static: bool) -> None:
        with _quiet():
            from mediapipe.python.solutions.pose import Pose

            self._pose = Pose(
                static_image_mode=static,
                model_complexity=1,
                smooth_landmarks=False,
                smooth_segmentation=False,
                enable_segmentation=True,
                min_detection_confidence=DETECTION_CONFIDENCE,
            )
            self._pose.process(_NOTHING)
        self._talks = 2

    def __enter__(self) -> "PoseSolution":
        return self

    def __exit__(self, *_: object) -> None:
        with _quiet():
            self._pose.close()

    def process(self, picture: Picture) -> Any:
        """Run the network; it has something to say about the first people that it sees."""
        if self._talks <= 0:
            return self._pose.process(picture)
        with _quiet():
            result: Any = self._pose.process(picture)
        self._talks -= result.pose_landmarks is not None
        return result

    def reset(self) -> None:
        """Forget where the person was."""
        with _quiet():
            self._pose.reset()
            self._pose.process(_NOTHING)
        self._talks = 2


class FaceSolution:
    """The face detector (BlazeFace, short range)."""

    def __init__(self) -> None:
        with _quiet():
            from mediapipe.python.solutions.face_detection import FaceDetection

            self._faces = FaceDetection(model_selection=0, min_detection_confidence=0.01)
            self._faces.process(_NOTHING)

    def __enter__(self) -> "FaceSolution":
        return self

    def __exit__(self, *_: object) -> None:
        with _quiet():
            self._faces.close()

    def score(self, frame: Picture, keypoints: Float[np.ndarray, "k 3"]) -> float:
        """Return in [0, 1] how much what lies at the head looks like a face.

        Args:
            frame: RGB in 0..255.
            keypoints: of the person, pixels of the frame.
        """
        neck, hip = keypoints[_TRUNK, :2]
        reach = max(8.0, 0.55 * float(np.hypot(*(neck - hip))))
        zoom = FACE_SIDE / 2 / reach
        shift = FACE_SIDE / 2 - zoom * keypoints[_HEAD, :2].mean(0)
        to_head = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        head = cv2.warpAffine(frame, to_head, (FACE_SIDE, FACE_SIDE), flags=cv2.INTER_LINEAR)
        result: Any = self._faces.process(head)
        return max((face.score[0] for face in result.detections or []), default=0.0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send the process's standard error to nowhere for a moment, C++ included."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
