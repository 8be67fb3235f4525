"""What crosses the loader's border: one typed value, nothing else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from bdmm.body.pose_heatmap import pose_heatmaps
from bdmm.kernels.warp import warp
from bdmm.records import COCO18


@dataclass(frozen=True)
class Batch:
    """Some clips' source photos, and what they look like in the poses of ``t`` frames each.

    A single sample is a batch of one clip. All of a clip's frames show one person; frames follow
    each other in time.

    Frames may be a part that was cut out (`data.crop`); the source is always whole.

    Attributes:
        source_image: ``b 3 h0 w0`` RGB in [-1, 1].
        source_foreground: ``b 1 h0 w0`` in [0, 1].
        background: ``b 3 h w`` the place without the person, RGB in [-1, 1].
        keypoints: ``b t 29 3`` (x, y in pixels, confidence) of the pose that the network is given.
        source_grid: ``b t h w 2`` normalised (x, y) positions in the source, -2 where unknown.
        state: ``b t h w`` values of `records.PixelState`.
        filled: ``b t h w`` hidden pixels whose through-body position may be copied.
        target_frames: ``b t 3 h w`` the true frames, RGB in [-1, 1].
        target_foreground: ``b t 1 h w`` in [0, 1].
        valid: ``b t`` a real frame; the others repeat a short clip's last one.
        joints: which keypoints become heatmaps.
    """

    source_image: Float[Tensor, "b 3 h0 w0"]
    source_foreground: Float[Tensor, "b 1 h0 w0"]
    background: Float[Tensor, "b 3 h w"]
    keypoints: Float[Tensor, "b t k 3"]
    source_grid: Float[Tensor, "b t h w 2"]
    state: UInt8[Tensor, "b t h w"]
    filled: Bool[Tensor, "b t h w"]
    target_frames: Float[Tensor, "b t 3 h w"]
    target_foreground: Float[Tensor, "b t 1 h w"]
    valid: Bool[Tensor, "b t"]
    joints: tuple[int, ...] = COCO18

    def __len__(self) -> int:
        """Return the number of clips."""
        return self.source_image.shape[0]

    @property
    def frame_count(self) -> int:
        """Frames of each clip."""
        return self.valid.shape[1]

    @cached_property
    def pose_heatmaps(self) -> Float[Tensor, "b t k2 h w"]:
        """One Gaussian per joint in [0, 1]; drawn where the batch is, since they are large."""
        height, width = self.state.shape[2:]
        flat = rearrange(self.keypoints, "b t k xyc -> (b t) k xyc")
        side = min(self.source_image.shape[2:])
        maps = pose_heatmaps(flat, (height, width), self.joints, side)
        return rearrange(maps, "(b t) k h w -> b t k h w", b=len(self))

    @cached_property
    def warped_foreground(self) -> Float[Tensor, "b t 1 h w"]:
        """The source's foreground sampled by ``source_grid``."""
        people = repeat(self.source_foreground, "b c h w -> (b t) c h w", t=self.frame_count)
        grid = rearrange(self.source_grid, "b t h w xy -> (b t) h w xy")
        return rearrange(warp(people, grid), "(b t) c h w -> b t c h w", b=len(self))

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch on a device."""
        return self._each(lambda value: value.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Return the batch in memory that a GPU can fetch from; called by the loader."""
        return self._each(Tensor.pin_memory)

    def windows(self, frames: int) -> Iterator["Batch"]:
        """Yield consecutive windows, for back-propagation that is cut off between them.

        Args:
            frames: of each window; the last one may be shorter.
        """
        for start in range(0, self.frame_count, frames):
            part = slice(start, start + frames)
            moving = {name: getattr(self, name)[:, part] for name in _MOVING}
            yield replace(self, **moving)

    def frame(self, number: int) -> "Batch":
        """Return one of the frames."""
        part = slice(number, number + 1)
        return replace(self, **{name: getattr(self, name)[:, part] for name in _MOVING})

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return replace(self, **{name: change(getattr(self, name)) for name in _TENSORS})


_TENSORS = tuple(one.name for one in fields(Batch) if one.name != "joints")
_MOVING = tuple(
    name for name in _TENSORS if name not in ("source_image", "source_foreground", "background")
)


def collate(samples: Sequence[Batch]) -> Batch:
    """Join samples of one size and length into a batch."""
    joined = {name: torch.cat([getattr(one, name) for one in samples]) for name in _TENSORS}
    return replace(samples[0], **joined)
