"""Whatever gives the motion, as a `Motion`: a video, a file, a folder of poses, a shipped name."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

from bdmm.body.model import load_body
from bdmm.body.motion_file import load_motion
from bdmm.body.motion_library import load_shipped, shipped_motions
from bdmm.errors import InputError, Notice
from bdmm.media.image import Picture
from bdmm.media.video_reader import VideoReader
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.mediapipe_pose import MediaPipePose
from bdmm.perception.openpose_json import read_openpose
from bdmm.perception.pose import Sighting
from bdmm.perception.smpl_params import read_smpl_motion
from bdmm.records import Motion

Progress = Callable[[str, int, int | None], None]
"""Called with a stage in words, the steps done and, where known, the steps in all."""
MAX_SIDE = 1280
"""Driving frames are looked at with at most this many pixels on the longer side."""
SMOOTHEST = 30.0
"""Largest smoothing, a standard deviation in frames."""
DEFAULT_RATE = Fraction(25)
"""Frames per second of drivers that don't tell: folders of poses, SMPL parameters."""
SMPL_SUFFIXES = (".npz", ".pkl")


@dataclass(frozen=True)
class Reading:
    """How a driver is read.

    Attributes:
        person: which of several people, from the left from 1 on; the largest if None.
        smooth: standard deviation in frames of the smoothing over time, 0 for none.
        progress: is told how far it is.
    """

    person: int | None = None
    smooth: float = 1.0
    progress: Progress = lambda stage, done, total: None

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        if not 0 <= self.smooth <= SMOOTHEST:
            raise InputError(
                f"The smoothing is {self.smooth:g}; it must lie between 0 and {SMOOTHEST:g}."
            )
        if self.person is not None and self.person < 1:
            raise InputError(f"The person is {self.person}; people are counted from 1 on.")


@dataclass(frozen=True)
class Sound:
    """The sound that goes with a motion.

    Attributes:
        path: a file with sound.
        start: the time in that file, in seconds, of the motion's first frame.
    """

    path: Path
    start: Fraction


@runtime_checkable
class Driver(Protocol):
    """Something opened and checked that a motion can be had from.

    Attributes:
        name: what it is called in messages.
        sound: its sound, if any.
    """

    name: str
    sound: Sound | None

    def motion(self, reading: Reading) -> Motion:
        """Return the motion, on the mover's own body; for a video this is the long work.

        Raises:
            InputError: nobody is seen, or for more than a second.
        """
        ...


def open_driver(driving: str | Path | Motion, fps: Fraction | None = None) -> Driver:
    """Open a driver and check what can be checked at once.

    Args:
        driving: the path of a video, a ``.motion`` file, a folder of OpenPose's or SMPL's JSON
            files or a file of SMPL parameters; the name of a shipped motion; or a motion.
        fps: frames per second of folders of poses and SMPL parameters, which don't tell.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    rate = DEFAULT_RATE if fps is None else fps
    if rate <= 0:
        raise InputError(f"The rate is {float(rate):g} frames per second; it must be above 0.")
    if isinstance(driving, Motion):
        return _Known(driving, "the motion")
    path = Path(driving)
    if not path.exists():
        return _shipped(str(driving))
    if path.is_dir():
        return _PoseFolder(path, rate)
    if path.suffix.lower() == ".motion":
        return _Known(load_motion(path), str(path))
    if path.suffix.lower() in SMPL_SUFFIXES:
        return _Known(read_smpl_motion(path, load_body(), rate), str(path))
    return _Video(VideoReader(path, max_side=MAX_SIDE))


def _shipped(name: str) -> Driver:
    if name in shipped_motions():
        return _Known(load_shipped(name), name)
    raise InputError(
        f"There is no file {name} and no shipped motion of that name; the shipped ones are "
        f"{', '.join(shipped_motions())}."
    )


class _Known:
    """A motion that is at hand."""

    def __init__(self, motion: Motion, name: str) -> None:
        self.name = name
        self.sound: Sound | None = None
        self._motion = motion

    def motion(self, reading: Reading) -> Motion:
        return self._motion


class _Video:
    """A video that must be looked at."""

    def __init__(self, reader: VideoReader) -> None:
        self.name = str(reader.path)
        self.reader = reader
        self.sound = Sound(reader.path, reader.timeline.start_seconds) if reader.has_audio else None

    def motion(self, reading: Reading) -> Motion:
        return _fitted(self.look(reading), reading)

    def look(self, reading: Reading) -> Sighting:
        """Find the person in every frame."""
        stage = f"Looking at {Path(self.name).name}"
        frames = _counted(self.reader, stage, len(self.reader), reading.progress)
        sighting = MediaPipePose().detect(frames, self.reader.fps, reading.person)
        for note in sighting.notes:
            warnings.warn(f"{self.name}: {note}", Notice, stacklevel=4)
        return sighting


class _PoseFolder:
    """Poses of an estimator that ran elsewhere, one JSON file per frame."""

    def __init__(self, folder: Path, fps: Fraction) -> None:
        self.name = str(folder)
        self.sound: Sound | None = None
        self._landmarks = read_openpose(folder, fps)

    def motion(self, reading: Reading) -> Motion:
        return _fitted(Sighting(self._landmarks), reading)


def _fitted(sighting: Sighting, reading: Reading) -> Motion:
    count = len(sighting.landmarks.found)
    reading.progress("Fitting the body", 0, count)
    motion = fit_motion(
        sighting.landmarks, load_body(), sighting.silhouettes, smoothing=reading.smooth
    )
    reading.progress("Fitting the body", count, count)
    return motion


def _counted(
    frames: Iterable[Picture], stage: str, total: int, progress: Progress
) -> Iterator[Picture]:
    for done, frame in enumerate(frames, start=1):
        yield frame
        progress(stage, done, total)
