"""Features of a clip's generated and true frames on disk, from which distances of sets are taken.

Frames are shown to Inception-v3, or where its weights are not at hand to VGG-19; clips of them to
I3D. One file holds the features of one clip of one system, another one those of the clip's truth,
which all systems share.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from bdmm.errors import InputError
from bdmm.evaluation.jobs.frame_cache import FrameTape
from bdmm.evaluation.jobs.reenactment import JudgedFrame
from bdmm.files.tensor_files import read_safetensors, write_safetensors
from bdmm.media.image import Picture
from bdmm.media.pixels import to_frames
from bdmm.metrics.detectors import KINDS, Detector, open_detector
from bdmm.metrics.protocols import Protocol, VideoDistance
from bdmm.metrics.video_distance import Cutting, VideoClips
from bdmm.metrics.weight_files import MissingDetector

_BATCH = 8
_KIND = "features of a clip"


@dataclass(frozen=True)
class SetDetectors:
    """Networks whose features are compared as sets.

    Attributes:
        frames: of frames.
        clips: of clips; I3D or nothing.
        video_distances: the protocol's.
        not_computed: distance -> why.
    """

    frames: tuple[Detector, ...] = ()
    clips: tuple[Detector, ...] = ()
    video_distances: tuple[VideoDistance, ...] = ()
    not_computed: Mapping[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Tell whether there is one."""
        return bool(self.frames or self.clips)

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        """Return what makes features comparable, by detector."""
        return {one.name: dict(one.settings) for one in (*self.frames, *self.clips)}


@lru_cache(maxsize=2)
def open_set_detectors(
    folder: Path | None, vgg19: Path | None, rules: Protocol, device: str
) -> SetDetectors:
    """Load the detectors whose weights are at hand.

    Args:
        folder: of detectors.
        vgg19: a file of VGG-19; from the folder if None.
        rules: the protocol.
        device: where they work.

    Raises:
        InputError: a file is damaged or another one than its name says.
    """
    missing: dict[str, str] = {}
    frames, clips = [], []
    for name, found in (("inception", frames), ("i3d", clips)):
        try:
            found.append(open_detector(name, folder, rules, device))
        except MissingDetector as error:
            missing[KINDS[name].distance] = str(error)
    if not frames:
        try:
            frames.append(open_detector("vgg19", vgg19 or folder, rules, device))
        except MissingDetector as error:
            missing[KINDS["vgg19"].distance] = str(error)
    return SetDetectors(tuple(frames), tuple(clips), rules.video_distances, missing)


@dataclass(frozen=True)
class FeatureFiles:
    """Where the features of one clip go.

    Attributes:
        generated: file of the generated frames.
        true: file of the true ones; whoever comes first writes it.
    """

    generated: Path
    true: Path

    def finished(self) -> bool:
        """Tell whether both are there."""
        return self.generated.is_file() and self.true.is_file()


class FeatureCollector:
    """Shows the frames of one clip to detectors; use it in a ``with`` statement.

    Args:
        name: of the clip.
        files: where features go.
        detectors: what they are shown to.
        every: only every so-manieth frame is shown to detectors of frames.
    """

    def __init__(
        self, name: str, files: FeatureFiles, detectors: SetDetectors, every: int = 1
    ) -> None:
        self._files, self._every = files, every
        self._stack = ExitStack()
        self._sides: list[tuple[Path, _Side]] = []
        for path in dict.fromkeys((files.generated, files.true)):
            if not path.is_file():
                side = self._stack.enter_context(_Side(name, path.parent, detectors))
                self._sides.append((path, side))

    def __enter__(self) -> "FeatureCollector":
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Let go of temporary files."""
        self._stack.close()

    def watch(self, frames: Iterable[JudgedFrame]) -> Iterator[JudgedFrame]:
        """Pass frames on, looking at each."""
        for place, frame in enumerate(frames):
            for path, side in self._sides:
                pair = frame.pair
                picture = pair.generated_uint8 if path == self._files.generated else None
                side.add(pair.target_uint8 if picture is None else picture, place % self._every)
            yield frame

    def finish(self) -> None:
        """Write the features.

        Raises:
            InputError: they cannot be written.
        """
        for path, side in self._sides:
            side.save(path)


class _Side:
    """Generated or true frames of a clip."""

    def __init__(self, name: str, folder: Path, detectors: SetDetectors) -> None:
        self._name, self._detectors = name, detectors
        self._waiting: list[Picture] = []
        self._rows: dict[str, list[Tensor]] = {one.name: [] for one in detectors.frames}
        self._tape = FrameTape(folder) if detectors.clips else None

    def __enter__(self) -> "_Side":
        return self

    def __exit__(self, *error: object) -> None:
        if self._tape is not None:
            self._tape.__exit__()

    def add(self, picture: Picture, skipped: int) -> None:
        if self._tape is not None:
            self._tape.add(picture)
        if skipped == 0 and self._detectors.frames:
            self._waiting.append(picture)
            if len(self._waiting) == _BATCH:
                self._look()

    def save(self, path: Path) -> None:
        self._look()
        tensors = {name: torch.cat(rows) for name, rows in self._rows.items() if rows}
        if self._tape is not None:
            tensors |= self._of_clips(self._tape)
        settings = json.dumps(self._detectors.settings)
        write_safetensors(path, tensors, {"kind": _KIND, "settings": settings})

    def _look(self) -> None:
        if self._waiting:
            frames = to_frames(self._waiting)
            for detector in self._detectors.frames:
                self._rows[detector.name].append(detector(frames))
            self._waiting = []

    def _of_clips(self, tape: FrameTape) -> dict[str, Tensor]:
        """Return features of clips by `cutting_key`; none of clips longer than the video."""
        found: dict[str, Tensor] = {}
        video = VideoClips(self._name, len(tape), tape.frames)
        for cutting in cuttings(self._detectors.video_distances):
            if len(tape) >= cutting.reach:
                rows = video.features(cutting, self._detectors.clips[0])
                found[cutting_key(cutting)] = torch.from_numpy(rows)
        return found


def cuttings(rows: Sequence[VideoDistance]) -> list[Cutting]:
    """Return the ways in which clips are cut for some distances, each once."""
    return list(dict.fromkeys(Cutting.of(row) for row in rows))


def cutting_key(cutting: Cutting) -> str:
    """Return the name of a cutting's features in a file."""
    return f"i3d {cutting.frames} {cutting.stride}"


def read_features(path: Path) -> dict[str, Tensor]:
    """Return the features of a clip, by detector or cutting.

    Raises:
        InputError: the file is missing, damaged or another kind of file.
    """
    metadata, tensors = read_safetensors(path)
    if metadata.get("kind") != _KIND:
        raise InputError(f"{path} does not hold {_KIND}: remove it and evaluate again.")
    return tensors
