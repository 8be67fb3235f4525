"""Self-reenactment: a prepared clip gives the photo, the motion and the true frames.

The source is one frame of the clip, driven by the clip's own motion. All frames are made in order,
as recurrent networks need it; the source frame itself is not scored.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from bdmm.conditioning import from_warps
from bdmm.data.clip_store import FILE_NAME, PreparedClip, find_clips
from bdmm.errors import InputError
from bdmm.evaluation.config import EvalConfig, EvalFrame, EvalItem, Notify
from bdmm.evaluation.systems import open_system, weights_hash
from bdmm.files.fingerprint import fingerprint
from bdmm.inference.prepare import Inputs, clip_inputs
from bdmm.inference.render import (
    Rendered,
    Renderer,
    Scene,
    backgrounds_of,
    render,
    window_slices,
)
from bdmm.media.pixels import to_frames
from bdmm.metrics.frame_metrics import Region, pair_of
from bdmm.metrics.regions import PERSON, keypoint_regions, person_region
from bdmm.perception.background import remove_person
from bdmm.records import Conditions, Motion, Person
from bdmm.shapes import Image, Keypoints

LEAST_SHARE = 0.02
"""Share of the frame that the person must at least fill in a source frame."""
_DATASETS = ("fashion", "iper")
"""Data sets whose name is that of a group; of others the clip's name says more."""
_AT_ONCE = 24
"""True frames that are read together."""


class Reenactment:
    """A clip whose frames any renderer can make again.

    Attributes:
        source_frame: number of the frame that serves as the photo.
        inputs: that photo and the driving motion.

    Args:
        motion: that drives the source in place of the clip's own, all its frames.
        keypoints: ``t 29 3`` that heatmaps are drawn from in place of the motion's.

    Raises:
        InputError: no frame can serve as source, the chosen one can't, or a file is damaged.
    """

    def __init__(
        self,
        clip: PreparedClip,
        config: EvalConfig,
        motion: Motion | None = None,
        keypoints: Keypoints | None = None,
    ) -> None:
        self.clip = clip
        self.frame_count = min(len(clip), config.first or len(clip))
        self._stored, self.source_frame = _choose_source(clip, config)
        self._keypoints = keypoints
        driving = (clip.motion() if motion is None else motion)[: self.frame_count]
        self.inputs = clip_inputs(clip, self.source_frame, driving)
        if config.background == "source":
            self.inputs = _without_person(self.inputs)

    def frames(self, renderer: Renderer) -> Iterator[EvalFrame]:
        """Yield generated frames with the true ones, in bounded memory.

        Regions are drawn from the clip's foreground and keypoints, so they are the same for every
        renderer.

        Raises:
            InputError: a generated frame holds values that are not finite.
        """
        truth = self._truth()
        keypoints = self.clip.keypoints()
        for window in self._rendered(renderer):
            for generated in window.frames:
                number, target, regions = next(truth)
                if number == self.source_frame:
                    continue
                name = f"{self.clip.info.name} frame {number}"
                pair = pair_of(name, generated.cpu(), target, regions)
                yield EvalFrame(number, pair, keypoints[number])

    def _rendered(self, renderer: Renderer) -> Iterator[Rendered]:
        if self._stored is None or self._keypoints is None or renderer.composites:
            return render(self.inputs, renderer, self._change)
        # All that conditions are made of is stored.
        inputs, stored = self.inputs, self._stored
        keypoints = self._keypoints.to(renderer.device)
        windows = (
            self._from_store(stored, part, keypoints[part], renderer.joints)
            for part in window_slices(len(inputs.motion), renderer.window)
        )
        source = inputs.source_view.person.to(renderer.device).photos[0]
        return renderer.render(Scene(source, windows, backgrounds_of(inputs, renderer)))

    def _change(self, conditions: Conditions, frames: slice) -> Conditions:
        points = conditions.keypoints[0]
        if self._keypoints is not None:
            points = self._keypoints[frames].to(points)
        if self._stored is None:
            return replace(conditions, keypoints=points[None])
        assert conditions.segment is not None
        return self._from_store(
            self._stored, frames, points, conditions.joints, conditions.segment[0]
        )

    def _from_store(
        self,
        stored: int,
        frames: slice,
        keypoints: Keypoints,
        joints: tuple[int, ...],
        segment: Int[Tensor, "t h w"] | None = None,
    ) -> Conditions:
        """Return the conditions of stored warps, with the bones of the new geometry if any."""
        warps = self.clip.warps(stored, frames.start, frames.stop)
        grid, state, fallback = (
            one.to(keypoints.device) for one in (warps.source_grid, warps.state, warps.fallback)
        )
        return from_warps(grid, state, fallback, keypoints, joints, segment)

    def _truth(self) -> Iterator[tuple[int, Image, dict[str, Region]]]:
        keypoints = self.clip.keypoints()
        for start in range(0, self.frame_count, _AT_ONCE):
            stop = min(start + _AT_ONCE, self.frame_count)
            frames = self.clip.frames(start, stop)
            people = self.clip.foregrounds(start, stop)
            for number in range(start, stop):
                person = people[number - start, 0]
                regions = {PERSON: person_region((person * 255).round().byte().numpy())}
                regions |= keypoint_regions(keypoints[number], self.clip.info.size)
                yield number, frames[number - start], regions


