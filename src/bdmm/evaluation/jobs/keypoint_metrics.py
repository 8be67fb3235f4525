"""Pose accuracy of a clip: keypoints detected in its generated frames."""

import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from bdmm.evaluation.config import EvalFrame
from bdmm.files.output_file import writing
from bdmm.media.image import Picture
from bdmm.media.pixels import to_frames
from bdmm.metrics.keypoint_error import detect_keypoints, keypoint_error
from bdmm.metrics.running import Summary
from bdmm.shapes import Frames

POSE = "pose"
"""Takes the place of a region's name."""
METRICS = {"keypoint_pixels": "pixels", "pck": "pck", "keypoints_found": "detection_rate"}
"""Metric -> attribute of `metrics.keypoint_error.KeypointError`."""


class FrameCache(AbstractContextManager["FrameCache"]):
    """A temporary file of frames of one size; use it in a ``with`` statement.

    Args:
        folder: of the file; it takes three bytes per pixel.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with writing(folder):
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".frames-")  # noqa: SIM115
        self._shape: tuple[int, ...] | None = None
        self._count = 0

    def __exit__(self, *error: object) -> None:
        """Remove the file."""
        self._file.close()

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._count

    def add(self, frame: Picture) -> None:
        """Append a frame.

        Raises:
            InputError: the disk is full.
        """
        assert self._shape in (None, frame.shape), "frames are of one size"
        self._shape = frame.shape
        with writing(self._folder):
            self._file.write(np.ascontiguousarray(frame).data)
        self._count += 1

    def __iter__(self) -> Iterator[Picture]:
        """Read the frames one by one, in order."""
        for number in range(self._count):
            yield self._read([number])[0]

    def frames(self, numbers: Sequence[int]) -> Frames:
        """Return some frames in [-1, 1]."""
        return to_frames(list(self._read(numbers)))

    def _read(self, numbers: Sequence[int]) -> UInt8[np.ndarray, "_ _ _ 3"]:
        assert self._shape is not None, "a frame was added"
        self._file.flush()
        size = math.prod(self._shape)
        pictures = np.empty((len(numbers), *self._shape), np.uint8)
        for i, number in enumerate(numbers):
            self._file.seek(number * size)
            pictures[i] = np.frombuffer(self._file.read(size), np.uint8).reshape(self._shape)
        self._file.seek(0, 2)
        return pictures


class KeypointMetrics(AbstractContextManager["KeypointMetrics"]):
    """Keeps a clip's frames on disk and detects the person in them at the end."""

    def __init__(self, folder: Path, fps: float) -> None:
        self._cache = FrameCache(folder)
        self._fps = Fraction(fps).limit_denominator(1001)
        self._driving: list[Tensor] = []
        self._height = 0

    def __exit__(self, *error: object) -> None:
        """Remove the frames."""
        self._cache.__exit__()

    def watch(self, frames: Iterable[EvalFrame]) -> Iterator[EvalFrame]:
        """Pass frames on; those without driving keypoints do not count."""
        for frame in frames:
            if frame.keypoints is not None:
                self._cache.add(frame.pair.generated_uint8)
                self._driving.append(frame.keypoints)
                self._height = frame.pair.generated_uint8.shape[0]
            yield frame

    def scores(self) -> dict[str, dict[str, Summary]]:
        """Return `POSE` -> metric -> summary of the clip; nothing where no frame counts."""
        if not self._driving:
            return {}
        found = detect_keypoints(self._cache, self._fps)
        error = keypoint_error(found, torch.stack(self._driving), self._height)
        count = error.frames
        values = {metric: float(getattr(error, name)) for metric, name in METRICS.items()}
        return {
            POSE: {
                metric: Summary(value, math.nan, count, count if math.isnan(value) else 0)
                for metric, value in values.items()
            }
        }
