"""MediaPipe's networks for poses (BlazePose), faces (BlazeFace) and hands, run by LiteRT.

The networks ship (``tools/build_pose_networks.py`` takes them out of MediaPipe's wheel). MediaPipe
itself is not used: its releases for today's Python report their use to their maker. What happens
around the networks is written from the graphs that MediaPipe publishes: Bazarevsky et al.,
"BlazePose: On-device Real-time Body Pose tracking", 2020; Zhang et al., "MediaPipe Hands:
On-device Real-time Hand Tracking", 2020.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from bdmm.files.native_output import silent_stderr
from bdmm.media.image import Picture

LANDMARKS = 33
"""Of a pose; two more follow, the middle of the hips and a point that gives size and direction."""
FACE_SIDE = 128
"""Pixels along the side of the pictures in which faces are looked for."""
DETECTION_CONFIDENCE = 0.15
"""Low, for kicks and turned backs; landmarks of low confidence are rejected afterwards."""
POSE_CONFIDENCE = 0.5
"""Probability of a pose below which there is none in a region."""
SAME_PERSON = 0.3
"""Overlap (intersection over union) from which two boxes are of one person."""
_DETECTOR_SIDE, _POSE_SIDE, _HAND_SIDE = 224, 256, 224
_STRIDES = ((8, 2), (16, 2), (32, 6))
"""Pixels between the detector's cells, and boxes for each cell."""
_LOGIT_LIMIT = 80.0
_MARGIN = 1.25
"""Side of the region of a pose, in diameters of the circle around hips and body."""
_PALM, _HAND_MARGIN = 0.9, 1.3
"""Centre of the region of a hand, in lengths from wrist to knuckles, and half its side."""
_HEATMAP_REACH = 4
"""Cells around a landmark whose heatmap refines it."""

Point = Float[np.ndarray, "2"]
Square = UInt8[np.ndarray, "side side 3"]
"""A square picture, RGB."""


class Region(NamedTuple):
    """A turned square: centre and side in sides of the picture, angle in radians, clockwise."""

    x: float
    y: float
    side: float
    angle: float

    def to_picture(self) -> Float[np.ndarray, "2 3"]:
        """Return the affine map from the region's unit square to the picture's."""
        across = self.side * np.cos(self.angle), self.side * np.sin(self.angle)
        turn = np.array([[across[0], -across[1]], [across[1], across[0]]])
        return np.column_stack((turn, (self.x, self.y) - turn @ (0.5, 0.5)))


@dataclass(frozen=True)
class FoundPose:
    """One person in a square picture.

    Attributes:
        landmarks: ``33 3`` (x, y, visibility); positions in sides of the picture.
        landmarks_3d: ``33 3`` metres around the hips, camera axes.
        foreground: ``side side`` in [0, 1], of the whole picture.
        axis: ``2 2`` middle of the hips and a point on the circle around the body, in sides of the
            picture; they give the region of the next frame.
    """

    landmarks: Float[np.ndarray, "33 3"]
    landmarks_3d: Float[np.ndarray, "33 3"]
    foreground: Float[np.ndarray, "side side"]
    axis: Float[np.ndarray, "2 2"]


class OneEuroFilter:
    """Steadies positions that hardly move and lets fast ones pass.

    Casiez et al., "1 euro filter", CHI 2012; as MediaPipe uses it for the region of a pose, at 30
    frames per second.
    """

    RATE, LEAST_CUTOFF, SLOPE, SPEED_CUTOFF = 30.0, 0.01, 10.0, 1.0

    def __init__(self) -> None:
        self._last = self._steady = self._speed = np.zeros(0)

    def __call__(self, positions: Float[np.ndarray, "*n"], size: float) -> Float[np.ndarray, "*n"]:
        """Return the steadied positions of the next frame.

        Args:
            size: of the person, in the positions' unit; speeds are measured by it.
        """
        if not self._last.size:
            self._last = self._steady = positions
            self._speed = np.zeros_like(positions)
            return positions
        speed = (positions - self._last) * self.RATE / size
        self._speed = self._speed + self._share(self.SPEED_CUTOFF) * (speed - self._speed)
        share = self._share(self.LEAST_CUTOFF + self.SLOPE * np.abs(self._speed))
        self._steady = self._steady + share * (positions - self._steady)
        self._last = positions
        return self._steady

    def _share(self, cutoff: float | np.ndarray) -> Any:
        """Return the share of a new value in the mean, of a cutoff frequency in hertz."""
        return 1 / (1 + self.RATE / (2 * np.pi * cutoff))