def reenactment_items(
    systems: Mapping[str, str], clips: Sequence[Path], config: EvalConfig
) -> list[EvalItem]:
    """Return every clip of every system.

    Args:
        systems: name -> what `open_system` takes.

    Raises:
        InputError: there is no GPU although the device is ``cuda``.
    """
    devices = _devices(config.device)
    items = []
    for name, where in systems.items():
        sha256 = weights_hash(where)
        for i, folder in enumerate(clips):
            dataset = PreparedClip(folder).info.dataset
            identity = {
                "clip": folder.name,
                "clip_sha256": fingerprint(folder / FILE_NAME),
                "system": sha256 or where,
                "reenactment": config.reenactment(),
            }
            device = devices[i % len(devices)]
            frames = partial(_reenact, folder, config, where, sha256, device)
            group = dataset if dataset in _DATASETS else group_of(folder.name)
            items.append(EvalItem(name, folder.name, group, identity, frames))
    return items


def choose_clips(
    folders: Sequence[Path], split: str | None = None, limit: int | None = None
) -> list[Path]:
    """Return the folders of the clips that are scored.

    Args:
        folders: written by ``bdmm prepare`` or ``bdmm synth``, or single clips.
        split: only clips of this split; all if None.
        limit: at most so many, spread evenly over all; all if None.

    Raises:
        InputError: there are none, one is damaged, two have one name, or the limit is below 1.
    """
    if limit is not None and limit < 1:
        raise InputError(f"The limit is {limit}; it must be 1 or more.")
    found = [path for folder in folders for path in find_clips(folder)]
    clips = [path for path in found if split in (None, PreparedClip(path).info.split)]
    if not clips:
        raise InputError(f"None of the {len(found)} clips is of the split {split}.")
    for name in (names := [path.name for path in clips]):
        if names.count(name) > 1:
            raise InputError(f"Two clips are called {name}: evaluate their folders apart.")
    if limit is not None and limit < len(clips):
        step = len(clips) / limit
        clips = [clips[int(i * step)] for i in range(limit)]
    return clips


def first_usable(clip: PreparedClip) -> int:
    """Return the first frame whose pose is trusted and that shows enough of the person.

    Raises:
        InputError: there is none.
    """
    flagged = set(clip.info.flagged)
    for start in range(0, len(clip), _AT_ONCE):
        people = clip.foregrounds(start, min(start + _AT_ONCE, len(clip)))
        for number, share in enumerate((people > 0.5).float().mean((1, 2, 3)).tolist(), start):
            if share > LEAST_SHARE and number not in flagged:
                return number
    raise InputError(f"No frame of the clip {clip.folder} shows the person well enough.")


def group_of(clip: str) -> str:
    """Return a name's first part, up to the first ``_`` or ``-``."""
    return re.split(r"[_\-]", clip)[0] or clip


def _reenact(
    folder: Path, config: EvalConfig, where: str, sha256: str, device: str, notify: Notify
) -> tuple[float, Iterator[EvalFrame]]:
    """Return the clip's frames per second and its frames; see `EvalItem.open`."""
    clip = PreparedClip(folder)
    renderer = _renderer(where, sha256, device)
    return float(clip.info.fps), Reenactment(clip, config).frames(renderer)


@lru_cache(maxsize=2)
def _renderer(where: str, sha256: str, device: str) -> Renderer:
    """Open a system; the last two are kept, by the hash of their weights."""
    return open_system(where, device)


def _devices(name: str) -> list[str]:
    if name != "cuda":
        return [name]
    if not torch.cuda.is_available():
        raise InputError("There is no GPU here: use the device cpu.")
    return [f"cuda:{i}" for i in range(torch.cuda.device_count())]


def _choose_source(clip: PreparedClip, config: EvalConfig) -> tuple[int | None, int]:
    """Return (index among the stored warps or None, number of the source frame)."""
    wanted = config.source_frame
    if wanted is not None and not 0 <= wanted < len(clip):
        raise InputError(
            f"The clip {clip.folder} has {len(clip)} frames, so none has the number {wanted}."
        )
    if not config.cached:
        return None, first_usable(clip) if wanted is None else wanted
    stored = [one.frame for one in clip.info.sources]
    if not stored:
        raise InputError(f"The clip {clip.folder} has no stored warps: leave --cached out.")
    if wanted is not None and wanted not in stored:
        known = ", ".join(str(frame) for frame in stored)
        raise InputError(
            f"The clip {clip.folder} has no stored warps of frame {wanted}, only of {known}."
        )
    index = 0 if wanted is None else stored.index(wanted)
    return index, stored[index]


def _without_person(inputs: Inputs) -> Inputs:
    """Return inputs whose background is the photo with the person inpainted."""
    view = inputs.source_view
    background = to_frames([remove_person(view.photo, view.source.foreground[0].numpy())])[0]
    source = replace(view.source, background=background)
    return replace(inputs, source_view=replace(view, person=Person((source,))))
