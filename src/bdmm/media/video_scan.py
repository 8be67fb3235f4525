"""A look through a whole video without decoding: its times, and whether it is complete."""

import re
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from jaxtyping import Int64

from bdmm.errors import InputError, Notice
from bdmm.files.outside import VIDEO
from bdmm.media.timeline import Timeline, lay_timeline

_CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2}(?:\.\d{1,12})?)")
"""Hours, minutes and seconds, such as 00:00:01.333000000."""


def scan_times(
    path: Path, container: InputContainer, stream: av.VideoStream
) -> tuple[Timeline, int]:
    """Read every time stamp without decoding.

    Args:
        path: the file, for messages.
        container: the opened file, at its beginning.
        stream: its pictures.

    Returns:
        The constant rate laid over the times, and the number of frames stored.

    Raises:
        InputError: there are no frames, or most of the file is missing.
    """
    time_base = stream.time_base or Fraction(1, 1000)
    most = VIDEO.most("frames")
    claimed_count = stream.frames
    claimed_span = _claimed_seconds(container, stream)
    stamps: list[int | None] = []
    packets = 0
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            packets += 1
            if packets > most:
                raise InputError(f"The video {path} has more than {most} frames: cut it.")
            if not packet.is_discard:
                stamps.append(packet.pts)
    except FFmpegError:
        pass  # what was read before the damage counts, judged below
    if not stamps:
        raise InputError(f"The video {path} has no frames.")
    known = _ascending(stamps)
    if known is not None:
        _check_gaps(path, known, time_base)
    timeline = lay_timeline(
        known, time_base, len(stamps), (stream.guessed_rate, stream.average_rate, stream.base_rate)
    )
    _check_complete(path, packets, timeline, claimed_count, claimed_span)
    return timeline, len(stamps)


def _check_gaps(path: Path, stamps: Int64[np.ndarray, "n"], time_base: Fraction) -> None:
    """Refuse a file whose frames lie far apart, which would be filled by repeated frames."""
    most = VIDEO.most("seconds between frames")
    times = stamps.astype(np.float64) * float(time_base)
    gaps = np.diff(times)
    if gaps.max(initial=0) > most:
        place = int(gaps.argmax())
        raise InputError(
            f"The video {path} has no frame for {gaps[place]:.3g} seconds after frame {place}; "
            f"gaps of up to {most} seconds are filled, so cut the video there."
        )


def _claimed_seconds(container: InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Return how long the file says that its pictures are, if it does."""
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    if "DURATION" in stream.metadata:  # Matroska's
        return clock_seconds(stream.metadata["DURATION"])
    if container.duration and not container.streams.audio:
        return Fraction(container.duration, av.time_base)
    return None


def clock_seconds(clock: str) -> Fraction | None:
    """Return the seconds of a time such as 00:00:01.333000000; None for any other text."""
    found = _CLOCK.fullmatch(clock)
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)


def _ascending(stamps: list[int | None]) -> Int64[np.ndarray, "n"] | None:
    if any(stamp is None for stamp in stamps):
        return None
    return np.sort(np.array(stamps, dtype=np.int64))


def _check_complete(
    path: Path, packets: int, timeline: Timeline, count: int, span: Fraction | None
) -> None:
    """Refuse a file of which most is missing; tell of one whose end is missing."""
    if count > 0:
        share = packets / count
    elif span and span > 0:
        share = float((timeline.start_seconds + timeline.duration) / span)
    else:
        return
    if share < 0.5:
        raise InputError(
            f"The video {path} is cut off: only {share:.0%} of it is there, so get it again."
        )
    if share < 0.95:
        warnings.warn(
            f"The video {path} is cut off: {share:.0%} of it is there and is used.",
            Notice,
            stacklevel=4,
        )
