"""Sets of features gathered frame by frame, shard by shard, over several runs, and compared."""

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bdmm.errors import InputError
from bdmm.files.tensor_files import check_tensors, read_safetensors, write_safetensors
from bdmm.media.image import Picture
from bdmm.media.pixels import to_frames
from bdmm.metrics.detectors import Detector
from bdmm.metrics.frechet import FrechetDistance, Moments, RunningMoments, frechet_distance

_KIND = "feature statistics"


class FeatureStatistics:
    """Mean and covariance of a set's features, in memory that does not grow with the set.

    Args:
        dimension: of a feature.
        settings: what made the features, `Detector.settings`; only equals are merged or compared.
    """

    def __init__(self, dimension: int, settings: Mapping[str, str]) -> None:
        self.settings = dict(settings)
        self._moments = RunningMoments(dimension)

    @property
    def count(self) -> int:
        """Return the number of samples."""
        return self._moments.count

    def add(self, features: Float[np.ndarray | Tensor, "n d"]) -> None:
        """Take in some features.

        Raises:
            InputError: a feature is not finite.
        """
        self._moments.add(features)

    def merge(self, other: "FeatureStatistics") -> None:
        """Take in what another shard or an earlier run gathered.

        Raises:
            InputError: its features were made in another way.
        """
        check_settings(self.settings, other.settings)
        self._moments.merge(other._moments)

    def moments(self) -> Moments:
        """Return mean and covariance.

        Raises:
            InputError: there are fewer than two samples.
        """
        return self._moments.moments()

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, whole or not at all.

        Raises:
            InputError: it cannot be written.
        """
        sums = self._moments.sums()
        tensors = {
            "mean": torch.from_numpy(sums.mean),
            "spread": torch.from_numpy(sums.covariance),
        }
        metadata = {"kind": _KIND, "count": str(sums.count), "settings": json.dumps(self.settings)}
        write_safetensors(Path(path), tensors, metadata)

    @classmethod
    def load(cls, path: str | Path) -> "FeatureStatistics":
        """Read what `save` wrote, to the last bit.

        Raises:
            InputError: it is missing, damaged or another kind of file.
        """
        path = Path(path)
        metadata, tensors = read_safetensors(path)
        count, settings = read_metadata(path, metadata, _KIND)
        dimension = tensors["mean"].numel() if "mean" in tensors else 0
        check_tensors(path, tensors, {"mean": (dimension,), "spread": (dimension, dimension)})
        statistics = cls(dimension, settings)
        mean, spread = (tensors[name].double().numpy() for name in ("mean", "spread"))
        statistics._moments = RunningMoments.from_sums(Moments(mean, spread, count))
        return statistics


def gather(
    statistics: FeatureStatistics, detector: Detector, pictures: Iterable[Picture], batch: int = 8
) -> None:
    """Add the features of pictures to a set, a few pictures at a time.

    Args:
        statistics: of this detector's features.
        detector: of frames.
        pictures: RGB in 0..255, all of one size, read as they are needed.
        batch: pictures that are looked at together.

    Raises:
        InputError: a feature is not finite, or a picture cannot be read.
    """
    assert detector.unit == "frame", "pictures need a detector of frames"
    check_settings(statistics.settings, detector.settings)
    pictures = iter(pictures)
    while some := list(islice(pictures, batch)):
        statistics.add(detector(to_frames(some)))


def set_distance(generated: FeatureStatistics, real: FeatureStatistics) -> FrechetDistance:
    """Return the Fréchet distance of two sets: FID where the features are Inception's.

    Raises:
        InputError: the features were made in different ways, or a set has fewer than two samples.
    """
    check_settings(generated.settings, real.settings)
    return frechet_distance(generated.moments(), real.moments())


def check_settings(ours: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """Check that two sets of features were made alike.

    Raises:
        InputError: naming the first setting in which they differ.
    """
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise InputError(
                f"Two sets of features cannot be compared: their {name} is "
                f"{ours.get(name, 'unknown')} and {theirs.get(name, 'unknown')}; gather both "
                "in one way."
            )


def read_metadata(path: Path, metadata: Mapping[str, str], kind: str) -> tuple[int, dict[str, str]]:
    """Return (count, settings) of a file of features.

    Raises:
        InputError: it is another kind of file.
    """
    try:
        count, settings = int(metadata["count"]), json.loads(metadata["settings"])
        if metadata["kind"] == kind and count >= 0 and isinstance(settings, dict):
            return count, {str(name): str(value) for name, value in settings.items()}
    except (KeyError, ValueError):
        pass
    raise InputError(f"{path} does not hold {kind}; gather them again.")