class PoseNetwork:
    """BlazePose of complexity 1: a detector of people, and a network for one person's region."""

    def __init__(self) -> None:
        self._detector = _Network("pose_detection")
        self._pose = _Network("pose_landmark_full")
        self._region: Region | None = None
        self._filter = OneEuroFilter()

    def search(self, picture: Square) -> FoundPose | None:
        """Find the most prominent person; nothing is remembered."""
        region = self._detect(picture)
        return None if region is None else self._look(picture, region)

    def track(self, picture: Square) -> FoundPose | None:
        """Look where the last call saw the person; search if it saw none."""
        region = self._region or self._detect(picture)
        found = None if region is None else self._look(picture, region)
        if found is None:
            self.forget()
        else:
            diameter = _region(found.axis).side / _MARGIN
            self._region = _region(self._filter(found.axis, diameter))
        return found

    def forget(self) -> None:
        """Let the next `track` search."""
        self._region, self._filter = None, OneEuroFilter()

    def _detect(self, picture: Square) -> Region | None:
        whole = _resample(picture, Region(0.5, 0.5, 1, 0), _DETECTOR_SIDE, cv2.BORDER_CONSTANT)
        boxes, logits = self._detector(whole * 2 - 1)
        scores = _sigmoid(logits[:, 0])
        best = int(scores.argmax())
        if scores[best] < DETECTION_CONFIDENCE:
            return None
        boxes = boxes / _DETECTOR_SIDE
        boxes[:, :2] += _ANCHORS
        points = boxes[:, 4:8].reshape(-1, 2, 2) + _ANCHORS[:, None]
        weights = scores * (scores >= DETECTION_CONFIDENCE)
        weights *= _overlap(boxes[best, :4], boxes[:, :4]) > SAME_PERSON
        if not weights.any():
            return None
        return _region((points * weights[:, None, None]).sum(0) / weights.sum())

    def _look(self, picture: Square, region: Region) -> FoundPose | None:
        maps = _resample(picture, region, _POSE_SIDE, cv2.BORDER_REPLICATE)
        flat, probability, foreground, heatmaps, world = self._pose(maps)
        if probability.item() < POSE_CONFIDENCE:
            return None
        marks = flat.reshape(-1, 5)
        places = _refined(marks[:, :2] / _POSE_SIDE, _sigmoid(heatmaps))
        to_picture = region.to_picture()
        places = places @ to_picture[:, :2].T + to_picture[:, 2]
        turn = to_picture[:, :2] / region.side
        world = world.reshape(-1, 3)[:LANDMARKS]
        return FoundPose(
            np.column_stack((places, _sigmoid(marks[:, 3])))[:LANDMARKS].astype(np.float32),
            np.column_stack((world[:, :2] @ turn.T, world[:, 2])).astype(np.float32),
            _laid_back(_sigmoid(foreground[..., 0]), to_picture, picture.shape[0]),
            places[LANDMARKS : LANDMARKS + 2],
        )


class FaceNetwork:
    """BlazeFace, short range."""

    def __init__(self) -> None:
        self._network = _Network("face_detection_short_range")

    def score(self, picture: UInt8[np.ndarray, "128 128 3"]) -> float:
        """Return in [0, 1] how much the picture's most likely face looks like one."""
        _, logits = self._network(picture.astype(np.float32) / 127.5 - 1)
        return float(_sigmoid(logits).max())


class HandNetwork:
    """MediaPipe's hand landmark model, lite: tells whether a hand is seen."""

    def __init__(self) -> None:
        self._network = _Network("hand_landmark_lite")

    def score(self, picture: Picture, wrist: Point, knuckles: Point) -> float:
        """Return in [0, 1] how likely a hand is seen at a place of a picture.

        Args:
            picture: RGB in 0..255.
            wrist: (x, y) in pixels.
            knuckles: the middle of index and little finger's, likewise.
        """
        height, along = len(picture), knuckles - wrist
        x, y = (wrist + _PALM * along) / height
        side, angle = hand_side(wrist, knuckles) / height, np.arctan2(along[0], -along[1])
        region = Region(float(x), float(y), side, float(angle))
        hand = _resample(picture, region, _HAND_SIDE, cv2.BORDER_REPLICATE)
        _, presence, _, _ = self._network(hand)
        return float(presence.item())


