"""Tracking one person: which of several people, and which square of the next frame to search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from bdmm.errors import InputError
from bdmm.perception.pose import FrameArray

MAX_PEOPLE = 8
SMALLEST_SQUARE = 64
SURE = 0.5
"""Confidence from which a keypoint counts as seen."""


class Square(NamedTuple):
    """A square part of a frame in whole pixels; it may reach over the frame's border."""

    x: int
    y: int
    side: int


@dataclass(frozen=True)
class DetectedPerson:
    """One person in one frame.

    Attributes:
        keypoints: ``29 3`` (x, y, confidence) in pixels of the frame.
        keypoints_3d: ``29 3`` metres around the hips, camera axes.
        foreground: ``h w`` in [0, 1], in pixels of ``square`` (possibly resized).
        square: the part of the frame that ``foreground`` covers.
    """

    keypoints: Float[np.ndarray, "k 3"]
    keypoints_3d: Float[np.ndarray, "k 3"]
    foreground: Float[np.ndarray, "h w"]
    square: Square

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The seen keypoints' (left, top, right, bottom), pixels of the frame."""
        sure = self.keypoints[:, 2] > SURE
        points = self.keypoints[sure if sure.sum() >= 4 else self.keypoints[:, 2] > 0, :2]
        (left, top), (right, bottom) = points.min(0), points.max(0)
        return float(left), float(top), float(right), float(bottom)

    @property
    def size(self) -> float:
        """The longer side of the box in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top, 1.0)

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box, pixels of the frame."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


Detector = Callable[[FrameArray, Square], DetectedPerson | None]
"""Looks for one person in a square of a frame."""


def whole_frame(size: tuple[int, ...]) -> Square:
    """Return the smallest square that holds a frame of a (height, width), centred."""
    height, width = size[:2]
    side = max(height, width)
    return Square((width - side) // 2, (height - side) // 2, side)


def crop(frame: FrameArray, square: Square, largest: int) -> UInt8[np.ndarray, "side side 3"]:
    """Cut a square out of a frame, black beyond its border, at most ``largest`` pixels wide."""
    height, width = frame.shape[:2]
    x, y, side = square
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + side, width), min(y + side, height)
    scale = min(1.0, largest / side)
    out = round(side * scale)
    result = np.zeros((out, out, 3), np.uint8)
    if right <= left or bottom <= top:
        return result
    x0, y0, x1, y1 = (round(v * scale) for v in (left - x, top - y, right - x, bottom - y))
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    part = frame[top:bottom, left:right]
    if part.shape[:2] != (y1 - y0, x1 - x0):
        part = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    result[y0:y1, x0:x1] = part
    return result


def crop_around(person: DetectedPerson, frame: FrameArray, margin: float = 2.0) -> Square:
    """Return the square ``margin`` times the person's size, never larger than the whole frame."""
    everything = whole_frame(frame.shape)
    side = round(person.size * margin)
    if side >= 0.9 * everything.side:
        return everything
    x, y = person.centre
    return Square(round(x - side / 2), round(y - side / 2), side)


def next_crop(square: Square, person: DetectedPerson, frame: FrameArray) -> Square:
    """Return the square to search in the next frame: the same while it still fits, else a new one.

    A constant square spares the detector a jump. It fits while the person, with a margin of a tenth
    of their size, lies inside and fills between a third and four fifths of it.
    """
    fresh = crop_around(person, frame)
    left, top, right, bottom = person.box
    rim = 0.1 * person.size
    inside = (
        left - rim > square.x
        and top - rim > square.y
        and right + rim < square.x + square.side
        and bottom + rim < square.y + square.side
    )
    fitting = 1 / 3 < person.size / square.side < 0.8
    if square == whole_frame(frame.shape):
        fitting = fresh == square or person.size / square.side > 1 / 3
    return square if inside and fitting else fresh


def is_same(person: DetectedPerson, before: DetectedPerson, frames_between: int = 1) -> bool:
    """Tell whether two detections are near enough in place and size to be one person."""
    size = max(person.size, before.size)
    step = np.hypot(*np.subtract(person.centre, before.centre))
    ratio = person.size / before.size
    reach = 0.35 + 0.05 * min(frames_between, 10)
    return bool(step < reach * size and 0.4 < ratio < 2.5)


def find_people(frame: FrameArray, detect: Detector, thorough: bool = True) -> list[DetectedPerson]:
    """Find everybody in a frame with a detector that sees one person at a time, left to right.

    Each person found is detected again in a closer square, then inpainted with the frame's blurred
    surroundings, and the search goes on. The squares shrink until one size shows somebody.

    Args:
        thorough: try the smallest squares too (up to some seconds for a frame without people).
    """
    canvas = frame.copy()
    found: list[DetectedPerson] = []
    for squares in _search_squares(frame, thorough):
        for square in squares:
            while len(found) < MAX_PEOPLE:
                person = detect(canvas, square)
                if person is None or not _is_credible(person):
                    break
                person = _detect_closer(canvas, person, detect)
                _paint_over(canvas, person)
                if any(_overlap(person, other) > 0.5 for other in found):
                    break
                found.append(person)
        if found:
            break
    largest = max((one.size for one in found), default=0.0)
    found = [one for one in found if one.size > 0.3 * largest]
    return sorted(found, key=lambda one: one.centre[0])


