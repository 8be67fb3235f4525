"""Light on a person and on the ground: shadow maps, soft shadows and contact shadows."""

from dataclasses import dataclass

import cv2
import numpy as np
import warp as wp
from scipy.ndimage import map_coordinates

from bdmm_synth.light.lamps import REACH, Bank
from bdmm_synth.render import lighting_kernels as kernels
from bdmm_synth.render.draw import SkinnedMesh
from bdmm_synth.render.lighting_kernels import LampArrays, Samples, ShadowMaps
from bdmm_synth.warp_cpu import Struct, array, filled, launch, vectors, zeros

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


def empty_samples(count: int) -> Struct:
    """Return ``count`` samples to be filled in by `texture_kernels.look_up`."""
    names = ("position", "plain", "normal", "albedo", "gloss", "wrap")
    return filled(Samples, **{name: zeros(count, wp.vec3) for name in names})


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
    model: SkinnedMesh,
    posed: wp.array,
    centre: np.ndarray,
    eye: np.ndarray,
    samples: Struct,
    ground: Ground,
) -> tuple[np.ndarray, np.ndarray]:
    """Add up the light of all lamps.

    Args:
        banks: the lamps.
        model: who casts shadows.
        posed: ``v 3`` vertices in the scene.
        centre: ``3`` the middle of what shadow maps cover.
        eye: ``3`` where the camera is.
        samples: `lighting_kernels.Samples`, ``n`` points of the person.
        ground: ``m`` points around.

    Returns:
        ``n 3`` linear light of the samples, and ``m 3`` how much of its full light the ground
        gets.
    """
    total = zeros(len(samples.position), wp.vec3)
    below = zeros(len(ground.position), wp.vec3)
    places, normals = vectors(ground.position), vectors(ground.normal)
    for bank in banks:
        lamps = filled(
            LampArrays,
            towards=vectors(bank.lamps.towards),
            strength=vectors(bank.lamps.strength),
            turns=array(bank.turns, wp.mat33),
        )
        maps = _shadow_maps(bank, model, posed, centre, lamps.turns)
        if len(samples.position):
            inputs = [lamps, maps, wp.vec3(*eye), samples, int(bank.sheen), total]
            launch(kernels.light_samples, len(samples.position), inputs)
        if len(ground.position):
            maps.taps = bank.taps * _GROUND_TAPS if bank.taps > 1 else 1
            launch(
                kernels.light_ground, len(ground.position), [lamps, maps, places, normals, below]
            )
    return total.numpy(), below.numpy().reshape(-1, 3) / ground.full


def _shadow_maps(
    bank: Bank, model: SkinnedMesh, posed: wp.array, centre: np.ndarray, turns: wp.array
) -> Struct:
    """Find what is nearest to each lamp of a bank: solid things, and hair."""
    cell = 2 * REACH / bank.side
    shape = (len(turns), bank.side, bank.side)
    maps = filled(
        ShadowMaps,
        solid=wp.full(shape, kernels.FAR, dtype=wp.float32, device="cpu"),
        hair=zeros((0, 0, 0), wp.float32),
        centre=wp.vec3(*centre),
        cell=cell,
        slack=0.02 if bank.rough else 0.003 + 0.9 * cell,
        spread=bank.spread,
        taps=bank.taps,
    )
    if bank.rough:
        inputs = [posed, model.markers, turns, maps.centre, cell, maps.solid]
        launch(kernels.shade_by_points, len(model.markers), inputs)
        return maps
    inputs = [posed, model.faces, model.inside, turns, maps.centre, cell, maps.solid]
    launch(kernels.shade_by_faces, (len(turns), len(model.faces)), inputs)
    if len(model.growing):
        maps.hair = wp.full(shape, kernels.FAR, dtype=wp.float32, device="cpu")
        radius = max(_HAIR / cell, 0.5)
        inputs = [posed, model.growing, radius, turns, maps.centre, cell, maps.hair]
        launch(kernels.shade_by_strands, (len(turns), len(model.growing)), inputs)
    return maps
