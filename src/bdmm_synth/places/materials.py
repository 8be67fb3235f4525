"""Materials of walls, floors, furniture and plants; patterns fade where pixels cannot show them."""

import numpy as np

from bdmm_synth.noise import layered, solid, step
from bdmm_synth.places.solids import Material, SurfacePoints, Triple


def _level(at: SurfacePoints, size: float) -> np.ndarray:
    """Return ``n`` how much of a pattern of this size can be seen: 1 near, 0 far away."""
    return step(1.0, 0.35, at.footprint / size)


def _noise(at: SurfacePoints, size: float, seed: float = 0.0) -> np.ndarray:
    flat = at.flat / size
    points = np.column_stack([flat, np.full(len(flat), seed)])
    return solid(points) * _level(at, size)


def plaster(colour: Triple, rough: float = 0.03, seed: float = 0.0) -> Material:
    """Paint, paper, plaster: nearly plain."""

    def paint(at: SurfacePoints) -> np.ndarray:
        shade = 1 + rough * (_noise(at, 0.9, seed) + _noise(at, 0.06, seed))
        return np.array(colour) * shade[:, None]

    return paint


def _line(value: np.ndarray, period: float, width: float, footprint: np.ndarray) -> np.ndarray:
    """Return ``n`` 1 on lines every ``period`` metres, softened to what can be seen."""
    away = np.abs((value / period + 0.5) % 1.0 - 0.5) * period
    soft = np.maximum(footprint, width * 0.3)
    line = step(width / 2 + soft / 2, width / 2 - soft / 2, away)
    seen = np.clip(period / (3 * footprint), 0, 1)
    return line * seen + (width / period) * (1 - seen)


def _random_of(*cells: np.ndarray) -> np.ndarray:
    """Return ``n`` values in [0, 1] that depend on whole numbers only."""
    mixed = np.zeros(len(cells[0]))
    for k, cell in enumerate(cells):
        mixed = mixed + np.floor(cell) * (12.9898 + 65.233 * k)
    return (np.sin(mixed) * 43758.5453) % 1.0


def boards(
    colour: Triple, wide: float, long: float, along: int = 1, contrast: float = 0.3
) -> Material:
    """Wooden boards with joints, their grain ``along`` axis 0 or 1 of the face."""

    def paint(at: SurfacePoints) -> np.ndarray:
        across, down = at.flat[:, 1 - along], at.flat[:, along]
        row = np.floor(across / wide)
        shifted = down + _random_of(row) * long
        own = _random_of(row, shifted / long + 50)
        grain = solid(np.column_stack([across * 60, shifted * 4, own * 50])) * _level(at, 0.02)
        tone = 1 + contrast * (own - 0.5) + 0.10 * grain
        joint = _line(across - wide / 2, wide, 0.003, at.footprint)
        joint = np.maximum(joint, _line(shifted, long, 0.003, at.footprint))
        return np.array(colour) * (tone * (1 - 0.55 * joint))[:, None]

    return paint


def tiles(
    colour: Triple, grout: Triple, wide: float, tall: float, bond: float, rough: float
) -> Material:
    """Tiles, bricks or paving; ``bond`` shifts every second row by that part of a tile."""

    def paint(at: SurfacePoints) -> np.ndarray:
        across, down = at.flat.T
        row = np.floor(down / tall)
        shifted = across + bond * wide * (row % 2)
        own = _random_of(row + 31, shifted / wide + 50)
        gap = 0.010 if rough > 0.1 else 0.004
        joint = np.maximum(
            _line(shifted, wide, gap, at.footprint), _line(down, tall, gap, at.footprint)
        )
        tone = 1 + rough * (own - 0.5) * 2 + 0.4 * rough * _noise(at, 0.03, 3.0)
        tone = (
            tone[:, None]
            * np.array(colour)
            * (1 + 0.5 * rough * (own[:, None] - 0.5) * [1, -0.3, -1])
        )
        return tone * (1 - joint[:, None]) + np.array(grout) * joint[:, None]

    return paint


def ground(colour: Triple, other: Triple, size: float, fine: float) -> Material:
    """Grass, gravel, asphalt, sand: two colours in large patches with fine grain."""

    def paint(at: SurfacePoints) -> np.ndarray:
        points = at.position / size
        patch = np.clip(0.5 + 0.6 * layered(points, 3), 0, 1)[:, None]
        grain = 1 + fine * (
            solid(at.position * 60) * _level(at, 0.016)
            + solid(at.position * 17) * _level(at, 0.06)
            + 0.6 * solid(at.position * 4) * _level(at, 0.25)
        )
        return (np.array(colour) * (1 - patch) + np.array(other) * patch) * grain[:, None]

    return paint


