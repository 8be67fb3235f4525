"""Light as banks of distant lamps with shadow maps: soft shadows and shaded hollows fall out."""

import functools
from dataclasses import dataclass

import numpy as np
import warp as wp

from bdmm_synth import light_kernels as kernels
from bdmm_synth import shadow_kernels
from bdmm_synth.draw import Puppet, vectors
from bdmm_synth.geometry import unit

REACH = 1.35
"""Half the side of the square that shadow maps cover around the person, metres."""
_CPU = "cpu"
_HAIR = 0.0025
_GROUND_TAPS = 2
"""The ground is seen in fewer points than the person, and smooth: noise would show."""


@dataclass(frozen=True)
class Lamps:
    """Distant lamps: ``n 3`` unit directions towards them, ``n 3`` RGB strengths."""

    towards: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class Bank:
    """Lamps whose shadows are found alike.

    Attributes:
        lamps: few enough that all their maps fit into memory.
        side: cells along a shadow map's side.
        spread: metres by which a shadow's edge widens per metre behind what casts it.
        taps: samples of the map for a soft shadow; 1 for a hard one.
        rough: maps are marked by vertices instead of faces: only for cells of 2 cm and more.
        sheen: whether the lamps show as gloss, too.
    """

    lamps: Lamps
    side: int
    spread: float = 0.0
    taps: int = 1
    rough: bool = False
    sheen: bool = True

    @functools.cached_property
    def in_memory(self) -> tuple[wp.array, wp.array, wp.array]:
        """Directions, strengths and rotations into the shadow maps for the kernels."""
        turns = np.stack([_axes(towards).T for towards in self.lamps.towards]).astype(np.float32)
        return (
            vectors(self.lamps.towards),
            vectors(self.lamps.strength),
            wp.array(turns, dtype=wp.mat33, device=_CPU),
        )


def cone(towards: tuple, angle: float, strength: tuple, count: int, seed: int) -> Lamps:
    """A round softbox: directions within ``angle`` (radians), sharing one strength (RGB)."""
    axis = unit(np.array(towards, float))
    helper = np.array([0.0, 1, 0]) if abs(axis[1]) < 0.9 else np.array([1.0, 0, 0])
    u = unit(np.cross(axis, helper))
    w = np.cross(axis, u)
    index = np.arange(count) + 0.5
    radius = np.sqrt(index / count) * np.tan(angle) * (count > 1)
    turn = index * 2.399963 + seed
    spread = radius[:, None] * (np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * w)
    return Lamps(unit(axis + spread), np.tile(np.array(strength) / count, (count, 1)))


def dome(sky: tuple, ground: tuple, count: int) -> Lamps:
    """Light from everywhere: ``sky`` (RGB) from above, fading to ``ground`` from below."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    turn = index * 2.399963
    ring = np.sqrt(1 - height**2)
    towards = np.stack([ring * np.cos(turn), -height, ring * np.sin(turn)], axis=-1)
    part = (0.5 + 0.5 * height)[:, None]
    strength = (np.array(sky) * part + np.array(ground) * (1 - part)) * 2 / count
    return Lamps(towards, strength)


def join(*lamps: Lamps) -> Lamps:
    """Put lamps into one rig."""
    return Lamps(
        np.concatenate([lamp.towards for lamp in lamps]),
        np.concatenate([lamp.strength for lamp in lamps]),
    )


def in_banks(lamps: Lamps, side: int, count: int = 8) -> list[Bank]:
    """Sort lamps into banks of ``count`` with exact shadow maps of ``side`` cells."""
    parts = [slice(start, start + count) for start in range(0, len(lamps.towards), count)]
    return [Bank(Lamps(lamps.towards[part], lamps.strength[part]), side) for part in parts]


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
    total = wp.zeros(len(samples.position), dtype=wp.vec3, device=_CPU)
    below = wp.zeros(len(ground.position), dtype=wp.vec3, device=_CPU)
    places, normals = vectors(ground.position), vectors(ground.normal)
    for bank in banks:
        maps = _shadow_maps(bank, puppet, posed, centre)
        if len(samples.position):
            inputs = [
                *maps.given(bank.taps), wp.vec3(*eye), samples.position, samples.plain,
                samples.normal, samples.albedo, samples.gloss, samples.wrap, int(bank.sheen), total,
            ]  # fmt: skip
            wp.launch(kernels.light_samples, len(samples.position), inputs=inputs, device=_CPU)
        if len(ground.position):
            taps = bank.taps * _GROUND_TAPS if bank.taps > 1 else 1
            inputs = [*maps.given(taps), places, normals, below]
            wp.launch(kernels.light_ground, len(ground.position), inputs=inputs, device=_CPU)
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
    solid = wp.full(shape, shadow_kernels.FAR, dtype=wp.float32, device=_CPU)
    veil = wp.zeros((0, 0, 0), dtype=wp.float32, device=_CPU)
    if bank.rough:
        inputs = [posed, puppet.markers, turns, middle, cell, solid]
        wp.launch(shadow_kernels.shade_by_points, len(puppet.markers), inputs=inputs, device=_CPU)
    else:
        inputs = [posed, puppet.faces, puppet.inside, turns, middle, cell, solid]
        wp.launch(
            shadow_kernels.shade_by_faces, (count, len(puppet.faces)), inputs=inputs, device=_CPU
        )
        if len(puppet.growing):
            veil = wp.full(shape, shadow_kernels.FAR, dtype=wp.float32, device=_CPU)
            radius = max(_HAIR / cell, 0.5)
            inputs = [posed, puppet.growing, radius, turns, middle, cell, veil]
            wp.launch(
                shadow_kernels.shade_by_strands,
                (count, len(puppet.growing)),
                inputs=inputs,
                device=_CPU,
            )
    return _Maps(bank, middle, cell, solid, veil)


def _axes(towards: np.ndarray) -> np.ndarray:
    """Return map axes as columns; the third goes away from the lamp."""
    away = -towards
    helper = np.array([0.0, 1, 0]) if abs(away[1]) < 0.9 else np.array([1.0, 0, 0])
    right = unit(np.cross(helper, away))
    return np.stack([right, np.cross(away, right), away], axis=-1)
