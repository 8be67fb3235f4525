"""What a surface is made of, painted point by point and independent of pose, light and camera."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Surface:
    """How points of a layer take light; RGB linear in [0, 1].

    Attributes:
        albedo: ``n 3`` of the outer side; inner sides are drawn half as bright.
        height: ``n`` metres that the point stands out of the mesh: bumps.
        roughness: ``n`` of the gloss.
        gloss: ``n`` reflectance at normal incidence.
        fuzz: ``n`` strength of the light edge of cloth.
        wrap: ``n 3`` how far red, green and blue light creeps around an edge (skin).
    """

    albedo: np.ndarray
    height: np.ndarray
    roughness: np.ndarray
    gloss: np.ndarray
    fuzz: np.ndarray
    wrap: np.ndarray


Paint = Callable[[np.ndarray], Surface]
"""``n k`` coordinates of a layer (`geometry.Layer.coords`) -> the surface there.

It must depend on nothing else: its result is computed once and kept.
"""
