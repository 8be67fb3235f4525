"""What is judged: the baselines that any result must beat, and networks with their weights."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bdmm.body.source_geometry import SourceGeometry
from bdmm.errors import InputError
from bdmm.inference.renderers import Coarse, Renderer, load_network
from bdmm.metrics.weight_files import sha256_of
from bdmm.network.weights import weights_file
from bdmm.records import COCO18, Conditions, Source
from bdmm.shapes import Frames

COPY, COARSE = "copy", "coarse"
BASELINES = (COPY, COARSE)
"""The source frame shown again and again, and the warp without a network."""


@dataclass(frozen=True)
class System:
    """Something that makes frames.

    Attributes:
        name: in reports.
        where: `COPY`, `COARSE`, or the path of a weights file or a run's folder, or the name of
            weights that ship.
        sha256: of the weights file, empty for baselines.
    """

    name: str
    where: str
    sha256: str = ""


class Copy:
    """The source frame for every frame: a renderer that ignores the motion.

    Args:
        device: where it works.
    """

    name: str = COPY
    joints: tuple[int, ...] = COCO18

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    def render(
        self,
        source: Source,
        geometry: SourceGeometry,
        windows: Iterable[Conditions],
        backgrounds: Iterable[Frames] | None = None,
    ) -> Iterator[Frames]:
        """Yield the source as often as each window has frames; see `Renderer.render`."""
        for conditions in windows:
            yield source.image.expand(conditions.frame_count, -1, -1, -1)


def open_system(where: str, device: torch.device | str = "cpu") -> Renderer:
    """Load what makes the frames.

    Args:
        where: `COPY`, `COARSE`, or the path of weights.
        device: where it works.

    Raises:
        InputError: the weights are missing, damaged or not ours.
    """
    if where == COPY:
        return Copy(device)
    if where == COARSE:
        return Coarse(device)
    return load_network(where, device)


def list_systems(weights: Sequence[str], baselines: Sequence[str] = BASELINES) -> list[System]:
    """Return the systems of a report: the baselines, then each weights file, named.

    Args:
        weights: paths or names of weights that ship, each with a name of its own before it if it
            shall have one: ``ours=W``. Otherwise it is called like the file, or like the folder of
            a run.
        baselines: some of `BASELINES`.

    Raises:
        InputError: a weights file is missing, or two systems have one name.
    """
    systems = [System(name, name) for name in baselines]
    for text in weights:
        name, path = split_name(text)
        file = weights_file(path)
        if not file.is_file():
            raise InputError(f"There are no weights at {path}; give a weights file or a run.")
        systems.append(System(name, str(path), sha256_of(file)))
    names = [one.name for one in systems]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"Two systems are called {name}: give them names, such as ours=FILE other=FILE."
            )
    return systems


def split_name(text: str) -> tuple[str, Path]:
    """Return name and path of ``NAME=PATH``; a bare path is called by its last part."""
    name, equals, path = text.partition("=")
    if equals and name and path and not Path(text).exists():
        return name, Path(path)
    bare = Path(text)
    return (bare.stem if bare.suffix else bare.name) or text, bare
