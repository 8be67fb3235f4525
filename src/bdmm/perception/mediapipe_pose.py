"""The pose estimator: a person's keypoints in 2-D and 3-D and foreground, by MediaPipe's networks.

The networks ship (`pose_network`): nothing is downloaded.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from bdmm.errors import InputError
from bdmm.perception.facing import find_front_back_flips, mirror_depth
from bdmm.perception.point_tracks import PointTracker
from bdmm.perception.pose import (
    Detection,
    FrameArray,
    KeptViews,
    PackedSilhouettes,
    PersonView,
    Silhouette,
    sample,
)
from bdmm.perception.pose_network import FACE_SIDE, FaceNetwork, FoundPose, PoseNetwork
from bdmm.perception.silhouette import largest_piece
from bdmm.perception.tracking import (
    DetectedPerson,
    Square,
    choose,
    crop,
    crop_around,
    describe_choice,
    find_people,
    foreground_in,
    is_same,
    next_crop,
    whole_frame,
)
from bdmm.records import KEYPOINT_NAMES, Landmarks

CLIP_LARGEST = 448
"""Largest side of the crop for a clip; the network resizes it to 256 itself."""
PHOTO_LARGEST = 1024
"""The same for a photo."""
SMALLEST_PICTURE = 16
"""Pixels along the side of a square in which people are looked for."""
SEARCH_EVERY = 10
"""While nobody has been seen yet, small people are searched in every N-th frame."""
FACE_EVERY = 3
"""A face is searched in every N-th frame, to tell front from back."""
SILHOUETTE_SIZE = 160
"""Pixels along the side of a stored silhouette: the resolution of the fit."""
SILHOUETTE_MARGIN = 1.3
"""Side of a stored silhouette, in sizes of the person."""
VIEW_SIZE = 320
"""Pixels along the side of a stored view of the person."""
VIEW_MARGIN = 1.5
"""Side of a stored view, in sizes of the person."""
VIEW_QUALITY = 95
"""Of its JPEG."""


def detect_clip(
    frames: Iterable[FrameArray], fps: Fraction, person: int | None = None, views_every: int = 0
) -> Detection:
    """Follow one person through a clip, frame by frame, in bounded memory.

    A square follows the person, so that small people are seen at full detail and other people stay
    outside of it.

    Args:
        frames: RGB in 0..255, all of one size.
        fps: frames per second.
        person: which of several people, counted from the left from 1 on; the largest if None.
        views_every: keep a view of the person of every N-th frame; of none if 0.

    Raises:
        InputError: there are no frames, or nobody is seen, or fewer people than ``person``.
    """
    seen, silhouettes, views = _Seen(), PackedSilhouettes(), KeptViews()
    size = (0, 0)
    points, tracker, face = PointTracker(), _Tracker(person), FaceNetwork()
    with ThreadPoolExecutor(1) as pool:
        tracked: Future[None] = pool.submit(lambda: None)
        for index, frame in enumerate(frames):
            frame = np.ascontiguousarray(frame)
            size = frame.shape[:2]
            one, score = tracker.step(frame), np.nan
            if one is not None:
                silhouette = _silhouette(index, one)
                silhouettes.append(silhouette)
                tracked.result()
                tracked = pool.submit(points.step, frame, silhouette)
                if index % FACE_EVERY == 0:
                    score = face.score(_head(frame, one.keypoints))
                if views_every and index % views_every == 0:
                    views.append(_view(index, one, frame))
            seen.append(one, score)
        tracked.result()
    if not seen.found:
        raise InputError("The driving clip has no frames.")
    if not any(seen.found):
        raise InputError(f"Nobody is seen in any of the {len(seen.found)} frames.")
    landmarks = seen.landmarks(size, fps)
    return Detection(landmarks, silhouettes, tracker.notes, points.point_tracks, views)


def detect_photo(photo: FrameArray, person: int | None = None) -> Detection:
    """Find one person in a photo; the only silhouette is soft and covers the whole photo.

    Args:
        photo: RGB in 0..255.
        person: as for `detect_clip`.

    Raises:
        InputError: nobody is seen, or fewer people than ``person``.
    """
    photo = np.ascontiguousarray(photo)
    search = PoseNetwork().search
    people = find_people(photo, lambda part, square: _detect(search, part, square, PHOTO_LARGEST))
    if not people:
        raise InputError("Nobody is seen in the photo: use one that shows a whole person.")
    one = choose(people, person, "the photo")
    seen = _Seen()
    seen.append(one)
    foreground = torch.from_numpy(foreground_in(one, photo.shape[:2]).clip(0, 1))[None]
    silhouette = Silhouette(0, foreground, (0.0, 0.0), 1.0)
    landmarks = seen.landmarks(photo.shape[:2], Fraction(1))
    return Detection(landmarks, (silhouette,), describe_choice(people, person))


class _Tracker:
    """Finds the chosen person in one frame after the other."""

    def __init__(self, person: int | None) -> None:
        self.network, self.number = PoseNetwork(), person
        self.square: Square | None = None
        self.last: DetectedPerson | None = None
        self.missed = 0
        self.notes: tuple[str, ...] = ()

    def step(self, frame: FrameArray) -> DetectedPerson | None:
        if self.last is None or self.square is None:
            one = self._find(frame)
        else:
            one = _detect(self.network.track, frame, self.square, CLIP_LARGEST)
            if one is None or not is_same(one, self.last, 1 + self.missed):
                one = self._find_again(frame, self.last)
        if one is None:
            self.missed += 1
            return None
        self.missed, self.last = 0, one
        square = crop_around(one, frame) if self.square is None else self.square
        square = next_crop(square, one, frame)
        if square != self.square:
            self.square = square
            self.network.forget()
        return one

    def _find(self, frame: FrameArray) -> DetectedPerson | None:
        thorough = self.missed % SEARCH_EVERY == 0
        people = find_people(frame, self._search, thorough)
        if not people:
            return None
        self.notes = describe_choice(people, self.number)
        return choose(people, self.number, "the first frame that shows anybody")

    def _search(self, frame: FrameArray, square: Square) -> DetectedPerson | None:
        return _detect(self.network.search, frame, square, PHOTO_LARGEST)

    def _find_again(self, frame: FrameArray, last: DetectedPerson) -> DetectedPerson | None:
        self.network.forget()
        for margin in (1.6, 2.4, 4.0):
            square = crop_around(last, frame, margin)
            one = self._search(frame, square)
            if one is not None and is_same(one, last, 1 + self.missed):
                self.square = None
                return one
            if square == whole_frame(frame.shape):
                break
        return None


def _detect(
    look: Callable[[np.ndarray], FoundPose | None], frame: FrameArray, square: Square, largest: int
) -> DetectedPerson | None:
    """Run the network on a square of a frame; None where it sees nobody."""
    picture = crop(frame, square, largest)
    if min(picture.shape[:2]) < SMALLEST_PICTURE:
        return None
    found = look(picture)
    if found is None:
        return None
    keypoints = _keypoints(found.landmarks, square, frame.shape[:2])
    return DetectedPerson(keypoints, to_keypoints(found.landmarks_3d), found.foreground, square)


def _keypoints(
    landmarks: Float[np.ndarray, "33 3"], square: Square, size: tuple[int, ...]
) -> Float[np.ndarray, "k 3"]:
    """Return (x, y, confidence) in pixels of a frame of a (height, width)."""
    places = landmarks[:, :2] * square.side + (square.x, square.y)
    outside = ((places < 0) | (places > size[1::-1])).any(axis=1)
    visibility = landmarks[:, 2] * np.where(outside, 0.3, 1)
    return np.column_stack((to_keypoints(places), to_confidence(visibility)))


class _Seen:
    """The keypoints of one frame after the other, in 0.7 kB a frame."""

    def __init__(self) -> None:
        self.found: list[bool] = []
        self._faces: list[float] = []
        self._flat, self._world = bytearray(), bytearray()

    def append(self, one: DetectedPerson | None, face: float = np.nan) -> None:
        """Add a frame, with the face detector's score at the head if it was asked."""
        nobody = np.zeros((len(KEYPOINT_NAMES), 3), np.float32)
        self.found.append(one is not None)
        self._faces.append(face)
        self._flat += (nobody if one is None else one.keypoints).tobytes()
        self._world += (nobody if one is None else one.keypoints_3d).tobytes()

    def landmarks(self, size: tuple[int, ...], fps: Fraction) -> Landmarks:
        """Return all frames, front and back told apart."""
        shape = len(self.found), len(KEYPOINT_NAMES), 3
        flat, world = (np.frombuffer(one, np.float32).reshape(shape)
                       for one in (self._flat, self._world))  # fmt: skip
        flipped = find_front_back_flips(world, np.array(self._faces))
        flat[flipped], world[flipped] = mirror_depth(flat[flipped], world[flipped])
        height, width = size[:2]
        found = torch.tensor(self.found)
        return Landmarks(
            torch.from_numpy(flat), torch.from_numpy(world), found, (height, width), fps
        )


