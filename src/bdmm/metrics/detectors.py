"""Networks whose features are compared as sets: Inception-v3 (FID), I3D (FVD), VGG-19.

A detector takes frames as the rest of the program has them and brings them to its own size. VGG-19
is offered under its own name, ``frechet_vgg19``: it is neither FID nor comparable with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bdmm.config import LossConfig
from bdmm.errors import InputError
from bdmm.losses.vgg19 import load_vgg19
from bdmm.metrics import i3d, inception
from bdmm.metrics.protocols import Protocol as Rules
from bdmm.metrics.weight_files import (
    I3D,
    INCEPTION,
    VGG19,
    WeightFile,
    check_hash,
    find_weights,
    sha256_of,
)

Unit = Literal["frame", "clip"]
Resize = Literal["bilinear", "antialiased"]

VGG_LAYER, VGG_FEATURES, VGG_SIZE = "relu5_4", 512, 224
"""VGG-19's features are this layer's means over places."""


@runtime_checkable
class Detector(Protocol):
    """What a Fréchet distance is taken in. Implemented by `NetworkDetector`."""

    @property
    def name(self) -> str:
        """Return ``inception``, ``i3d`` or ``vgg19``."""
        ...

    @property
    def distance(self) -> str:
        """Return what a Fréchet distance in these features is called in a report."""
        ...

    @property
    def dimension(self) -> int:
        """Return the length of a feature vector."""
        ...

    @property
    def unit(self) -> Unit:
        """Return what one feature vector is of."""
        ...

    @property
    def settings(self) -> dict[str, str]:
        """Return what makes features comparable: the detector, sha256 of its file, resize."""
        ...

    def __call__(
        self, frames: Float[Tensor, "n 3 h w"] | Float[Tensor, "n t 3 h w"]
    ) -> Float[Tensor, "n d"]:
        """Return a feature vector of each frame, or of each clip, in float32 on the CPU.

        Args:
            frames: RGB in [-1, 1] of any size and on any device, where they are resized: frames
                or clips by `unit`.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """A row of what there is.

    Attributes:
        distance: see `Detector.distance`.
        unit: see `Detector.unit`.
        dimension: see `Detector.dimension`.
        size: height and width that the network is shown.
        weights: the file.
        read: (path, accepted SHA-256 or None) -> (network on the CPU, the file's SHA-256).
    """

    distance: str
    unit: Unit
    dimension: int
    size: int
    weights: WeightFile
    read: Callable[[Path, str | None], tuple[nn.Module, str]]


class PooledVgg19(nn.Module):
    """VGG-19's deepest features, averaged over places.

    Args:
        path: of its weights, see `losses.vgg19.load_vgg19`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        layers = LossConfig(
            perceptual_layers=(VGG_LAYER,),
            style_layers=(),
            contextual_layers=(),
            imagenet_input=True,
        )
        self.vgg = load_vgg19(path, layers)

    def forward(self, frames: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return 512 numbers of each frame in [-1, 1]."""
        return self.vgg(frames)[VGG_LAYER].mean((2, 3))


def _read_vgg19(path: Path, sha256: str | None) -> tuple[nn.Module, str]:
    found = sha256_of(path) if sha256 is None else check_hash(path, VGG19, sha256)
    return PooledVgg19(path), found


KINDS = {
    "inception": Kind(
        "FID", "frame", inception.FEATURES, inception.SIZE, INCEPTION, inception.load_inception
    ),
    "i3d": Kind("FVD", "clip", i3d.FEATURES, i3d.SIZE, I3D, i3d.load_i3d),
    "vgg19": Kind("frechet_vgg19", "frame", VGG_FEATURES, VGG_SIZE, VGG19, _read_vgg19),
}


@dataclass(frozen=True)
class NetworkDetector:
    """A network with its own way of resizing.

    Attributes:
        name: among `KINDS`.
        network: on its device.
        resize: how frames are brought to its size.
        path: the weights file.
        sha256: of the weights file.
    """

    name: str
    network: nn.Module
    resize: Resize
    path: Path
    sha256: str

    @property
    def distance(self) -> str:
        """Return what a Fréchet distance in these features is called."""
        return KINDS[self.name].distance

    @property
    def dimension(self) -> int:
        """Return the length of a feature vector."""
        return KINDS[self.name].dimension

    @property
    def unit(self) -> Unit:
        """Return what one feature vector is of."""
        return KINDS[self.name].unit

    @property
    def settings(self) -> dict[str, str]:
        """Return what makes features comparable; a report says it."""
        size = KINDS[self.name].size
        return {
            "detector": self.name,
            "sha256": self.sha256,
            "resize": f"{self.resize} to {size} x {size}",
        }

    @torch.inference_mode()
    def __call__(
        self, frames: Float[Tensor, "n 3 h w"] | Float[Tensor, "n t 3 h w"]
    ) -> Float[Tensor, "n d"]:
        """Return feature vectors; see `Detector`. Clips are looked at one by one."""
        device = next(self.network.parameters()).device
        if self.unit == "clip":
            assert frames.ndim == 5, "I3D looks at clips"
            each = [self.network(self._ready(clip)[None].to(device)) for clip in frames]
            return torch.cat(each).cpu()
        assert frames.ndim == 4, f"{self.name} looks at frames"
        return self.network(self._ready(frames).to(device)).cpu()

    def _ready(self, frames: Tensor) -> Tensor:
        size = KINDS[self.name].size
        return resized(frames.float(), size, self.resize)


def resized(frames: Float[Tensor, "n 3 h w"], size: int, how: Resize) -> Float[Tensor, "n 3 s s"]:
    """Bring frames to a square.

    Args:
        frames: RGB in [-1, 1].
        size: new height and width.
        how: ``bilinear`` reads four neighbours, even where it shrinks (pytorch-fid, and what FVD
            is given); ``antialiased`` is Pillow's bicubic filter in floating point (clean-fid).
    """
    if frames.shape[-2:] == (size, size):
        return frames
    if how == "bilinear":
        return F.interpolate(frames, (size, size), mode="bilinear", align_corners=False)
    # In float32 the filter's weights are off by 5e-5.
    sharp = frames.double()
    sharp = F.interpolate(sharp, (size, size), mode="bicubic", align_corners=False, antialias=True)
    return sharp.to(frames.dtype)


def open_detector(
    name: str,
    where: str | Path | None,
    rules: Rules,
    device: str | torch.device = "cpu",
    sha256: str | None = None,
) -> NetworkDetector:
    """Load a detector.

    Args:
        name: ``inception``, ``i3d`` or ``vgg19``.
        where: its weights file, or the folder of detectors; see `weight_files.find_weights`.
        rules: the protocol: says how FID's frames are resized. FVD's are always bilinear,
            VGG-19's always antialiased.
        device: where it shall run.
        sha256: accept this hash instead of the published one; VGG-19 is accepted with any if None.

    Raises:
        MissingDetector: it has no weights here.
        InputError: there is no such detector, or the file is another one or damaged.
    """
    if name not in KINDS:
        raise InputError(f"There is no detector {name!r}; choose one of {', '.join(KINDS)}.")
    kind = KINDS[name]
    path = find_weights(kind.weights, where)
    network, found = kind.read(path, sha256)
    how: dict[str, Resize] = {"inception": rules.fid_resize, "i3d": "bilinear"}
    network = network.to(device).eval()
    return NetworkDetector(name, network, how.get(name, "antialiased"), path, found)
