"""Rooms: floor, walls with skirting, doors, windows, pictures, shelves, curtains, plants."""

from collections.abc import Callable

import numpy as np

from bdmm_synth.places import materials
from bdmm_synth.places.solids import BOX, CYLINDER, ELLIPSOID, LEAVES, Material, Solid, World


def random_room(random: np.random.Generator, clear: float) -> World:
    """Furnish a room.

    Args:
        random: decides everything.
        clear: metres behind the scene's origin that must stay free.
    """
    back = clear + random.uniform(0.4, 2.8)
    tall = random.uniform(2.4, 3.1)
    left, right = -random.uniform(1.7, 4.0), random.uniform(1.7, 4.0)
    wall, plain = _wall(random)
    solids = [Solid((0, 0.5, 0), (30, 0.5, 30), _floor(random))]
    ceiling = materials.plaster((0.6, 0.59, 0.57), 0.01)
    solids += [
        Solid((0, -tall / 2, back + 0.2), (30, tall / 2, 0.2), wall, blocks=False),
        Solid((left - 0.2, -tall / 2, 0), (0.2, tall / 2, 30), plain, blocks=False),
        Solid((right + 0.2, -tall / 2, 0), (0.2, tall / 2, 30), plain, blocks=False),
        Solid((0, -tall - 0.2, 0), (30, 0.2, 30), ceiling, blocks=False),
    ]
    solids += _skirting(random, back, left, right)
    at = left + random.uniform(0.1, 0.5)
    while at < right - 0.6:
        make = _ALONG[random.choice(len(_ALONG))]
        wide = float(random.uniform(0.7, 1.6))
        if at + wide > right - 0.1:
            break
        solids += make(random, at + wide / 2, wide, back, tall)
        at += wide + float(random.uniform(0.05, 0.8))
    if random.random() < 0.35:
        solids.append(_rug(random))
    return World(solids, _nothing, bounce=(0.26, 0.245, 0.225), reach=1.2)


def _nothing(rays: np.ndarray) -> np.ndarray:
    return np.full((len(rays), 3), 0.5)


def _muted(random: np.random.Generator, low: float, high: float) -> np.ndarray:
    """Draw a colour that someone would furnish with."""
    return np.clip(random.uniform(low, high) * (1 + random.normal(size=3) * 0.35), 0.02, 0.7)


def _wall(random: np.random.Generator) -> tuple[Material, Material]:
    """Return what the back wall and the others are made of."""
    pale = np.clip(random.uniform(0.26, 0.6) * (1 + random.normal(size=3) * 0.05), 0.1, 0.8)
    if random.random() < 0.3:
        grey = random.uniform(0.08, 0.4)
        pale = np.clip(grey * (1 + random.normal(size=3) * 0.28), 0.03, 0.6)
    plain = materials.plaster(tuple(pale), 0.02, random.uniform(0, 50))
    kind = random.random()
    if kind < 0.12:
        colour = np.array([0.26, 0.12, 0.08]) * random.uniform(0.6, 1.5)
        return materials.tiles(tuple(colour), (0.36, 0.33, 0.30), 0.22, 0.075, 0.5, 0.22), plain
    if kind < 0.22:
        other = tuple(np.clip(pale * random.uniform(0.75, 0.95), 0, 1))
        return materials.stripes(tuple(pale), other, random.uniform(0.08, 0.3)), plain
    if kind < 0.30:
        wood = np.array([0.29, 0.18, 0.11]) * random.uniform(0.4, 1.4)
        return materials.boards(tuple(wood), random.uniform(0.1, 0.2), 3.0), plain
    if kind < 0.38:
        tone = random.uniform(0.5, 0.8, 3) * 0.25 + random.uniform(0.15, 0.35)
        return materials.tiles(tuple(tone), (0.42, 0.42, 0.42), 0.2, 0.2, 0.0, 0.04), plain
    return plain, plain


def _floor(random: np.random.Generator) -> Material:
    kind = random.random()
    if kind < 0.55:
        wood = np.array([0.28, 0.175, 0.105]) * random.uniform(0.3, 1.5)
        along = int(random.integers(2))
        return materials.boards(tuple(wood), random.uniform(0.08, 0.2), 1.4, along)
    if kind < 0.8:
        side = random.uniform(0.3, 0.6)
        tone = np.clip(random.uniform(0.10, 0.45) * (1 + random.normal(size=3) * 0.06), 0.03, 0.8)
        grout = tuple(tone * random.uniform(0.5, 0.85))
        return materials.tiles(tuple(tone), grout, side, side, 0.0, 0.05)
    tone = random.uniform(0.06, 0.36) * (1 + random.normal(size=3) * 0.12)
    tone = np.clip(tone, 0.02, 0.6)
    return materials.ground(tuple(tone), tuple(tone * 0.93), 1.0, 0.10)


