"""A dressed person, before any pose: what random_person makes and the renderer draws."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bdmm_synth.geometry import Figure, Layer
from bdmm_synth.hair import Hair
from bdmm_synth.material import Paint

Hidden = Callable[[str, np.ndarray], np.ndarray]
"""(layer name, ``n k`` coords) -> ``n`` True where another layer surely covers this one."""


@dataclass(frozen=True)
class Person:
    """A figure with everything on it.

    Attributes:
        figure: the body.
        layers: meshes.
        paints: how each layer is coloured, by its name.
        hair: strands with their RGB linear albedo; the first is what grows on the head and casts
            shadows.
        hidden: what is surely under something else; asked once for every vertex. Faces with all
            corners hidden are neither drawn nor cast shadows.
    """

    figure: Figure
    layers: list[Layer]
    paints: dict[str, Paint]
    hair: list[tuple[Hair, tuple[float, float, float]]]
    hidden: Hidden
