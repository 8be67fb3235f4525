"""What is scored and how: the two records that every part of the evaluation takes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from bdmm.batch.distributor import HERE, Distributor
from bdmm.batch.run import WHOLE, Shard
from bdmm.errors import InputError
from bdmm.metrics.frame_metrics import FramePair
from bdmm.metrics.protocols import Protocol, find_protocol

ALL = "all"
"""Name of the group of all clips."""
Notify = Callable[[str], None]
"""Called with one sentence for the user."""


@dataclass(frozen=True)
class EvalConfig:
    """How clips are scored. It can be sent to another process.

    Attributes:
        detectors: folder with the weights of networks behind metrics; see
            `metrics.weight_files.find_weights`.
        vgg19: file of VGG-19's weights; from that folder if None.
        device: of all networks; ``cuda`` distributes clips over all GPUs.
        features_every: compute metrics of features on every N-th frame only.
        keypoints: detect keypoints in generated frames and compare them with the driving ones.
        distribution_metrics: gather features for FID, FVD and the like.
        training_set: prepared clips that FID and FVD-Train are distances to.
        source_frame: number, from 0, of the frame that serves as the photo. The first usable one
            if None: its pose is trusted and the person fills enough of it.
        cached: use the warps stored with the clip instead of new geometry. Their fit of the source
            has the error that ``clip.json`` states. The source frame is one of those with warps.
        background: behind the person is the ``clip`` picture of the place, to which all frames
            contributed, or the ``source`` frame with the person inpainted.
        first: use only the first frames of each clip.
        skip_bad: leave out frames on disk that cannot be read or have another size, and say which.
        distributor: who scores the clips.
        shard: part of the clips that is scored.
        recompute: score finished clips again. Results are keyed by weights, clips and settings, not
            by the program's code.
        pictures: clips that get pictures and a video, spread over all.
    """

    protocol: str = "modern"
    detectors: Path | None = None
    vgg19: Path | None = None
    device: str = "cpu"
    features_every: int = 1
    keypoints: bool = False
    distribution_metrics: bool = True
    training_set: tuple[Path, ...] = ()
    source_frame: int | None = None
    cached: bool = False
    background: Literal["clip", "source"] = "clip"
    first: int | None = None
    skip_bad: bool = False
    distributor: Distributor = HERE
    shard: Shard = WHOLE
    recompute: bool = False
    pictures: int = 0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        find_protocol(self.protocol)
        if self.features_every < 1:
            raise InputError(
                f"Features are computed on every {self.features_every}th frame; it must be 1 or "
                "more."
            )
        if self.first is not None and self.first < 1:
            raise InputError(f"The number of first frames is {self.first}; it must be 1 or more.")

    @property
    def rules(self) -> Protocol:
        """Return the protocol."""
        return find_protocol(self.protocol)

    def reenactment(self) -> dict[str, Any]:
        """Return the settings that decide the frames of a reenacted clip, for JSON."""
        names = ("source_frame", "cached", "background", "first")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class EvalFrame:
    """A generated frame and the true one.

    Attributes:
        number: of the frame in its clip, from 0.
        pair: both, with the regions of the true frame.
        keypoints: ``29 3`` driving keypoints in pixels of the frame; None where they are unknown.
    """

    number: int
    pair: FramePair
    keypoints: Float[Tensor, "k 3"] | None = None


@dataclass(frozen=True)
class EvalItem:
    """One clip of one system. It can be sent to another process.

    Attributes:
        group: clips of one group are averaged together.
        identity: all that the frames depend on, for JSON.
        open: notify -> (frames per second, frames in order). It calls ``notify`` with a sentence
            for each frame that it leaves out.
    """

    system: str
    clip: str
    group: str
    identity: Mapping[str, Any]
    open: Callable[[Notify], tuple[float, Iterator[EvalFrame]]]