def _skirting(random: np.random.Generator, back: float, left: float, right: float) -> list[Solid]:
    high = random.uniform(0.03, 0.07)
    paint = materials.plaster((0.55, 0.54, 0.52), 0.01)
    if random.random() < 0.3:
        paint = materials.plaster(
            tuple(np.array([0.35, 0.22, 0.13]) * random.uniform(0.4, 1.2)), 0.1
        )
    return [
        Solid((0, -high, back), (30, high, 0.014), paint, blocks=False),
        Solid((left, -high, 0), (0.014, high, 30), paint, blocks=False),
        Solid((right, -high, 0), (0.014, high, 30), paint, blocks=False),
    ]


def _wood(random: np.random.Generator) -> Material:
    if random.random() < 0.4:
        return materials.plaster(
            tuple(random.uniform(0.3, 0.75, 3) * 0.25 + random.uniform(0.1, 0.35)), 0.01
        )
    tone = np.array([0.28, 0.17, 0.10]) * random.uniform(0.25, 1.5)
    return materials.boards(tuple(tone), random.uniform(0.2, 0.6), 2.2)


def _door(random: np.random.Generator, x: float, wide: float, back: float, tall: float) -> list:
    half = min(0.42, wide / 2 - 0.06)
    high = min(2.05, tall - 0.15) / 2
    paint, frame = _wood(random), materials.plaster((0.54, 0.53, 0.51), 0.01)
    solids = [
        Solid((x, -high - 0.03, back), (half + 0.07, high + 0.04, 0.03), frame),
        Solid((x, -high, back), (half, high, 0.045), paint),
    ]
    for low, size in ((0.28, 0.2), (0.68, 0.24)):
        solids.append(
            Solid((x, -2 * high * low, back - 0.04), (half * 0.66, high * size, 0.012), paint)
        )
    side = random.choice([-1, 1])
    knob = (x + side * (half - 0.07), -1.02, back - 0.08)
    return [
        *solids,
        Solid(knob, (0.025, 0.025, 0.03), materials.plaster((0.5, 0.45, 0.3)), ELLIPSOID),
    ]


def _window(random: np.random.Generator, x: float, wide: float, back: float, tall: float) -> list:
    half, high = wide / 2 - 0.05, random.uniform(0.5, 0.75)
    middle = -min(1.55, tall - high - 0.15)
    frame = materials.plaster((0.55, 0.55, 0.54), 0.01)
    day = np.array([0.75, 0.85, 1.0]) * random.uniform(0.6, 1.0)
    outside = materials.ground(tuple(day), tuple(day * [0.8, 0.9, 0.85]), 3.0, 0.0)
    glow = (0.9, 0.9, 0.9)
    solids = [
        Solid((x, middle, back), (half + 0.06, high + 0.06, 0.035), frame),
        Solid((x, middle, back - 0.01), (half, high, 0.035), outside, glow=glow),
        Solid((x, middle, back - 0.015), (0.025, high, 0.04), frame),
        Solid((x, middle + high + 0.08, back - 0.05), (half + 0.12, 0.018, 0.10), frame),
    ]
    if random.random() < 0.6:
        cloth = _muted(random, 0.1, 0.5)
        folds = materials.stripes(tuple(cloth), tuple(cloth * 0.55), random.uniform(0.06, 0.12))
        low = random.choice([high + 0.1, -middle - 0.05])
        for side in (-1, 1):
            place = (x + side * (half + 0.08), middle + (low - high) / 2, back - 0.09)
            solids.append(Solid(place, (0.16, (low + high) / 2 + 0.08, 0.03), folds))
    return solids


def _pictures(random: np.random.Generator, x: float, wide: float, back: float, tall: float) -> list:
    solids = []
    for place in np.linspace(-0.5, 0.5, int(random.integers(1, 4)) + 1)[:-1]:
        half, high = random.uniform(0.10, 0.24), random.uniform(0.12, 0.32)
        at = (x + place * wide + 0.15, -random.uniform(1.4, min(1.75, tall - high)), back)
        rim = materials.plaster(tuple(random.uniform(0.02, 0.5) * np.array([1, 0.9, 0.75])), 0.02)
        art = materials.picture(int(random.integers(1 << 30)))
        mat = materials.plaster((0.58, 0.57, 0.55), 0.01)
        solids += [
            Solid(at, (half + 0.025, high + 0.025, 0.02), rim),
            Solid(at, (half, high, 0.023), mat),
            Solid(at, (half * 0.7, high * 0.75, 0.026), art),
        ]
    return solids


def _shelf(random: np.random.Generator, x: float, wide: float, back: float, tall: float) -> list:
    high, deep = random.uniform(0.45, min(1.1, tall / 2 - 0.1)), 0.15
    filled = materials.books(random.uniform(0, 99), random.uniform(0.26, 0.36))
    side = _wood(random)
    return [
        Solid((x, -high, back - deep), (wide / 2 - 0.04, high - 0.03, deep), filled),
        Solid((x - wide / 2 + 0.02, -high, back - deep), (0.022, high, deep + 0.02), side),
        Solid((x + wide / 2 - 0.02, -high, back - deep), (0.022, high, deep + 0.02), side),
        Solid((x, -2 * high, back - deep), (wide / 2, 0.02, deep + 0.02), side),
    ]