def stripes(colour: Triple, other: Triple, period: float) -> Material:
    """Upright stripes of wallpaper or the folds of a curtain."""

    def paint(at: SurfacePoints) -> np.ndarray:
        wave = 0.5 + 0.5 * np.sin(at.flat[:, 0] / period * 2 * np.pi + _noise(at, 0.3))
        wave = (0.5 + (wave - 0.5) * _level(at, period))[:, None]
        return np.array(colour) * (1 - wave) + np.array(other) * wave

    return paint


def foliage(colour: Triple, size: float, seed: float) -> Material:
    """Leaves: light and dark clumps."""

    def paint(at: SurfacePoints) -> np.ndarray:
        points = at.position / size + seed
        clumps = layered(points, 2) + 0.7 * solid(points * 5) * _level(at, size / 5)
        top = 0.25 * -at.normal[:, 1]
        tone = np.clip(0.75 + 0.55 * clumps + top, 0.12, 1.8)[:, None]
        warm = 1 + 0.2 * solid(points * 0.5)[:, None] * [1.0, 0.2, -0.6]
        return np.array(colour) * tone * warm

    return paint


def books(seed: float, height: float = 0.30) -> Material:
    """A shelf full of books: upright spines of all colours, boards between rows."""

    def paint(at: SurfacePoints) -> np.ndarray:
        across, down = at.flat.T
        row = np.floor(down / height)
        inner = down / height - row
        place = across + _random_of(row + seed) * 0.5
        spine = np.floor(place / 0.035)
        tall = 0.30 + 0.30 * _random_of(spine, row + seed)
        hue = np.stack([_random_of(spine + k * 17, row + seed) for k in (1, 2, 3)], axis=-1)
        tone = 0.02 + 0.30 * (0.5 * hue + 0.5 * hue[:, :1]) ** 1.8
        tone *= (0.75 + 0.25 * np.cos((place / 0.035 - spine - 0.5) * 2))[:, None]
        tone = np.where((inner < tall)[:, None], 0.03, tone)
        board = _line(down, height, 0.022, at.footprint)[:, None]
        return tone * (1 - board) + np.array([0.22, 0.16, 0.11]) * board

    return paint


def facade(colour: Triple, glass: Triple, wide: float, tall: float, seed: float) -> Material:
    """A house front with rows of windows."""

    def paint(at: SurfacePoints) -> np.ndarray:
        across, down = at.flat.T
        column, row = np.floor(across / wide), np.floor(down / tall)
        u, v = across / wide - column - 0.5, down / tall - row - 0.5
        inside = np.maximum(np.abs(u) / 0.28, np.abs(v + 0.02) / 0.33)
        soft = (at.footprint / wide).clip(0.01, 1)
        window = step(1 + soft, 1 - soft, inside) * (np.abs(at.normal[:, 1]) < 0.5)
        frame = step(1.22 + soft, 1.22 - soft, inside) * (np.abs(at.normal[:, 1]) < 0.5)
        bar = (np.abs(u) < 0.02) | (np.abs(v + 0.1) < 0.012)
        shine = 0.4 + 1.2 * _random_of(column + seed, row) * (0.6 - v)
        wall = np.array(colour) * (1 + 0.05 * _noise(at, 1.5) + 0.04 * _noise(at, 0.2))[:, None]
        pane = np.array(glass) * np.where(bar, 2.0, shine)[:, None]
        rim = np.clip(np.array(colour) * 1.3 + 0.06, 0, 0.6)
        tone = wall * (1 - frame[:, None]) + rim * frame[:, None]
        return tone * (1 - window[:, None]) + pane * window[:, None]

    return paint


def picture(seed: int) -> Material:
    """A framed picture: soft random shapes on paper."""
    random = np.random.default_rng(seed)
    first, second, third = random.uniform(0.03, 0.5, (3, 3)) * 0.7 + 0.02
    size, place = random.uniform(0.15, 0.5), random.uniform(0, 50, 3)

    def paint(at: SurfacePoints) -> np.ndarray:
        points = np.column_stack([at.flat / size, np.zeros(len(at.flat))]) + place
        a, b = solid(points)[:, None], solid(points * 1.7 + 9)[:, None]
        tone = np.where(a > 0.1, first, second)
        return np.where(b > 0.25, third, tone)

    return paint
