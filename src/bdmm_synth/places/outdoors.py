"""Streets, squares and parks: ground, hedges, trees, fences, house fronts, sky with clouds."""

from collections.abc import Callable

import numpy as np

from bdmm_synth.noise import layered, step
from bdmm_synth.places import materials
from bdmm_synth.places.solids import CYLINDER, LEAVES, Material, Solid, World

_HAZE = ((0.62, 0.70, 0.80), 160.0)


def random_outdoors(random: np.random.Generator, clear: float, cloudy: bool) -> World:
    """Lay out a place under the sky.

    Args:
        random: decides everything.
        clear: metres behind the scene's origin that must stay free.
        cloudy: a grey sky.
    """
    kind = _KINDS[random.choice(len(_KINDS))]
    solids = kind(random, clear + 0.6)
    return World(solids, _sky(random, cloudy), (0.10, 0.10, 0.10), 25.0, _HAZE)


def _sky(random: np.random.Generator, cloudy: bool) -> Callable[[np.ndarray], np.ndarray]:
    zenith = np.array([0.16, 0.36, 0.80]) * random.uniform(0.7, 1.2)
    horizon = np.array([0.75, 0.86, 0.98]) * random.uniform(0.9, 1.1)
    white = np.array([1.05, 1.03, 1.0])
    if cloudy:
        zenith, horizon = np.array([0.62, 0.66, 0.72]), np.array([0.85, 0.87, 0.9])
    place, cover = random.uniform(0, 99, 3), random.uniform(-0.25, 0.35)

    def look(rays: np.ndarray) -> np.ndarray:
        up = (-rays[:, 1]).clip(0.02)
        part = step(0.0, 0.55, up)[:, None]
        blue = horizon * (1 - part) + zenith * part
        flat = rays[:, [0, 2]] / (up[:, None] + 0.12)
        points = np.column_stack([flat * 1.1, np.zeros(len(flat))]) + place
        cloud = step(0.0, 0.55, layered(points, 5) + cover)[:, None]
        return blue * (1 - 0.9 * cloud) + white * 0.9 * cloud

    return look


def _tree(random: np.random.Generator, x: float, z: float) -> list[Solid]:
    high, wide = random.uniform(3.5, 7.5), random.uniform(1.0, 2.2)
    bark = materials.ground((0.16, 0.11, 0.07), (0.10, 0.075, 0.05), 0.2, 0.3)
    trunk = random.uniform(0.09, 0.2)
    solids = [Solid((x, -high / 2, z), (trunk, high / 2, trunk), bark, CYLINDER)]
    green = np.array([0.065, 0.11, 0.03]) * random.uniform(0.5, 1.5)
    if random.random() < 0.15:
        green = np.array([0.26, 0.13, 0.035])
    leaf = materials.foliage(tuple(green), random.uniform(0.3, 0.6), x * 7)
    for _ in range(9):
        away = random.normal(size=3) * [0.5 * wide, 0.4 * wide, 0.4 * wide]
        size = random.uniform(0.3, 0.6, 3) * wide
        place = (x + away[0], -high + away[1] * 0.8, z + away[2])
        solids.append(Solid(place, tuple(size * [1, 0.8, 1]), leaf, LEAVES))
    return solids


def _hedge(random: np.random.Generator, z: float) -> list[Solid]:
    high = random.uniform(0.5, 1.1)
    green = np.array([0.05, 0.09, 0.024]) * random.uniform(0.6, 1.5)
    leaf = materials.foliage(tuple(green), 0.16, z)
    solids = [Solid((0, -high, z), (40, high, 0.5), leaf)]
    for x in np.arange(-6, 6, 1.1) + random.uniform(-0.4, 0.4, len(np.arange(-6, 6, 1.1))):
        size = (random.uniform(0.5, 0.9), random.uniform(0.2, 0.4), 0.5)
        solids.append(Solid((float(x), -2 * high + 0.1, z), size, leaf, LEAVES))
    return solids


def _fence(random: np.random.Generator, z: float) -> list[Solid]:
    tone = np.array([0.40, 0.32, 0.24]) * random.uniform(0.4, 1.7)
    high = random.uniform(0.45, 0.95)
    wood = materials.boards(tuple(tone), random.uniform(0.09, 0.16), 20.0, 1, 0.5)
    return [Solid((0, -high, z), (40, high, 0.02), wood)]


def _wall(random: np.random.Generator, z: float, high: float) -> list[Solid]:
    kind = random.random()
    if kind < 0.45:
        tone = np.array([0.24, 0.11, 0.07]) * random.uniform(0.6, 1.5)
        stone = materials.tiles(tuple(tone), (0.30, 0.28, 0.26), 0.24, 0.08, 0.5, 0.22)
    elif kind < 0.7:
        tone = random.uniform(0.15, 0.42) * np.array([1.0, 0.95, 0.88])
        stone = materials.tiles(tuple(tone), tuple(tone * 0.7), 0.6, 0.3, 0.5, 0.15)
    else:
        tone = np.clip(random.uniform(0.14, 0.5) + random.normal(size=3) * 0.03, 0.05, 0.8)
        stone = materials.plaster(tuple(tone), 0.10, z)
    return [Solid((0, -high / 2, z + 0.2), (40, high / 2, 0.2), stone)]