def _view(index: int, one: DetectedPerson, frame: FrameArray) -> PersonView:
    """Return the square around the person, at most `VIEW_SIZE` pixels wide."""
    square = crop_around(one, frame, VIEW_MARGIN)
    picture = cv2.cvtColor(crop(frame, square, VIEW_SIZE), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, VIEW_QUALITY])
    return PersonView(index, jpeg, square[:2], len(picture) / square.side)


def _silhouette(index: int, one: DetectedPerson) -> Silhouette:
    """Cut the person out of the square's foreground, at a size that doesn't depend on theirs."""
    cells = one.foreground.shape[0] / one.square.side
    x, y = one.centre
    side = SILHOUETTE_MARGIN * one.size
    origin = x - side / 2, y - side / 2
    scale = SILHOUETTE_SIZE / side
    corner = (origin[0] - one.square.x) * cells, (origin[1] - one.square.y) * cells
    cropped = sample(one.foreground, corner, cells / scale, (SILHOUETTE_SIZE, SILHOUETTE_SIZE))
    inside = largest_piece(cropped > 0.5).astype(np.float32)
    return Silhouette(index, torch.from_numpy(inside)[None], origin, scale)


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


_HEAD = [KEYPOINT_NAMES.index(name) for name in ("nose", "left_ear", "right_ear")]
_TRUNK = [KEYPOINT_NAMES.index(name) for name in ("neck", "mid_hip")]


def _head(frame: FrameArray, keypoints: Float[np.ndarray, "k 3"]) -> UInt8[np.ndarray, "128 128 3"]:
    """Return the square around the head, of `FACE_SIDE` pixels."""
    neck, hip = keypoints[_TRUNK, :2]
    reach = max(8.0, 0.55 * float(np.hypot(*(neck - hip))))
    zoom = FACE_SIDE / 2 / reach
    shift = FACE_SIDE / 2 - zoom * keypoints[_HEAD, :2].mean(0)
    to_head = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    return cv2.warpAffine(frame, to_head, (FACE_SIDE, FACE_SIDE), flags=cv2.INTER_LINEAR)
