"""Distant lamps, alone or as softboxes and domes, in banks that share shadow settings."""

import functools
from dataclasses import dataclass

import numpy as np

from bdmm_synth.figure import unit

REACH = 1.35
"""Half the side of the square that shadow maps cover around the person, metres."""


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
    def turns(self) -> np.ndarray:
        """Rotations from the scene into the lamps' shadow maps, ``n 3 3`` float32."""
        return np.stack([_axes(towards).T for towards in self.lamps.towards]).astype(np.float32)


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


def exact_banks(lamps: Lamps, side: int) -> list[Bank]:
    """Sort lamps into banks of eight with exact shadow maps of ``side`` cells."""
    parts = [slice(start, start + 8) for start in range(0, len(lamps.towards), 8)]
    return [Bank(Lamps(lamps.towards[part], lamps.strength[part]), side) for part in parts]


def _axes(towards: np.ndarray) -> np.ndarray:
    """Return map axes as columns; the third goes away from the lamp."""
    away = -towards
    helper = np.array([0.0, 1, 0]) if abs(away[1]) < 0.9 else np.array([1.0, 0, 0])
    right = unit(np.cross(helper, away))
    return np.stack([right, np.cross(away, right), away], axis=-1)