def _houses(random: np.random.Generator, z: float) -> list[Solid]:
    solids, x = [], -16.0 - random.uniform(0, 4)
    while x < 16:
        wide, high = random.uniform(5, 11), random.uniform(5, 16)
        tone = np.clip(random.uniform(0.10, 0.42) * np.array([1.08, 1.0, 0.88]), 0.05, 0.8)
        tone = tone * (1 + random.normal(size=3) * 0.10)
        front = materials.facade(
            tuple(tone), (0.08, 0.10, 0.12), random.uniform(1.3, 2.2), random.uniform(2.6, 3.2), x
        )
        deep = z + 5 + random.uniform(0, 0.4)
        solids.append(Solid((x + wide / 2, -high / 2, deep), (wide / 2, high / 2, 5), front))
        solids.append(
            Solid(
                (x + wide / 2, -0.35, deep - 0.03),
                (wide / 2, 0.35, 5),
                materials.plaster(tuple(tone * 0.6)),
            )
        )
        x += wide + (random.uniform(1, 4) if random.random() < 0.3 else 0.0)
    return solids


def _posts(random: np.random.Generator, z: float) -> list[Solid]:
    metal = materials.plaster(tuple(random.uniform(0.05, 0.25) * np.ones(3)), 0.05)
    gap, high = random.uniform(1.6, 3.2), random.uniform(0.4, 0.5)
    start = random.uniform(-gap, 0)
    return [
        Solid((start + gap * k, -high, z), (0.05, high, 0.05), metal, CYLINDER)
        for k in range(-3, 5)
    ]


def _paving(random: np.random.Generator) -> Material:
    tone = random.uniform(0.10, 0.34) * np.array([1.0, random.uniform(0.92, 1.0), 0.92])
    kind = random.random()
    if kind < 0.35:
        return materials.ground(tuple(tone * 0.6), tuple(tone * 0.5), 2.0, 0.18)
    side = random.uniform(0.15, 0.6)
    bond = 0.5 if random.random() < 0.5 else 0.0
    long = side * (2 if random.random() < 0.5 else 1)
    return materials.tiles(tuple(tone), tuple(tone * 0.55), long, side, bond, 0.13)


def _grass(random: np.random.Generator) -> Material:
    green = np.array([0.070, 0.105, 0.028]) * random.uniform(0.6, 1.4)
    dry = green * [1.5, 1.15, 1.0]
    return materials.ground(tuple(green), tuple(dry), random.uniform(0.8, 3.0), 0.28)


def _floor(paint: Material) -> Solid:
    return Solid((0, 0.5, 0), (200, 0.5, 200), paint)


def _street(random: np.random.Generator, near: float) -> list[Solid]:
    solids = [_floor(_paving(random))]
    front = near + random.uniform(0.5, 9)
    if front > near + 3:
        asphalt = materials.ground((0.09, 0.09, 0.093), (0.065, 0.065, 0.068), 2.5, 0.15)
        middle, half = (near + front) / 2, (front - near) / 2 - 0.6
        solids.append(Solid((0, -0.003, middle), (200, 0.003, half), asphalt, blocks=False))
        kerb = materials.plaster((0.28, 0.27, 0.26), 0.08)
        solids.append(Solid((0, -0.02, middle - half), (200, 0.04, 0.07), kerb))
        if random.random() < 0.5:
            solids += _posts(random, middle - half - 0.3)
    solids += _houses(random, front)
    if random.random() < 0.5:
        solids += _tree(random, random.uniform(1.2, 4) * random.choice([-1, 1]), front - 0.8)
    return solids


def _park(random: np.random.Generator, near: float) -> list[Solid]:
    solids = [_floor(_grass(random))]
    if random.random() < 0.6:
        gravel = materials.ground((0.29, 0.25, 0.20), (0.24, 0.21, 0.17), 1.0, 0.22)
        wide = random.uniform(1.0, 2.0)
        solids.append(Solid((0, -0.002, 0.2), (200, 0.002, wide), gravel, blocks=False))
    for _ in range(int(random.integers(3, 6))):
        solids += _tree(random, random.uniform(-8, 8), near + random.uniform(2.5, 16))
    if random.random() < 0.75:
        solids += _hedge(random, near + random.uniform(1, 18))
    far = near + random.uniform(22, 60)
    leaf = materials.foliage((0.08, 0.15, 0.05), 1.4, near)
    for x in np.arange(-30, 30, 6.0):
        size = (random.uniform(3, 6), random.uniform(2.5, 6), 3)
        solids.append(Solid((float(x) + random.normal(), -1.0, far), size, leaf, LEAVES))
    return solids


def _yard(random: np.random.Generator, near: float) -> list[Solid]:
    solids = [_floor(_paving(random) if random.random() < 0.7 else _grass(random))]
    at = near + random.uniform(0.2, 4)
    high = random.uniform(1.2, 4.5)
    solids += _wall(random, at, high) if random.random() < 0.7 else _fence(random, at)
    if high < 2.6:
        for _ in range(2):
            solids += _tree(random, random.uniform(-6, 6), at + random.uniform(2, 8))
        if random.random() < 0.5:
            solids += _houses(random, at + random.uniform(8, 25))
    if random.random() < 0.4:
        leaf = materials.foliage((0.08, 0.17, 0.05), 0.14, at)
        for x in random.uniform(-3, 3, 3):
            size = (random.uniform(0.3, 0.7), random.uniform(0.3, 0.6), 0.35)
            solids.append(Solid((float(x), -size[1] * 0.8, at - 0.35), size, leaf, LEAVES))
    return solids


def _square(random: np.random.Generator, near: float) -> list[Solid]:
    solids = [_floor(_paving(random)), *_houses(random, near + random.uniform(14, 40))]
    for _ in range(int(random.integers(0, 4))):
        solids += _tree(random, random.uniform(-7, 7), near + random.uniform(3, 12))
    if random.random() < 0.5:
        solids += _posts(random, near + random.uniform(0.5, 5))
    return solids


_KINDS = (_street, _park, _park, _yard, _yard, _square)
