"""Textures of a merged mesh: a small triangle of texels a face, painted when first seen."""

import numpy as np
import warp as wp

from bdmm_synth.people.person import Person
from bdmm_synth.render.mesh import Mesh
from bdmm_synth.render.texture_kernels import Texels
from bdmm_synth.warp_cpu import array, filled, shared

_FINEST = 8


class Texture:
    """Painted texels of all faces.

    A face with ``n`` steps along its sides has (n + 1)(n + 2) / 2 texels, rows from its side
    between corners 0 and 1 towards corner 2.

    Args:
        person: whose paints are used.
        mesh: the person, merged.
        texel: size of a texel in metres.
    """

    def __init__(self, person: Person, mesh: Mesh, texel: float) -> None:
        self._paints = [person.paints[layer.name] for layer in person.layers]
        self._mesh = mesh
        corners = mesh.rest[mesh.faces]
        sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1)
        self._steps = np.clip(np.round(sides.max(axis=1) / texel), 1, _FINEST).astype(np.int32)
        count = (self._steps + 1) * (self._steps + 2) // 2
        self._start = (np.cumsum(count) - count).astype(np.int32)
        self._painted = np.zeros(len(mesh.faces), bool)
        total = max(int(count.sum()), 1)
        # Albedo; squared roughness, gloss, fuzz; wrap.
        self._texels = np.zeros((3, total, 3), np.float32)
        self._height = np.zeros(total, np.float32)
        self.texels = filled(
            Texels,
            first=array(self._start, wp.int32),
            steps=array(self._steps, wp.int32),
            values=shared(self._texels, wp.vec3),
            height=shared(self._height, wp.float32),
        )

    def paint(self, faces: np.ndarray) -> None:
        """Paint faces that have not been painted yet.

        Args:
            faces: ``n`` their numbers, each at most once.
        """
        missing = faces[~self._painted[faces]]
        if not len(missing):
            return
        self._painted[missing] = True
        layer = self._mesh.layer[missing]
        for index in np.unique(layer):
            self._paint_layer(int(index), missing[layer == index])

    def _paint_layer(self, index: int, faces: np.ndarray) -> None:
        steps = self._steps[faces]
        coords, where = [], []
        for step in np.unique(steps):
            own = faces[steps == step]
            share = lattice(int(step))
            corners = self._mesh.coords[index][self._mesh.faces[own] - self._mesh.first[index]]
            coords.append(np.einsum("mk,nkc->nmc", share, corners).reshape(-1, corners.shape[2]))
            where.append((self._start[own][:, None] + np.arange(len(share))).ravel())
        surface = self._paints[index](np.concatenate(coords))
        place = np.concatenate(where)
        self._texels[0, place] = surface.albedo
        shine = [surface.roughness.clip(0.05, 1) ** 2, surface.gloss, surface.fuzz]
        self._texels[1, place] = np.stack(shine, axis=-1)
        self._texels[2, place] = surface.wrap
        self._height[place] = surface.height


def lattice(steps: int) -> np.ndarray:
    """Return ``m 3``: the barycentric weights of a face's texels, in their order."""
    points = [(i, j) for j in range(steps + 1) for i in range(steps + 1 - j)]
    b, c = np.array(points).T / steps
    return np.stack([1 - b - c, b, c], axis=-1)
