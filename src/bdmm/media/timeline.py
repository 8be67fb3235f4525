"""From the time stamps of a file to a constant frame rate.

Output frame ``i`` is shown from ``i / fps`` on. An input frame takes the output place nearest to
its own time; a place without a frame of its own repeats the one before; of several frames in one
place the last counts. Where the input is constant already, every frame keeps its place.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

import numpy as np
from jaxtyping import Int64

from bdmm.files.outside import VIDEO

_Frame = TypeVar("_Frame")

STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60",
                 "10", "12", "12.5", "15", "20", "90", "100", "120000/1001", "120", "240")
)  # fmt: skip
"""Rates that cameras and editors write; an estimate near one of them means it."""
FALLBACK_RATE = Fraction(25)
"""Used where a file says nothing of time, such as a raw stream or a single frame."""
MIN_RATE = Fraction(1, VIDEO.most("seconds between frames"))
"""Slower rates that a file claims are not believed."""
MAX_RATE = Fraction(240)
"""Faster files are thinned to it."""

_PLACE_TOLERANCE = 0.25
_SNAP = 0.005


@dataclass(frozen=True)
class Timeline:
    """A constant frame rate laid over a file's own times.

    Attributes:
        fps: output frames per second.
        frame_count: output frames.
        start: time stamp of the first frame, in units of ``time_base``; None where the file has
            no time stamps and frames are simply counted.
        time_base: seconds per unit of the file's time stamps.
    """

    fps: Fraction
    frame_count: int
    start: int | None
    time_base: Fraction

    @property
    def start_seconds(self) -> Fraction:
        """Time of the first frame in the file's own clock."""
        return (self.start or 0) * self.time_base

    @property
    def duration(self) -> Fraction:
        """Length in seconds."""
        return self.frame_count / self.fps

    def place(self, stamp: int | None, index: int) -> int:
        """Return the output place of an input frame.

        Args:
            stamp: its time stamp, in units of ``time_base``.
            index: its number in the file, used where there are no time stamps.
        """
        if self.start is None or stamp is None:
            return index
        return _round((stamp - self.start) * self.time_base * self.fps)


def lay_timeline(
    stamps: Int64[np.ndarray, "n"] | None,
    time_base: Fraction,
    frame_count: int,
    hints: Iterable[Fraction | None] = (),
) -> Timeline:
    """Choose the constant rate that a file's time stamps ask for.

    A rate at which each frame falls on its own place, close to it, is taken as it is: first the
    ``hints``, then the average, then `STANDARD_RATES`. Otherwise, frames being left out or the
    rate variable, a hint that all frames lie near is taken, or else the average rate; the length
    stays that of the file to half a frame.

    Args:
        stamps: ascending presentation times of the ``n`` frames, or None where the file has none.
        time_base: seconds per unit of ``stamps``.
        frame_count: number of frames, used where ``stamps`` is None.
        hints: rates that the file claims, most trusted first.

    Returns:
        The timeline; its ``frame_count`` is at least 1.
    """
    claimed = [hint for hint in hints if hint and MIN_RATE <= hint <= MAX_RATE]
    claimed_rate = claimed[0] if claimed else FALLBACK_RATE
    if stamps is None:
        return Timeline(claimed_rate, max(frame_count, 1), None, time_base)
    start, span = int(stamps[0]), int(stamps[-1] - stamps[0])
    if span == 0:
        return Timeline(claimed_rate, 1, start, time_base)
    average = _snap(Fraction(len(stamps) - 1) / (span * time_base))
    rates = [rate for rate in (*claimed, average, *STANDARD_RATES) if rate <= MAX_RATE]
    fps = _every_frame_placed(stamps, time_base, rates)
    if fps is not None:
        return Timeline(fps, len(stamps), start, time_base)
    near = [rate for rate in claimed if _distance(stamps, time_base, rate) <= _PLACE_TOLERANCE]
    if near:
        return Timeline(near[0], _round(span * time_base * near[0]) + 1, start, time_base)
    fps = min(average, MAX_RATE)
    length = span * time_base + _usual_gap(stamps, time_base)
    return Timeline(fps, max(_round(length * fps), 1), start, time_base)


def resample(
    timeline: Timeline, stamped: Iterable[tuple[int | None, _Frame]]
) -> Iterator[tuple[int, _Frame]]:
    """Yield exactly ``timeline.frame_count`` frames at the constant rate.

    Args:
        timeline: the constant rate.
        stamped: the input frames with their time stamps, ascending.

    Yields:
        The number of the input frame that is shown, and the frame; the same pair again where it
        is repeated. Nothing at all where there is no input frame.
    """
    held: tuple[int, _Frame] | None = None
    done = 0
    for index, (stamp, frame) in enumerate(stamped):
        place = min(timeline.place(stamp, index), timeline.frame_count)
        while held is not None and done < place:
            yield held
            done += 1
        held = (index, frame)
    while held is not None and done < timeline.frame_count:
        yield held
        done += 1


def _every_frame_placed(
    stamps: Int64[np.ndarray, "n"], time_base: Fraction, rates: list[Fraction]
) -> Fraction | None:
    """Find the rate at which frame ``i`` lies at place ``i``; None where there is none.

    The first rate that explains the times to one unit of the time base wins, else the nearest.
    """
    numbers = np.arange(len(stamps))
    times = (stamps - stamps[0]) * float(time_base)
    best: tuple[float, Fraction] | None = None
    for rate in rates:
        error = float(np.abs(times - numbers / float(rate)).max())
        if error <= 1.01 * float(time_base) and error * rate <= _PLACE_TOLERANCE:
            return rate
        if error * rate <= _PLACE_TOLERANCE and (best is None or error < best[0]):
            best = (error, rate)
    return best[1] if best else None


def _distance(stamps: Int64[np.ndarray, "n"], time_base: Fraction, rate: Fraction) -> float:
    """Return how far from a place the worst frame lies, in frames."""
    places = (stamps - stamps[0]) * float(time_base * rate)
    return float(np.abs(places - places.round()).max())


def _usual_gap(stamps: Int64[np.ndarray, "n"], time_base: Fraction) -> Fraction:
    gaps = [b - a for a, b in pairwise(stamps.tolist()) if b > a]
    return int(np.median(gaps)) * time_base


def _snap(rate: Fraction) -> Fraction:
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return nearest if abs(nearest - rate) <= _SNAP * rate else rate.limit_denominator(1001)


def _round(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
