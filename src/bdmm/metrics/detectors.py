"""Networks whose features are compared as distributions: Inception-v3 (FID), I3D (FVD), VGG-19.

A detector resizes frames itself. VGG-19 is offered under its own name, ``frechet_vgg19``: it is
neither FID nor comparable with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bdmm.config import LossConfig
from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.losses.vgg19 import Vgg19, load_vgg19
from bdmm.metrics import i3d, inception
from bdmm.metrics.protocols import Protocol
from bdmm.metrics.weight_files import (
    I3D,
    INCEPTION,
    VGG19,
    WeightFile,
    find_weights,
    read_module,
)

Unit = Literal["frame", "clip"]
Resize = Literal["bilinear", "antialiased"]

VGG_LAYER, VGG_FEATURES, VGG_SIZE = "relu5_4", 512, 224
"""VGG-19's features are this layer's means over positions."""


@dataclass(frozen=True)
class Kind:
    """A row of the table of detectors.

    Attributes:
        size: height and width of the network's input.
        read: (path) -> (network on the CPU, the file's SHA-256).
    """

    distance: str
    unit: Unit
    dimension: int
    size: int
    weights: WeightFile
    read: Callable[[Path], tuple[nn.Module, str]]


class PooledVgg19(nn.Module):
    """VGG-19's deepest features, averaged over positions.

    Args:
        path: of its weights, see `losses.vgg19.load_vgg19`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.vgg = read_vgg19(path, (VGG_LAYER,))

    def forward(self, frames: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return 512 numbers of each frame in [-1, 1]."""
        return self.vgg(frames)[VGG_LAYER].mean((2, 3))


def read_vgg19(path: Path, layers: tuple[str, ...]) -> Vgg19:
    """Read VGG-19 with the features of some layers, shown frames as it was trained."""
    config = LossConfig(
        perceptual_layers=layers, style_layers=(), contextual_layers=(), imagenet_input=True
    )
    return load_vgg19(path, config)


def _read_vgg19(path: Path) -> tuple[nn.Module, str]:
    return PooledVgg19(path), fingerprint(path)


_read_inception = partial(read_module, inception.Inception, INCEPTION)
_read_i3d = partial(read_module, i3d.Inflated, I3D)
KINDS = {
    "inception": Kind(
        "FID", "frame", inception.FEATURES, inception.SIZE, INCEPTION, _read_inception
    ),
    "i3d": Kind("FVD", "clip", i3d.FEATURES, i3d.SIZE, I3D, _read_i3d),
    "vgg19": Kind("frechet_vgg19", "frame", VGG_FEATURES, VGG_SIZE, VGG19, _read_vgg19),
}


@dataclass(frozen=True)
class Detector:
    """A network that a Fréchet distance is taken in; call it for feature vectors.

    Attributes:
        name: ``inception``, ``i3d`` or ``vgg19``.
        distance: name of a Fréchet distance in these features.
        unit: one feature vector is of a frame or of a clip.
        dimension: length of a feature vector.
        settings: what makes features comparable: the detector, SHA-256 of its file, resize.
        extract: ``n 3 h w`` or ``n t 3 h w`` by `unit`, RGB in [-1, 1] of any size and on any
            device -> ``n d`` in float32 on the CPU.
    """

    name: str
    distance: str
    unit: Unit
    dimension: int
    settings: dict[str, str]
    extract: Callable[[Tensor], Tensor]

    def __call__(
        self, frames: Float[Tensor, "n 3 h w"] | Float[Tensor, "n t 3 h w"]
    ) -> Float[Tensor, "n d"]:
        """Return a feature vector of each frame or clip; see `extract`."""
        assert frames.ndim == (5 if self.unit == "clip" else 4), f"{self.name} takes {self.unit}s"
        return self.extract(frames)


@torch.inference_mode()
def extract_features(
    network: nn.Module, size: int, resize: Resize, frames: Float[Tensor, "n *t 3 h w"]
) -> Float[Tensor, "n d"]:
    """Return a network's feature vectors; clips go through it one by one.

    Args:
        frames: frames or clips, RGB in [-1, 1].
    """
    device = next(network.parameters()).device
    if frames.ndim == 5:
        clips = (resized(clip.float(), size, resize)[None] for clip in frames)
        return torch.cat([network(clip.to(device)) for clip in clips]).cpu()
    return network(resized(frames.float(), size, resize).to(device)).cpu()


def resized(frames: Float[Tensor, "n 3 h w"], size: int, how: Resize) -> Float[Tensor, "n 3 s s"]:
    """Bring frames to a square.

    Args:
        frames: RGB in [-1, 1].
        how: ``bilinear`` reads four neighbours, even where it shrinks (pytorch-fid, and the usual
            FVD); ``antialiased`` is Pillow's bicubic filter in floating point (clean-fid).
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
    rules: Protocol,
    device: str | torch.device = "cpu",
) -> Detector:
    """Load a detector.

    Args:
        name: ``inception``, ``i3d`` or ``vgg19``.
        where: its weights file, or the folder of weights; see `weight_files.find_weights`.
        rules: the protocol: says how FID's frames are resized. FVD's are always bilinear,
            VGG-19's always antialiased, and its weights are accepted with any hash.

    Raises:
        MissingDetector: it has no weights here.
        InputError: there is no such detector, or the file is another one or damaged.
    """
    if name not in KINDS:
        raise InputError(f"There is no detector {name!r}; choose one of {', '.join(KINDS)}.")
    kind = KINDS[name]
    network, found = kind.read(find_weights(kind.weights, where))
    how: dict[str, Resize] = {"inception": rules.fid_resize, "i3d": "bilinear"}
    resize = how.get(name, "antialiased")
    settings = {
        "detector": name,
        "sha256": found,
        "resize": f"{resize} to {kind.size} x {kind.size}",
    }
    extract = partial(extract_features, network.to(device).eval(), kind.size, resize)
    return Detector(name, kind.distance, kind.unit, kind.dimension, settings, extract)