def choose(
    people: Sequence[DetectedPerson], person: int | None, where: str = "the frame"
) -> DetectedPerson:
    """Return the largest of the people, or the ``person``-th from the left (from 1 on).

    Raises:
        InputError: there are fewer people than that.
    """
    if person is None:
        return max(people, key=lambda one: one.size)
    if not 1 <= person <= len(people):
        seen = "1 person is" if len(people) == 1 else f"{len(people)} people are"
        raise InputError(f"There is no person {person}: {seen} seen in {where}.")
    return people[person - 1]


def describe_choice(people: Sequence[DetectedPerson], person: int | None) -> tuple[str, ...]:
    """Return a note for the user where several people were seen and none was asked for."""
    if len(people) < 2 or person is not None:
        return ()
    chosen = choose(people, None)
    number = 1 + next(place for place, one in enumerate(people) if one is chosen)
    return (f"{len(people)} people are seen; the largest is taken, number {number} from the left.",)


def _is_credible(person: DetectedPerson) -> bool:
    """Tell a person from what the network imagines in an empty square."""
    sure = person.keypoints[:, 2] > SURE
    if sure.sum() < 8:
        return False
    x, y, side = person.square
    cells = person.foreground.shape[0]
    places = (person.keypoints[sure, :2] - (x, y)) * (cells / side)
    column, row = places.astype(int).clip(0, cells - 1).T
    return bool(person.foreground[row, column].mean() > SURE)


def _search_squares(frame: FrameArray, thorough: bool) -> list[list[Square]]:
    """Return squares to search, from the whole frame to quarters of its shorter side."""
    height, width = frame.shape[:2]
    everything = whole_frame(frame.shape)
    levels = [[everything]]
    for parts in (1, 2, 4) if thorough else (1,):
        side = min(height, width) // parts
        if side < SMALLEST_SQUARE:
            break
        squares = [Square(x, y, side) for y in _starts(height, side) for x in _starts(width, side)]
        if squares != [everything]:
            levels.append(squares)
    return levels


def _starts(length: int, side: int) -> list[int]:
    count = 1 + int(np.ceil((length - side) / (0.6 * side)))
    return [round(v) for v in np.linspace(0, length - side, count)]


def _detect_closer(frame: FrameArray, person: DetectedPerson, detect: Detector) -> DetectedPerson:
    square = crop_around(person, frame)
    if square == person.square:
        return person
    closer = detect(frame, square)
    return closer if closer is not None and is_same(closer, person) else person


def foreground_in(person: DetectedPerson, size: tuple[int, ...]) -> Float[np.ndarray, "h w"]:
    """Return the person's foreground in a frame of a (height, width), 0 outside their square."""
    height, width = size[:2]
    x, y, side = person.square
    soft = cv2.resize(person.foreground, (side, side), interpolation=cv2.INTER_LINEAR)
    whole = np.zeros((height, width), np.float32)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if right > left and bottom > top:
        whole[top:bottom, left:right] = soft[top - y : bottom - y, left - x : right - x]
    return whole


def _paint_over(canvas: FrameArray, person: DetectedPerson) -> None:
    """Cover a person with a strong blur of what is around them, in place."""
    cover = (foreground_in(person, canvas.shape) > 0.3).astype(np.uint8)
    limbs = person.keypoints[person.keypoints[:, 2] > SURE, :2]
    for px, py in limbs:
        cv2.circle(cover, (int(px), int(py)), max(2, int(0.05 * person.size)), (1,), -1)
    grow = max(3, int(0.06 * person.size))
    cover = cv2.dilate(cover, np.ones((grow, grow), np.uint8)) > 0
    canvas[cover] = _surroundings(canvas, cover, person.size)[cover]


def _surroundings(canvas: FrameArray, cover: np.ndarray, size: float) -> FrameArray:
    """Return the canvas blurred over a third of ``size`` without the covered pixels."""
    height, width = canvas.shape[:2]
    shrink = min(1.0, 64 / size)
    small = max(1, round(width * shrink)), max(1, round(height * shrink))
    outside = (~cover).astype(np.float32)
    colours = cv2.resize(canvas * outside[..., None], small, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(outside, small, interpolation=cv2.INTER_AREA)
    sigma = max(1.0, 0.3 * size * shrink)
    colours = cv2.GaussianBlur(colours, (0, 0), sigma)
    weight = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
    filled = (colours / np.maximum(weight, 1e-3)).clip(0, 255).astype(np.uint8)
    return cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)


def _overlap(one: DetectedPerson, other: DetectedPerson) -> float:
    """Intersection of the two boxes over the smaller box."""
    a, b = np.array(one.box), np.array(other.box)
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return float(np.prod(np.clip(sides, 0, None)) / max(smaller, 1e-6))