def _cabinet(random: np.random.Generator, x: float, wide: float, back: float, tall: float) -> list:
    high, deep = random.uniform(0.3, 0.5), random.uniform(0.18, 0.27)
    wood = _wood(random)
    solids = [Solid((x, -high, back - deep), (wide / 2, high - 0.08, deep), wood)]
    for side in (-1, 1):
        leg = (x + side * (wide / 2 - 0.05), -0.06, back - 2 * deep + 0.05)
        solids.append(Solid(leg, (0.02, 0.06, 0.02), wood))
        panel = (x + side * wide / 4, -high, back - 2 * deep)
        solids.append(Solid(panel, (wide / 4 - 0.02, high - 0.12, 0.012), wood))
    top = -2 * high + 0.08
    if random.random() < 0.7:
        tone = materials.plaster(tuple(_muted(random, 0.08, 0.5)), 0.02)
        vase = (x + random.uniform(-0.3, 0.3) * wide, top - 0.12, back - deep)
        solids.append(Solid(vase, (0.06, 0.13, 0.06), tone, ELLIPSOID))
    if tall - 2 * high > 1.3:
        solids += _pictures(random, x, wide * 0.5, back, tall)
    return solids


def _sofa(random: np.random.Generator, x: float, wide: float, back: float, tall: float) -> list:
    del tall
    cloth = materials.plaster(tuple(_muted(random, 0.04, 0.4)), 0.05)
    half = wide / 2
    solids = [
        Solid((x, -0.24, back - 0.42), (half, 0.20, 0.40), cloth),
        Solid((x, -0.55, back - 0.12), (half, 0.30, 0.10), cloth),
    ]
    for side in (-1, 1):
        arm = (x + side * (half - 0.08), -0.33, back - 0.42)
        solids.append(Solid(arm, (0.09, 0.30, 0.41), cloth))
        pillow = (x + side * half * 0.4, -0.58, back - 0.30)
        tone = materials.plaster(tuple(_muted(random, 0.08, 0.5)), 0.04)
        solids.append(Solid(pillow, (0.2, 0.17, 0.09), tone, ELLIPSOID, yaw=0.2 * side))
    return solids


def _plant(random: np.random.Generator, x: float, wide: float, back: float, tall: float) -> list:
    pot = materials.plaster(tuple(random.uniform(0.15, 0.6) * np.array([1, 0.8, 0.65])), 0.03)
    z = back - 0.35
    solids = [Solid((x, -0.18, z), (0.16, 0.18, 0.16), pot, CYLINDER)]
    leaf = materials.foliage(
        tuple(np.array([0.06, 0.12, 0.035]) * random.uniform(0.6, 1.5)), 0.09, x
    )
    top = min(random.uniform(0.7, 1.6), tall - 0.4)
    for _ in range(int(random.integers(4, 9))):
        place = random.normal(size=3) * [0.13, 0.18, 0.1] + [x, -top, z]
        size = random.uniform(0.08, 0.22, 3)
        solids.append(Solid(tuple(place), tuple(size), leaf, LEAVES))
    stem = materials.plaster((0.15, 0.12, 0.06), 0.1)
    return [*solids, Solid((x, -top / 2, z), (0.015, top / 2, 0.015), stem, CYLINDER)]


def _lamp(random: np.random.Generator, x: float, wide: float, back: float, tall: float) -> list:
    del wide, tall
    metal = materials.plaster((0.08, 0.08, 0.08), 0.02)
    shade = materials.plaster((0.85, 0.74, 0.55), 0.02)
    high, z = random.uniform(1.3, 1.7), back - 0.4
    return [
        Solid((x, -high / 2, z), (0.014, high / 2, 0.014), metal, CYLINDER),
        Solid((x, -0.015, z), (0.15, 0.015, 0.15), metal, CYLINDER),
        Solid((x, -high, z), (0.19, 0.14, 0.19), shade, CYLINDER, glow=(1.2, 1.0, 0.7)),
    ]


def _free(random: np.random.Generator, x: float, wide: float, back: float, tall: float) -> list:
    del random, x, wide, back, tall
    return []


def _rug(random: np.random.Generator) -> Solid:
    first, second = _muted(random, 0.05, 0.4), _muted(random, 0.05, 0.4)
    weave = materials.stripes(tuple(first), tuple(second), random.uniform(0.05, 0.4))
    half = (random.uniform(0.9, 1.8), 0.004, random.uniform(0.7, 1.2))
    return Solid((random.normal() * 0.3, -0.004, 0.2), half, weave, BOX, blocks=False)


_ALONG: list[Callable] = [
    _door, _window, _window, _pictures, _pictures, _shelf, _cabinet, _sofa, _plant, _lamp, _free,
    _free, _free,
]  # fmt: skip
