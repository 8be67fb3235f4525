"""Distances of features, frame by frame: LPIPS and VGG-19, where their weights are at hand.

Each compares the whole frame and the person alone. For the person, everything outside of the true
foreground is replaced by the true frame's pixels, and the distance is divided by the person's share
of the frame, so that it does not depend on the person's size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.evaluation.config import EvalConfig
from bdmm.files.fingerprint import fingerprint
from bdmm.losses.vgg19 import Vgg19
from bdmm.media.pixels import to_frames
from bdmm.metrics.detectors import read_vgg19
from bdmm.metrics.frame_metrics import WHOLE, FramePair
from bdmm.metrics.lpips import load_lpips
from bdmm.metrics.regions import PERSON
from bdmm.metrics.weight_files import (
    BACKBONES,
    HEADS,
    VGG19,
    MissingDetector,
    find_weights,
)
from bdmm.shapes import Image

VGG19_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""Layers whose distances are averaged."""
_LEAST = 1e-8


@dataclass(frozen=True)
class FeatureMetric:
    """A distance of pictures.

    Attributes:
        hashes: SHA-256 of each of its files, by a name for it.
        distances: (pictures ``b 3 h w`` in [-1, 1], target ``3 h w``) -> ``b``, 0 where equal.
    """

    name: str
    hashes: Mapping[str, str]
    distances: Callable[[Tensor, Image], Float[Tensor, "b"]]


@torch.no_grad()
def vgg19_distances(
    vgg: Vgg19, pictures: Float[Tensor, "b 3 h w"], target: Image
) -> Float[Tensor, "b"]:
    """Return the mean absolute difference of VGG-19's features, relative to the target's.

    At each of `VGG19_LAYERS` the mean absolute difference is divided by the mean of the target's
    features; the layers' numbers are averaged. So weights with other scales of activations give
    comparable numbers. This is no published metric: compare it within a report.

    Args:
        vgg: reads `VGG19_LAYERS`.
        pictures: in [-1, 1].
        target: in [-1, 1].
    """
    ours, theirs = vgg(pictures), vgg(target[None])
    layers = [
        (ours[name] - theirs[name]).abs().mean((1, 2, 3)) / (theirs[name].mean() + _LEAST)
        for name in VGG19_LAYERS
    ]
    return torch.stack(layers).mean(0)


def feature_distances(
    pair: FramePair, metrics: Sequence[FeatureMetric]
) -> dict[str, dict[str, float]]:
    """Return region -> metric -> distance, for the whole frame and the person.

    Args:
        pair: with the person's region, if the person shall be scored.
    """
    if not metrics:
        return {}
    generated, target = to_frames([pair.generated_uint8, pair.target_uint8])
    pictures, shares = {WHOLE: generated}, {WHOLE: 1.0}
    person = pair.regions.get(PERSON)
    if person is not None and person.any():
        share = torch.from_numpy(person).to(generated)
        pictures[PERSON] = target + share * (generated - target)
        shares[PERSON] = float(share.mean())
    scores: dict[str, dict[str, float]] = {region: {} for region in pictures}
    for metric in metrics:
        away = metric.distances(torch.stack(list(pictures.values())), target).tolist()
        for region, value in zip(pictures, away, strict=True):
            scores[region][metric.name] = value / shares[region]
    return scores


@lru_cache(maxsize=1)
def open_feature_metrics(config: EvalConfig) -> tuple[list[FeatureMetric], dict[str, str]]:
    """Load the metrics whose weights are at hand.

    Returns:
        (metrics, name -> why it is not computed, for the others).

    Raises:
        InputError: a file is damaged or another one than its name says, or a named one is missing.
    """
    metrics: list[FeatureMetric] = []
    missing: dict[str, str] = {}
    openers = {f"lpips_{one}": partial(_open_lpips, one) for one in config.rules.lpips}
    for name, opener in (*openers.items(), ("vgg19", _open_vgg19)):
        try:
            metrics.append(opener(config))
        except MissingDetector as error:
            missing[name] = str(error)
    return metrics, missing


def _open_lpips(network: str, config: EvalConfig) -> FeatureMetric:
    folder, device = config.detectors, config.device
    backbone = find_weights(BACKBONES[network], folder)
    lpips = load_lpips(network, backbone, find_weights(HEADS[network], folder)).to(device)

    def distances(pictures: Tensor, target: Image) -> Tensor:
        pictures = pictures.to(device)
        return lpips(pictures, target.to(pictures).expand_as(pictures))

    hashes = {f"LPIPS {network} {part}": value for part, value in lpips.hashes.items()}
    return FeatureMetric(f"lpips_{network}", hashes, distances)


def _open_vgg19(config: EvalConfig) -> FeatureMetric:
    path: Path = config.vgg19 or find_weights(VGG19, config.detectors)
    vgg, device = read_vgg19(path, VGG19_LAYERS).to(config.device), config.device

    def distances(pictures: Tensor, target: Image) -> Tensor:
        return vgg19_distances(vgg, pictures.to(device), target.to(device))

    return FeatureMetric("vgg19", {"VGG-19": fingerprint(path)}, distances)
