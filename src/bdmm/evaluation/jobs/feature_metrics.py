"""Distances of features, frame by frame: LPIPS and VGG-19, where their weights are at hand.

Each judges the whole frame and the person alone. For the person, everything outside of the true
foreground is replaced by the true frame's pixels, and the distance is divided by the person's share
of the frame, so that it does not depend on how large the person is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.config import LossConfig
from bdmm.losses.vgg19 import Vgg19, load_vgg19
from bdmm.media.pixels import to_frames
from bdmm.metrics.frame_metrics import WHOLE, FramePair
from bdmm.metrics.lpips import Lpips, load_lpips
from bdmm.metrics.protocols import Protocol as JudgingProtocol
from bdmm.metrics.regions import PERSON
from bdmm.metrics.weight_files import (
    BACKBONES,
    HEADS,
    VGG19,
    MissingDetector,
    find_weights,
    sha256_of,
)
from bdmm.shapes import Image

VGG19_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""Layers whose distances are averaged."""
_LEAST = 1e-8


@runtime_checkable
class FeatureJudge(Protocol):
    """A distance of pictures.

    Attributes:
        metric: its name in reports.
        hashes: SHA-256 of each file that it read, by a name for it.
    """

    metric: str
    hashes: dict[str, str]

    def distances(self, pictures: Float[Tensor, "b 3 h w"], target: Image) -> Float[Tensor, "b"]:
        """Return how far each picture in [-1, 1] is from the target, 0 where it is the same."""
        ...


@dataclass(frozen=True)
class Detectors:
    """Where the weights of the judges are.

    Attributes:
        folder: of all of them; see `metrics.weight_files.find_weights`.
        vgg19: a file of VGG-19; from the folder if None.
        device: where they work.
    """

    folder: Path | None = None
    vgg19: Path | None = None
    device: str = "cpu"


class LpipsJudge:
    """LPIPS.

    Args:
        lpips: with its weights.
        device: where it works.
    """

    def __init__(self, lpips: Lpips, device: str = "cpu") -> None:
        self.metric = f"lpips_{lpips.network}"
        self.hashes = {f"LPIPS {lpips.network} {part}": h for part, h in lpips.hashes.items()}
        self._lpips, self._device = lpips.to(device), device

    def distances(self, pictures: Float[Tensor, "b 3 h w"], target: Image) -> Float[Tensor, "b"]:
        """Return LPIPS; see `FeatureJudge.distances`."""
        pictures = pictures.to(self._device)
        return self._lpips(pictures, target.to(pictures).expand_as(pictures))


class Vgg19Judge:
    """Mean absolute difference of VGG-19's features, relative to the true frame's features.

    At each of `VGG19_LAYERS` the mean absolute difference is divided by the mean of the true
    frame's features; the layers' numbers are averaged. So weights whose activations have another
    scale give comparable numbers. This is no published metric: compare it within a report.

    Args:
        vgg: reads `VGG19_LAYERS`.
        sha256: of its file.
        device: where it works.
    """

    metric: str = "vgg19"

    def __init__(self, vgg: Vgg19, sha256: str, device: str = "cpu") -> None:
        self.hashes = {"VGG-19": sha256}
        self._vgg, self._device = vgg.to(device), device

    @torch.no_grad()
    def distances(self, pictures: Float[Tensor, "b 3 h w"], target: Image) -> Float[Tensor, "b"]:
        """Return the distance; see `FeatureJudge.distances`."""
        ours = self._vgg(pictures.to(self._device))
        theirs = self._vgg(target[None].to(self._device))
        layers = [
            (ours[name] - theirs[name]).abs().mean((1, 2, 3)) / (theirs[name].mean() + _LEAST)
            for name in VGG19_LAYERS
        ]
        return torch.stack(layers).mean(0)


def judge_features(pair: FramePair, judges: Sequence[FeatureJudge]) -> dict[str, dict[str, float]]:
    """Return region -> metric -> distance, for the whole frame and the person.

    Args:
        pair: with the person's region, if the person shall be judged.
        judges: any number.
    """
    if not judges:
        return {}
    generated, target = to_frames([pair.generated_uint8, pair.target_uint8])
    pictures, shares = {WHOLE: generated}, {WHOLE: 1.0}
    person = pair.regions.get(PERSON)
    if person is not None and person.any():
        share = torch.from_numpy(person).to(generated)
        pictures[PERSON] = target + share * (generated - target)
        shares[PERSON] = float(share.mean())
    scores: dict[str, dict[str, float]] = {region: {} for region in pictures}
    for judge in judges:
        away = judge.distances(torch.stack(list(pictures.values())), target).tolist()
        for region, value in zip(pictures, away, strict=True):
            scores[region][judge.metric] = value / shares[region]
    return scores


def open_judges(
    detectors: Detectors, protocol: JudgingProtocol
) -> tuple[list[FeatureJudge], dict[str, str]]:
    """Load the judges whose weights are at hand.

    Args:
        detectors: where they are.
        protocol: says which LPIPS it wants.

    Returns:
        (judges, metric -> why it is not computed, for the others).

    Raises:
        InputError: a file is damaged or another one than its name says, or a named one is missing.
    """
    judges: list[FeatureJudge] = []
    missing: dict[str, str] = {}
    for network in protocol.lpips:
        try:
            judges.append(_open_lpips(network, detectors))
        except MissingDetector as error:
            missing[f"lpips_{network}"] = str(error)
    try:
        judges.append(_open_vgg19(detectors))
    except MissingDetector as error:
        missing["vgg19"] = str(error)
    return judges, missing


def _open_lpips(network: str, detectors: Detectors) -> LpipsJudge:
    folder = detectors.folder
    backbone = find_weights(BACKBONES[network], folder)
    heads = find_weights(HEADS[network], folder)
    return LpipsJudge(load_lpips(network, backbone, heads), detectors.device)


def _open_vgg19(detectors: Detectors) -> Vgg19Judge:
    config = LossConfig(
        perceptual_layers=VGG19_LAYERS,
        style_layers=(),
        contextual_layers=(),
        imagenet_input=True,
    )
    path = detectors.vgg19 or find_weights(VGG19, detectors.folder)
    return Vgg19Judge(load_vgg19(path, config), sha256_of(path), detectors.device)