def hand_side(wrist: Point, knuckles: Point) -> float:
    """Return the pixels along the side of the region of a hand."""
    return 2 * _HAND_MARGIN * float(np.hypot(*(knuckles - wrist)))


class _Network:
    """One of the shipped networks."""

    def __init__(self, name: str) -> None:
        with silent_stderr():
            from ai_edge_litert.interpreter import Interpreter

            path = files("bdmm.assets") / "pose" / f"{name}.tflite"
            self._interpreter: Any = Interpreter(str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]

    def __call__(self, maps: Float[np.ndarray, "h w 3"]) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, maps[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]


def _anchors() -> Float[np.ndarray, "n 2"]:
    """Return the centres of the cells to which the detector's boxes are relative."""
    levels = []
    for stride, count in _STRIDES:
        steps = (np.arange(_DETECTOR_SIDE // stride) + 0.5) * stride / _DETECTOR_SIDE
        cells = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        levels.append(cells.repeat(count, axis=0))
    return np.concatenate(levels).astype(np.float32)


_ANCHORS = _anchors()


def _region(axis: Float[np.ndarray, "2 2"]) -> Region:
    """Return the region of a body from the middle of its hips and a point on the circle around it.

    Turned so that the second point lies above the first.
    """
    (x, y), (dx, dy) = axis[0], axis[1] - axis[0]
    side = 2 * _MARGIN * float(np.hypot(dx, dy))
    return Region(float(x), float(y), side, float(np.arctan2(dx, -dy)))


def _resample(
    picture: Picture, region: Region, side: int, border: int
) -> Float[np.ndarray, "h w 3"]:
    """Return a region of a picture, in [0, 1]; the networks take pixels by their corners.

    Args:
        region: in heights of the picture.
    """
    matrix = region.to_picture() * len(picture)
    matrix[:, :2] /= side
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    pixels = cv2.warpAffine(picture, matrix, (side, side), flags=flags, borderMode=border)
    return pixels.astype(np.float32) / 255


def _laid_back(
    foreground: Float[np.ndarray, "h w"], to_picture: Float[np.ndarray, "2 3"], side: int
) -> Float[np.ndarray, "rows columns"]:
    """Return a region's foreground in the picture, 0 around the region."""
    matrix = to_picture * side
    matrix[:, :2] /= len(foreground)
    return cv2.warpAffine(foreground, matrix, (side, side), flags=cv2.INTER_LINEAR)


def _refined(
    places: Float[np.ndarray, "m 2"], heatmaps: Float[np.ndarray, "h w m"]
) -> Float[np.ndarray, "m 2"]:
    """Return positions moved to the means of their heatmaps around them, where these are sure."""
    height, width = heatmaps.shape[:2]
    places = places.copy()
    for number, (x, y) in enumerate(places):
        column, row = int(x * width), int(y * height)
        if not (0 <= column < width and 0 <= row < height):
            continue
        left, top = max(column - _HEATMAP_REACH, 0), max(row - _HEATMAP_REACH, 0)
        near = heatmaps[top : row + _HEATMAP_REACH + 1, left : column + _HEATMAP_REACH + 1, number]
        if near.max() >= POSE_CONFIDENCE:
            columns, rows = near.sum(0), near.sum(1)
            x = (columns * (left + np.arange(len(columns)))).sum() / (width * columns.sum())
            y = (rows * (top + np.arange(len(rows)))).sum() / (height * rows.sum())
            places[number] = x, y
    return places


def _overlap(box: Float[np.ndarray, "4"], boxes: Float[np.ndarray, "n 4"]) -> np.ndarray:
    """Return intersections over unions of a box and others (x, y of the centre, width, height)."""
    low = np.maximum(box[:2] - box[2:] / 2, boxes[:, :2] - boxes[:, 2:] / 2)
    high = np.minimum(box[:2] + box[2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2)
    shared = (high - low).clip(0).prod(1)
    return shared / np.maximum(box[2:].prod() + boxes[:, 2:].clip(0).prod(1) - shared, 1e-9)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.clip(-_LOGIT_LIMIT, _LOGIT_LIMIT)))
