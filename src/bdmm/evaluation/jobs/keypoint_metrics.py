"""Does the generated person do the motion? Keypoints found again in a clip's generated frames."""

import math
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from bdmm.evaluation.jobs.frame_cache import FrameTape
from bdmm.evaluation.jobs.reenactment import JudgedFrame
from bdmm.metrics.keypoint_error import detect_keypoints, keypoint_error
from bdmm.metrics.running import Summary
from bdmm.perception.mediapipe_pose import MediaPipePose

POSE = "pose"
"""Stands where a region's name stands."""
METRICS = {"keypoint_pixels": "pixels", "pck": "pck", "keypoints_found": "found"}
"""Metric -> attribute of `metrics.keypoint_error.KeypointError`."""


class PoseJudge(AbstractContextManager["PoseJudge"]):
    """Keeps a clip's frames on disk and looks for the person in them at the end.

    Args:
        folder: where the frames lie for the time being.
        fps: frames per second.
    """

    def __init__(self, folder: Path, fps: float) -> None:
        self._tape = FrameTape(folder)
        self._fps = Fraction(fps).limit_denominator(1001)
        self._driving: list[Tensor] = []
        self._height = 0

    def __exit__(self, *error: object) -> None:
        """Let go of the frames."""
        self._tape.__exit__()

    def watch(self, frames: Iterable[JudgedFrame]) -> Iterator[JudgedFrame]:
        """Pass frames on; those whose driving keypoints are not known do not count."""
        for frame in frames:
            if frame.keypoints is not None:
                self._tape.add(frame.pair.generated_uint8)
                self._driving.append(frame.keypoints)
                self._height = frame.pair.generated_uint8.shape[0]
            yield frame

    def scores(self) -> dict[str, dict[str, Summary]]:
        """Return `POSE` -> metric -> what the clip came to; nothing where no frame counts."""
        if not self._driving:
            return {}
        found = detect_keypoints(self._tape, self._fps, MediaPipePose())
        error = keypoint_error(found, torch.stack(self._driving), self._height)
        count = error.frames
        values = {metric: float(getattr(error, name)) for metric, name in METRICS.items()}
        return {
            POSE: {
                metric: Summary(value, math.nan, count, count if math.isnan(value) else 0)
                for metric, value in values.items()
            }
        }
