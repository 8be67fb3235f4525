"""Light on a person and on the ground: shadow maps, soft shadows and contact shadows."""

from dataclasses import dataclass

import cv2
import numpy as np
import warp as wp
from scipy.ndimage import map_coordinates

from bdmm_synth.light.lamps import REACH, Bank
from bdmm_synth.render import lighting_kernels as kernels
from bdmm_synth.render.draw import Puppet
from bdmm_synth.warp_cpu import launch, vectors, zeros

_CELLS = 128
_LOW = 0.05
_DARKEST = 0.75


def contact(points: np.ndarray, centre: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Return ``m`` the part of the light that ground keeps next to what stands on it.

    Args:
        points: ``v 3`` of the person in the scene; the floor is y = 0, up is negative.
        centre: ``3`` the middle of the person.
        ground: ``m 3`` points of the ground.
    """
    cell = 2 * REACH / _CELLS
    low = points[points[:, 1] > -5 * _LOW]
    above = np.zeros((_CELLS, _CELLS), np.float32)
    place = np.floor((low[:, [0, 2]] - centre[[0, 2]]) / cell + _CELLS / 2).astype(int)
    within = ((place >= 0) & (place < _CELLS)).all(axis=1)
    near = np.exp(low[within, 1].clip(-1, 0) / _LOW).astype(np.float32)
    np.maximum.at(above, (place[within, 1], place[within, 0]), near)
    above = cv2.dilate(above, np.ones((3, 3), np.uint8))
    dark = 0.6 * cv2.GaussianBlur(above, (0, 0), 1.0) + 0.4 * cv2.GaussianBlur(above, (0, 0), 3.0)
    at = (ground[:, [0, 2]] - centre[[0, 2]]) / cell + _CELLS / 2 - 0.5
    found = map_coordinates(dark, at.T[::-1], order=1)
    return 1 - _DARKEST * found.clip(0, 1)


_HAIR = 0.0025


_GROUND_TAPS = 2
"""The ground is seen in fewer points than the person, and smooth: noise would show."""


@dataclass(frozen=True)
class Samples:
    """Points of a person that take light, in the kernels' memory; all ``n 3``.

    ``gloss`` is squared roughness, reflectance and fuzz; where the first is negative the point is
    hair and both normals are its tangent.
    """

    position: wp.array
    plain: wp.array
    normal: wp.array
    albedo: wp.array
    gloss: wp.array
    wrap: wp.array


@dataclass(frozen=True)
class Ground:
    """Flat surfaces that may get a shadow: ``m 3`` points and normals, and their full light."""

    position: np.ndarray
    normal: np.ndarray
    full: np.ndarray

    def part(self, chosen: np.ndarray) -> "Ground":
        """Return some of the points."""
        return Ground(self.position[chosen], self.normal[chosen], self.full[chosen])


def make_ground(banks: list[Bank], position: np.ndarray, normal: np.ndarray) -> Ground:
    """Take ``m 3`` points with normals of what stands around the person."""
    full = np.zeros((len(position), 3))
    for bank in banks:
        full += (normal @ bank.lamps.towards.T).clip(0) @ bank.lamps.strength
    return Ground(position, normal, full.clip(1e-6).astype(np.float32))


def illuminate(
    banks: list[Bank],
    puppet: Puppet,
    posed: wp.array,
    centre: np.ndarray,
    eye: np.ndarray,
    samples: Samples,
    ground: Ground,
) -> tuple[np.ndarray, np.ndarray]:
    """Add up the light of all lamps.

    Args:
        banks: the lamps.
        puppet: who casts shadows.
        posed: ``v 3`` vertices in the scene.
        centre: ``3`` the middle of what shadow maps cover.
        eye: ``3`` where the camera is.
        samples: ``n`` points of the person.
        ground: ``m`` points around.

    Returns:
        ``n 3`` linear light of the samples, and ``m 3`` how much of its full light the ground
        gets.
    """
    total = zeros(len(samples.position), wp.vec3)
    below = zeros(len(ground.position), wp.vec3)
    places, normals = vectors(ground.position), vectors(ground.normal)
    for bank in banks:
        maps = _shadow_maps(bank, puppet, posed, centre)
        if len(samples.position):
            inputs = [
                *maps.given(bank.taps), wp.vec3(*eye), samples.position, samples.plain,
                samples.normal, samples.albedo, samples.gloss, samples.wrap, int(bank.sheen), total,
            ]  # fmt: skip
            launch(kernels.light_samples, len(samples.position), inputs)
        if len(ground.position):
            taps = bank.taps * _GROUND_TAPS if bank.taps > 1 else 1
            inputs = [*maps.given(taps), places, normals, below]
            launch(kernels.light_ground, len(ground.position), inputs)
    return total.numpy(), below.numpy().reshape(-1, 3) / ground.full


@dataclass(frozen=True)
class _Maps:
    """A bank's lamps with what is nearest to each: solid things, and hair."""

    bank: Bank
    middle: wp.vec3
    cell: float
    solid: wp.array
    veil: wp.array

    def given(self, taps: int) -> list:
        """Return what the light kernels want to know first."""
        slack = 0.02 if self.bank.rough else 0.003 + 0.9 * self.cell
        return [
            *self.bank.in_memory, self.middle, self.cell, slack, self.bank.spread, taps,
            self.solid, self.veil,
        ]  # fmt: skip


def _shadow_maps(bank: Bank, puppet: Puppet, posed: wp.array, centre: np.ndarray) -> _Maps:
    count, (_, _, turns) = len(bank.lamps.towards), bank.in_memory
    middle, cell = wp.vec3(*centre), 2 * REACH / bank.side
    shape = (count, bank.side, bank.side)
    solid = wp.full(shape, kernels.FAR, dtype=wp.float32, device="cpu")
    veil = zeros((0, 0, 0), wp.float32)
    if bank.rough:
        inputs = [posed, puppet.markers, turns, middle, cell, solid]
        launch(kernels.shade_by_points, len(puppet.markers), inputs)
    else:
        inputs = [posed, puppet.faces, puppet.inside, turns, middle, cell, solid]
        launch(kernels.shade_by_faces, (count, len(puppet.faces)), inputs)
        if len(puppet.growing):
            veil = wp.full(shape, kernels.FAR, dtype=wp.float32, device="cpu")
            radius = max(_HAIR / cell, 0.5)
            inputs = [posed, puppet.growing, radius, turns, middle, cell, veil]
            launch(kernels.shade_by_strands, (count, len(puppet.growing)), inputs)
    return _Maps(bank, middle, cell, solid, veil)
