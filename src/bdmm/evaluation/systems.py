"""What is evaluated: the baselines that any result must beat, and networks with their weights."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from bdmm.errors import InputError
from bdmm.files.fingerprint import fingerprint
from bdmm.inference.person_box import Box
from bdmm.inference.render import Rendered, Renderer, Scene
from bdmm.inference.renderers import CoarseRenderer, load_network
from bdmm.network.weights import weights_file

COPY, COARSE = "copy", "coarse"
BASELINES = (COPY, COARSE)
"""The source frame repeated, and the coarse warp without a network."""


class Copy(CoarseRenderer):
    """The source frame for every frame: a renderer that ignores the motion."""

    name = COPY

    def render(self, scene: Scene) -> Iterator[Rendered]:
        """Yield the source as often as each window has frames."""
        for conditions in scene.windows:
            frames = scene.source.image.expand(conditions.frame_count, -1, -1, -1)
            yield Rendered(frames, conditions.state[0], Box.whole(conditions.size))


def open_system(where: str, device: torch.device | str = "cpu") -> Renderer:
    """Load what makes the frames.

    Args:
        where: `COPY`, `COARSE`, or weights, see `inference.renderers.load_network`.

    Raises:
        InputError: the weights are missing, damaged or not ours.
    """
    if where == COPY:
        return Copy(device)
    if where == COARSE:
        return CoarseRenderer(device)
    return load_network(where, device)


def list_systems(weights: Sequence[str], baselines: Sequence[str] = BASELINES) -> dict[str, str]:
    """Return name -> what `open_system` takes: the baselines, then each weights file.

    Args:
        weights: paths, or names of weights that ship, as ``NAME=PATH`` or bare. A bare one is named
            after the file, or after the folder of a run.

    Raises:
        InputError: a weights file is missing, or two systems have one name.
    """
    systems = {name: name for name in baselines}
    for text in weights:
        name, path = split_name(text)
        if not weights_file(path).is_file():
            raise InputError(f"There are no weights at {path}; give a weights file or a run.")
        if name in systems:
            raise InputError(
                f"Two systems are called {name}: give them names, such as ours=FILE other=FILE."
            )
        systems[name] = str(path)
    return systems


def weights_hash(where: str) -> str:
    """Return the SHA-256 of a system's weights; empty for baselines."""
    return "" if where in BASELINES else fingerprint(weights_file(where))


def split_name(text: str) -> tuple[str, Path]:
    """Return name and path of ``NAME=PATH``; the name of a bare path is its last part."""
    name, equals, path = text.partition("=")
    if equals and name and path and not Path(text).exists():
        return name, Path(path)
    bare = Path(text)
    return (bare.stem if bare.suffix else bare.name) or text, bare
