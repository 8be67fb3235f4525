"""What crosses the loader's border: one typed value, nothing else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bdmm.records import Conditions


@dataclass(frozen=True)
class Batch:
    """Some clips' source photos, and what they look like in the poses of ``t`` frames each.

    A single sample is a batch of one clip. All of a clip's frames show one person; frames follow
    each other in time.

    Frames may be a part that was cut out (`augment.crop_to_person`); the source is always whole.

    Attributes:
        source_image: ``b 3 h0 w0`` RGB in [-1, 1].
        source_foreground: ``b 1 h0 w0`` in [0, 1].
        background: ``b 3 h w`` the place without the person, RGB in [-1, 1].
        conditions: of the frames.
        target_frames: ``b t 3 h w`` the true frames, RGB in [-1, 1].
        target_foreground: ``b t 1 h w`` in [0, 1].
        valid: ``b t`` a real frame; the others repeat a short clip's last one.
    """

    source_image: Float[Tensor, "b 3 h0 w0"]
    source_foreground: Float[Tensor, "b 1 h0 w0"]
    background: Float[Tensor, "b 3 h w"]
    conditions: Conditions
    target_frames: Float[Tensor, "b t 3 h w"]
    target_foreground: Float[Tensor, "b t 1 h w"]
    valid: Bool[Tensor, "b t"]

    def __len__(self) -> int:
        """Return the number of clips."""
        return self.source_image.shape[0]

    @property
    def frame_count(self) -> int:
        """Frames of each clip."""
        return self.valid.shape[1]

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch on a device."""
        return self._each(lambda value: value.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Return the batch in memory that a GPU can fetch from; called by the loader."""
        return self._each(Tensor.pin_memory)

    def windows(self, frames: int) -> Iterator["Batch"]:
        """Yield consecutive windows, for back-propagation that is cut off between them.

        The conditions of the frame behind a window's end ride along, `Conditions.after`.

        Args:
            frames: of each window; the last one may be shorter.
        """
        for start in range(0, self.frame_count, frames):
            part = slice(start, start + frames)
            moving = {name: getattr(self, name)[:, part] for name in _MOVING}
            yield replace(self, conditions=self.conditions.frames(part), **moving)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        changed = {name: change(getattr(self, name)) for name in _TENSORS}
        return replace(self, conditions=self.conditions.map(change), **changed)


_TENSORS = tuple(one.name for one in fields(Batch) if one.name != "conditions")
_MOVING = ("target_frames", "target_foreground", "valid")
_CONDITIONS = ("keypoints", "source_grid", "state", "fallback")


def collate(samples: Sequence[Batch]) -> Batch:
    """Join samples of one size and length into a batch."""
    first = samples[0]
    joined = {name: _joined([getattr(one, name) for one in samples]) for name in _TENSORS}
    conditions = {
        name: _joined([getattr(one.conditions, name) for one in samples]) for name in _CONDITIONS
    }
    return replace(first, conditions=replace(first.conditions, **conditions), **joined)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    # Decoded frames are views with channels last; PyTorch 2.13 crashes in the backward pass of
    # convolutions on small ones.
    return torch.cat(list(parts)).clone(memory_format=torch.contiguous_format)
