"""Prepared clips as samples: an index in, always the same sample out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from bdmm.conditioning import from_warps
from bdmm.data.augment import Augmentation, augment, crop_to_person
from bdmm.data.batch import Batch
from bdmm.data.clip_store import PreparedClip, find_clips
from bdmm.errors import InputError
from bdmm.records import COCO18


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn from clips.

    Attributes:
        frames: of a window.
        windows: consecutive windows in a sample; `Batch.windows` takes them apart.
        source: any of the cached source frames, as in training, or always the first one.
        joints: which keypoints become heatmaps.
        augmentation: None for samples as they are.
        crop: (height, width) of a part around the person that frames are cut down to; None for
            whole frames.
        seed: decides all that is random, together with the index.
    """

    frames: int = 6
    windows: int = 1
    source: Literal["random", "first"] = "random"
    joints: Sequence[int] = COCO18
    augmentation: Augmentation | None = None
    crop: tuple[int, int] | None = None
    seed: int = 0

    @property
    def span(self) -> int:
        """Frames of a sample."""
        return self.frames * self.windows


class ClipDataset(Dataset[Batch]):
    """Samples of prepared clips, without a state.

    An epoch has one sample for each whole span of frames of each clip. Indices go on beyond it:
    index ``i`` is place ``i % len`` of epoch ``i // len``, drawn anew. Any sample can be had again
    from its index alone.
    """

    def __init__(
        self,
        folders: Iterable[str | Path],
        sampling: Sampling | None = None,
        split: str | None = None,
    ) -> None:
        """Open all clips and check that they go together.

        Args:
            folders: what ``bdmm prepare`` or ``bdmm synth`` made, or single clips.
            split: only clips of this split.

        Raises:
            InputError: there are no clips, one is damaged or without cached warps, or their sizes
                differ.
        """
        self.sampling = sampling or Sampling()
        found = [path for folder in folders for path in find_clips(folder)]
        clips = [PreparedClip(path) for path in found]
        self.clips = [clip for clip in clips if split in (None, clip.info.split)]
        if not self.clips:
            raise InputError(f"None of the {len(clips)} clips is of the split {split}.")
        for clip in self.clips:
            _check(clip, self.clips[0])
        counts = [max(1, len(clip) // self.sampling.span) for clip in self.clips]
        self._ends = np.cumsum(counts)

    def __len__(self) -> int:
        """Return the number of samples of an epoch."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Batch:
        """Return a sample: a batch of one clip.

        Raises:
            InputError: the clip's files are damaged.
        """
        random = np.random.default_rng([self.sampling.seed, index])
        place = int(np.searchsorted(self._ends, index % len(self), side="right"))
        clip = self.clips[place]
        start = int(random.integers(max(0, len(clip) - self.sampling.span) + 1))
        stop = min(start + self.sampling.span, len(clip))
        last = len(clip.info.sources) if self.sampling.source == "random" else 1
        batch = read_batch(clip, int(random.integers(last)), start, stop, self.sampling.joints)
        if self.sampling.augmentation is not None:
            batch = augment(batch, self.sampling.augmentation, random)
        if self.sampling.crop is not None:
            batch = crop_to_person(batch, self.sampling.crop, random)
        return _padded(batch, self.sampling.span)


def read_batch(
    clip: PreparedClip, source: int, start: int, stop: int, joints: Sequence[int] = COCO18
) -> Batch:
    """Read a source and a run of frames, a batch of one clip.

    Args:
        source: which of the clip's stored sources.
        joints: which keypoints become heatmaps.
    """
    warps = clip.warps(source, start, stop)
    frame = warps.source_frame
    keypoints, state = clip.keypoints()[start:stop], warps.state.to(torch.uint8)
    conditions = from_warps(warps.source_grid, state, warps.fallback, keypoints, joints)
    return Batch(
        source_image=clip.frames(frame, frame + 1),
        source_foreground=clip.foregrounds(frame, frame + 1),
        background=clip.background()[None],
        conditions=replace(conditions, side=min(clip.info.size)),
        target_frames=clip.frames(start, stop)[None],
        target_foreground=clip.foregrounds(start, stop)[None],
        valid=torch.ones(1, stop - start, dtype=torch.bool),
    )


def _padded(batch: Batch, span: int) -> Batch:
    """Repeat the last frame of a clip that is shorter than ``span`` frames."""
    count = batch.frame_count
    if count == span:
        return batch
    frames = torch.arange(span).clamp(max=count - 1)
    return replace(
        batch,
        conditions=batch.conditions.map(lambda value: value[:, frames]),
        target_frames=batch.target_frames[:, frames],
        target_foreground=batch.target_foreground[:, frames],
        valid=(torch.arange(span) < count)[None],
    )


def _check(clip: PreparedClip, first: PreparedClip) -> None:
    if not clip.info.sources:
        raise InputError(
            f"The clip {clip.folder} has no cached warps: make it again with one source or more."
        )
    if clip.info.size != first.info.size:
        raise InputError(
            f"The clip {clip.folder} has frames of another size than {first.folder}: train on "
            "clips of one size."
        )
