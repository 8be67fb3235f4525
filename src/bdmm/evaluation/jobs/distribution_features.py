"""Features of a clip's generated and true frames on disk, for distribution distances.

Inception-v3 sees frames, or VGG-19 where its weights are not at hand; I3D sees clips. One file has
the features of one clip of one system. Another one has those of the clip's truth: all systems
share it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig, EvalFrame
from bdmm.evaluation.jobs.keypoint_metrics import FrameCache
from bdmm.files.tensor_files import read_safetensors, write_safetensors
from bdmm.media.image import Picture
from bdmm.media.pixels import to_frames
from bdmm.metrics.detectors import KINDS, Detector, open_detector
from bdmm.metrics.protocols import VideoDistance
from bdmm.metrics.video_distance import VideoClips
from bdmm.metrics.weight_files import MissingDetector

_BATCH = 8
_KIND = "features of a clip"


@dataclass(frozen=True)
class SetDetectors:
    """Networks whose features are compared as distributions.

    Attributes:
        frames: of frames.
        clips: of clips; I3D or nothing.
        not_computed: distance -> why.
    """

    frames: tuple[Detector, ...] = ()
    clips: tuple[Detector, ...] = ()
    video_distances: tuple[VideoDistance, ...] = ()
    not_computed: Mapping[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Return whether there is one."""
        return bool(self.frames or self.clips)

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        """Return what makes features comparable, by detector."""
        return {one.name: dict(one.settings) for one in (*self.frames, *self.clips)}


@lru_cache(maxsize=2)
def open_set_detectors(config: EvalConfig) -> SetDetectors:
    """Load the detectors whose weights are at hand, if distribution metrics are wanted.

    Raises:
        InputError: a file is damaged or another one than its name says.
    """
    if not config.distribution_metrics:
        reason = "not computed: not asked for"
        return SetDetectors(not_computed={"FID": reason, "FVD": reason})
    missing: dict[str, str] = {}
    found: dict[str, Detector] = {}

    def find(name: str, where: Path | None) -> None:
        try:
            found[name] = open_detector(name, where, config.rules, config.device)
        except MissingDetector as error:
            missing[KINDS[name].distance] = str(error)

    find("inception", config.detectors)
    find("i3d", config.detectors)
    if "inception" not in found:
        find("vgg19", config.vgg19 or config.detectors)
    frames = tuple(found[name] for name in ("inception", "vgg19") if name in found)
    clips = tuple(found[name] for name in ("i3d",) if name in found)
    return SetDetectors(frames, clips, config.rules.video_distances, missing)


@dataclass(frozen=True)
class FeatureFiles:
    """Files of the features of one clip.

    Attributes:
        true: of the true ones; the first system to be scored writes it.
    """

    generated: Path
    true: Path

    def finished(self) -> bool:
        """Return whether both are there."""
        return self.generated.is_file() and self.true.is_file()


class FeatureCollector(AbstractContextManager["FeatureCollector"]):
    """Shows the frames of one clip to detectors; use it in a ``with`` statement.

    Args:
        every: only every N-th frame is shown to detectors of frames.
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

    def __exit__(self, *error: object) -> None:
        """Remove temporary files."""
        self._stack.close()

    def watch(self, frames: Iterable[EvalFrame]) -> Iterator[EvalFrame]:
        """Pass frames on, showing each to the detectors."""
        for index, frame in enumerate(frames):
            for path, side in self._sides:
                pair = frame.pair
                generated = path == self._files.generated
                side.add(
                    pair.generated_uint8 if generated else pair.target_uint8,
                    index % self._every == 0,
                )
            yield frame

    def finish(self) -> None:
        """Write the features.

        Raises:
            InputError: they cannot be written.
        """
        for path, side in self._sides:
            side.save(path)


class _Side(AbstractContextManager["_Side"]):
    """Generated or true frames of a clip."""

    def __init__(self, name: str, folder: Path, detectors: SetDetectors) -> None:
        self._name, self._detectors = name, detectors
        self._waiting: list[Picture] = []
        self._rows: dict[str, list[Tensor]] = {one.name: [] for one in detectors.frames}
        self._cache = FrameCache(folder) if detectors.clips else None

    def __exit__(self, *error: object) -> None:
        if self._cache is not None:
            self._cache.__exit__()

    def add(self, picture: Picture, shown: bool) -> None:
        if self._cache is not None:
            self._cache.add(picture)
        if shown and self._detectors.frames:
            self._waiting.append(picture)
            if len(self._waiting) == _BATCH:
                self._extract()

    def save(self, path: Path) -> None:
        self._extract()
        tensors = {name: torch.cat(rows) for name, rows in self._rows.items() if rows}
        if self._cache is not None:
            tensors |= self._of_clips(self._cache)
        settings = json.dumps(self._detectors.settings)
        write_safetensors(path, tensors, {"kind": _KIND, "settings": settings})

    def _extract(self) -> None:
        if self._waiting:
            frames = to_frames(self._waiting)
            for detector in self._detectors.frames:
                self._rows[detector.name].append(detector(frames))
            self._waiting = []

    def _of_clips(self, cache: FrameCache) -> dict[str, Tensor]:
        """Return features of clips by `sampling_key`; none of clips longer than the video."""
        found: dict[str, Tensor] = {}
        video = VideoClips(self._name, len(cache), cache.frames)
        for sampling in self._detectors.video_distances:
            if sampling_key(sampling) not in found and len(cache) >= sampling.reach:
                rows = video.features(sampling, self._detectors.clips[0])
                found[sampling_key(sampling)] = torch.from_numpy(rows)
        return found


def sampling_key(sampling: VideoDistance) -> str:
    """Return the name of the features of clips in a file."""
    return f"i3d {sampling.frames} {sampling.stride}"


def read_features(path: Path) -> dict[str, Tensor]:
    """Return the features of a clip, by detector or `sampling_key`.

    Raises:
        InputError: the file is missing, damaged or another kind of file.
    """
    metadata, tensors = read_safetensors(path)
    if metadata.get("kind") != _KIND:
        raise InputError(f"{path} does not hold {_KIND}: remove it and evaluate again.")
    return tensors
