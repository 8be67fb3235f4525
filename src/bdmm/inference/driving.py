"""Whatever gives the motion, as a `Motion`: a video, a file, a folder of poses, a shipped name."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

from bdmm.body.model import load_body
from bdmm.errors import InputError, Notice
from bdmm.media.image import Picture
from bdmm.media.motion_file import load_motion, load_shipped, shipped_motions
from bdmm.media.timeline import MAX_RATE
from bdmm.media.video_reader import VideoReader
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.mediapipe_pose import MediaPipePose
from bdmm.perception.openpose_json import read_openpose
from bdmm.perception.person_crop import refine_in_crop
from bdmm.perception.pose import Detection
from bdmm.perception.smpl_params import read_smpl_motion
from bdmm.records import Motion

Progress = Callable[[str, int, int | None], None]
"""Called with a stage in words, the steps done and, where known, the steps in all."""
MAX_SIDE = 1280
"""Driving frames are looked at with at most this many pixels on the longer side."""
REFINED = 320
"""Pixels of the sides of the square around the person in which fits are refined."""
LOOKED_AT = 4
"""One of so many driving frames gets a second look: joints turn smoothly."""
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
        fps: frames per second of folders of poses and SMPL parameters, which don't tell.
        progress: is told how far it is.
    """

    person: int | None = None
    smooth: float = 1.0
    fps: Fraction = DEFAULT_RATE
    progress: Progress = lambda stage, done, total: None

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        if not 0 <= self.smooth <= SMOOTHEST:
            raise InputError(
                f"The smoothing is {self.smooth:g}; it must lie between 0 and {SMOOTHEST:g}."
            )
        if self.person is not None and self.person < 1:
            raise InputError(f"The person is {self.person}; people are counted from 1 on.")
        if not 0 < self.fps <= MAX_RATE:
            raise InputError(
                f"The rate is {float(self.fps):g} frames per second; it must be above 0 and at "
                f"most {float(MAX_RATE):g}."
            )


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
        sound: what goes with the motion, if anything.
    """

    sound: Sound | None

    def motion(self) -> Motion:
        """Return the motion, on the mover's own body; for a video this is the long work.

        Raises:
            InputError: nobody is seen, or for more than a second.
        """
        ...


def open_driver(driving: str | Path | Motion, reading: Reading) -> Driver:
    """Open a driver and check what can be checked at once.

    Args:
        driving: the path of a video, a ``.motion`` file, a folder of OpenPose's or SMPL's JSON
            files or a file of SMPL parameters; the name of a shipped motion; or a motion.
        reading: how it is read.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    if isinstance(driving, Motion):
        return KnownMotion(driving)
    path = Path(driving)
    if not path.exists():
        return KnownMotion(_shipped(str(driving)))
    if path.suffix.lower() == ".motion":
        return KnownMotion(load_motion(path))
    if path.is_dir() and _holds_openpose(path):
        return PoseFolder(path, reading)
    if path.is_dir() or path.suffix.lower() in SMPL_SUFFIXES:
        return KnownMotion(read_smpl_motion(path, load_body(), reading.fps))
    return VideoDriver(path, reading)


class KnownMotion:
    """A motion that is at hand."""

    def __init__(self, motion: Motion) -> None:
        self.sound: Sound | None = None
        self._motion = motion

    def motion(self) -> Motion:
        """Return it."""
        return self._motion


class VideoDriver:
    """A video in which a person must be found.

    Attributes:
        frames: its frames, as large as they are looked at.
    """

    def __init__(self, path: str | Path, reading: Reading, max_side: int = MAX_SIDE) -> None:
        self.frames = VideoReader(path, max_side=max_side)
        start = self.frames.timeline.start_seconds
        self.sound = Sound(self.frames.path, start) if self.frames.has_audio else None
        self._reading = reading

    def motion(self) -> Motion:
        """Look at the video and fit the body."""
        return self.fit(self.look())

    def look(self) -> Detection:
        """Find the person in every frame.

        Raises:
            InputError: nobody is seen, or fewer people than asked for.
        """
        name, progress = self.frames.path.name, self._reading.progress
        frames = _counted(self.frames, f"Looking at {name}", len(self.frames), progress)
        sighting = MediaPipePose().detect(frames, self.frames.fps, self._reading.person)
        for note in sighting.notes:
            warnings.warn(f"{name}: {note}", Notice, stacklevel=3)
        return sighting

    def fit(self, sighting: Detection) -> Motion:
        """Fit the body to what `look` saw, and look at fit and frames together once more.

        Raises:
            InputError: nobody is seen for more than a second.
        """
        motion = _fitted(sighting, self._reading)
        stage = f"Looking again at {self.frames.path.name}"
        again = _counted(self.frames, stage, len(self.frames), self._reading.progress)
        return refine_in_crop(load_body(), motion, again, sighting, REFINED, LOOKED_AT)


class PoseFolder:
    """Poses of an estimator that ran elsewhere, one OpenPose JSON file per frame."""

    def __init__(self, folder: Path, reading: Reading) -> None:
        self.sound: Sound | None = None
        self._landmarks = read_openpose(folder, reading.fps, person=reading.person)
        self._reading = reading

    def motion(self) -> Motion:
        """Fit the body."""
        return _fitted(Detection(self._landmarks), self._reading)


def _shipped(name: str) -> Motion:
    if name in shipped_motions():
        return load_shipped(name)
    raise InputError(
        f"There is no file {name} and no shipped motion of that name; the shipped ones are "
        f"{', '.join(shipped_motions())}."
    )


def _holds_openpose(folder: Path) -> bool:
    """Tell OpenPose's files, which hold people, from those of SMPL parameters."""
    first = min(folder.glob("*.json"), default=None)
    if first is None:
        raise InputError(f"The folder {folder} holds no JSON files of poses.")
    return b'"people"' in first.read_bytes() or first.name.endswith("_keypoints.json")


def _fitted(sighting: Detection, reading: Reading) -> Motion:
    count = len(sighting.landmarks.found)
    reading.progress("Fitting the body", 0, count)
    motion = fit_motion(
        sighting.landmarks,
        load_body(),
        sighting.silhouettes,
        smoothing=reading.smooth,
        point_tracks=sighting.point_tracks,
    )
    reading.progress("Fitting the body", count, count)
    return motion


def _counted(
    frames: Iterable[Picture], stage: str, total: int, progress: Progress
) -> Iterator[Picture]:
    for done, frame in enumerate(frames, start=1):
        yield frame
        progress(stage, done, total)
