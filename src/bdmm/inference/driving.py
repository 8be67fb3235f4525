"""Whatever gives the motion, as a `Motion`: a video, a file, a folder of poses, a shipped name."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bdmm.body.model import load_body
from bdmm.errors import InputError, Notice, Progress, no_progress, require_within
from bdmm.files.array_file import SUFFIXES
from bdmm.files.outside import KEYPOINTS, reading
from bdmm.media.image import Picture
from bdmm.media.motion_file import load_motion, load_shipped
from bdmm.media.prefetch import prefetched
from bdmm.media.timeline import MAX_RATE
from bdmm.media.video_reader import MAX_MINUTES, VideoReader
from bdmm.perception.body_fit import fit_motion
from bdmm.perception.mediapipe_pose import detect_clip
from bdmm.perception.openpose_json import read_openpose
from bdmm.perception.person_crop import refine_seen
from bdmm.perception.pose import Detection
from bdmm.perception.smpl_params import read_smpl_motion
from bdmm.records import Motion

MAX_SIDE = 1280
"""Driving frames are scaled down to at most this many pixels on the longer side."""
KEPT_BYTES = 256 * 2**20
"""Decoded driving frames are kept if all of them take at most this much memory."""
REFINED_EVERY = 6
"""Fits of every N-th driving frame are refined: joints turn smoothly."""
SMOOTHEST = 30.0
"""Largest smoothing, a standard deviation in frames."""
DEFAULT_RATE = Fraction(25)
"""Frames per second of drivers without a rate: folders of poses, SMPL parameters."""


@dataclass(frozen=True)
class DrivingOptions:
    """How the driving motion is read.

    Attributes:
        person: which of several people, from the left from 1 on; the largest if None.
        smooth: standard deviation in frames of the smoothing over time, 0 for none.
        fps: frames per second of folders of poses and SMPL parameters, which have no rate.
        max_minutes: longer videos are refused.
        max_frames: drivers of more frames are refused, at the output's rate.
    """

    person: int | None = None
    smooth: float = 1.0
    fps: Fraction = DEFAULT_RATE
    max_minutes: float = MAX_MINUTES
    max_frames: int | None = None

    def check_length(self, driving: str | Path, frames: int) -> None:
        """Refuse a driver of too many frames.

        Raises:
            InputError: it has them.
        """
        if self.max_frames is not None and frames > self.max_frames:
            raise InputError(
                f"The driver {driving} has {frames} frames; at most {self.max_frames} are taken."
            )

    def __post_init__(self) -> None:
        require_within("smoothing", self.smooth, 0, SMOOTHEST)
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


@dataclass(frozen=True)
class Driver:
    """Who gives the motion, opened and checked.

    Attributes:
        motion: returns the motion on the driver's own body; for a video this is the long work,
            which raises `InputError` where nobody is seen, or for more than a second.
        sound: goes with the motion, if there is any.
        video: the frames of a video.
    """

    motion: Callable[[], Motion]
    sound: Sound | None = None
    video: "KeptFrames | None" = None


def open_driver(
    driving: str | Path | Motion,
    options: DrivingOptions | None = None,
    progress: Progress = no_progress,
    keep_video: bool = False,
) -> Driver:
    """Open a driver and check what can be checked at once.

    Args:
        driving: the path of a video, a ``.motion`` file, a folder of OpenPose's or SMPL's JSON
            files or a file of SMPL parameters; the name of a shipped motion; or a motion.
        keep_video: the frames of a video will be asked for after its motion.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    options = options or DrivingOptions()
    if isinstance(driving, Motion):
        return Driver(lambda: driving)
    path = Path(driving)
    if path.is_dir() and _holds_openpose(path):
        landmarks = read_openpose(path, options.fps, person=options.person)
        options.check_length(path, len(landmarks.found))
        return Driver(lambda: _fitted(Detection(landmarks), options, progress))
    motion = _stored(path, str(driving), options)
    if motion is not None:
        options.check_length(driving, len(motion))
        return Driver(lambda: motion)
    video = VideoDriver(path, options, progress, keep_video)
    return Driver(video.motion, video.sound, video.frames)


def _stored(path: Path, name: str, options: DrivingOptions) -> Motion | None:
    """Return the motion that a file or a name means as it is, None for a video."""
    if not path.exists():
        return load_shipped(name)
    if path.suffix.lower() == ".motion":
        return load_motion(path)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return read_smpl_motion(path, load_body(), options.fps)
    return None


class VideoDriver:
    """A video in which a person must be found.

    Attributes:
        frames: its frames, at most `MAX_SIDE` pixels on the longer side.
    """

    def __init__(
        self,
        path: str | Path,
        options: DrivingOptions | None = None,
        progress: Progress = no_progress,
        keep: bool = True,
    ) -> None:
        options = options or DrivingOptions()
        reader = VideoReader(path, max_side=MAX_SIDE, max_minutes=options.max_minutes)
        options.check_length(path, reader.frame_count)
        self.frames = KeptFrames(reader, keep)
        self.sound = Sound(reader.path, reader.timeline.start_seconds) if reader.has_audio else None
        self._options = options
        self._progress = progress

    def motion(self) -> Motion:
        """Find the person and fit the body."""
        return self.fit(self.detect())

    def detect(self) -> Detection:
        """Find the person in every frame.

        Raises:
            InputError: nobody is seen, or fewer people than asked for.
        """
        name = self.frames.path.name
        frames = self._counted(f"Finding the person in {name}")
        detection = detect_clip(frames, self.frames.fps, self._options.person, REFINED_EVERY)
        for note in detection.notes:
            warnings.warn(f"{name}: {note}", Notice, stacklevel=3)
        return detection

    def fit(self, detection: Detection) -> Motion:
        """Fit the body to a detection, and refine the fit.

        Raises:
            InputError: nobody is seen for more than a second.
        """
        motion = _fitted(detection, self._options, self._progress)
        stage = f"Refining the fit to {self.frames.path.name}"
        self._progress(stage, 0, 1)
        refined = refine_seen(load_body(), motion, detection)
        self._progress(stage, 1, 1)
        return refined

    def _counted(self, stage: str) -> Iterator[Picture]:
        for done, frame in enumerate(prefetched(self.frames), start=1):
            yield frame
            self._progress(stage, done, len(self.frames))


class KeptFrames:
    """The frames of a video, as often as needed.

    Decoded once if they take at most `KEPT_BYTES` and are to be kept.
    """

    def __init__(self, reader: VideoReader, keep: bool = True) -> None:
        height, width = reader.size
        self._reader = reader
        self._fits = keep and 3 * height * width * len(reader) <= KEPT_BYTES
        self._kept: list[Picture] = []
        self.path, self.fps, self.size = reader.path, reader.fps, reader.size

    def __len__(self) -> int:
        return len(self._reader)

    def __iter__(self) -> Iterator[Picture]:
        if len(self._kept) == len(self._reader):
            yield from self._kept
            return
        frames: list[Picture] = []
        for frame in self._reader:
            if self._fits:
                frames.append(frame)
            yield frame
        self._kept = frames


def _holds_openpose(folder: Path) -> bool:
    """Return whether a folder's files are OpenPose's, which hold people, not SMPL parameters."""
    first = min(folder.glob("*.json"), default=None)
    if first is None:
        raise InputError(f"The folder {folder} holds no JSON files of poses.")
    with reading(first, KEYPOINTS):
        return b'"people"' in first.read_bytes() or first.name.endswith("_keypoints.json")


def _fitted(detection: Detection, options: DrivingOptions, progress: Progress) -> Motion:
    count = len(detection.landmarks.found)
    progress("Fitting the body", 0, count)
    motion = fit_motion(
        detection.landmarks,
        load_body(),
        detection.silhouettes,
        smoothing=options.smooth,
        point_tracks=detection.point_tracks,
    )
    progress("Fitting the body", count, count)
    return motion
