"""Shoes: a sole of the foot's outline, an upper lofted over the measured foot, their colours."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from bdmm.records import BONE_NAMES
from bdmm_synth.figure import Figure, Layer, Surface, grid_faces, mix
from bdmm_synth.noise import layered, solid, step

_RINGS = 56
_AROUND = 40
SOLE = 0.016
"""How much the sole raises the person, metres."""


@dataclass(frozen=True)
class ShoeCut:
    """How a shoe is cut; lengths in metres.

    Attributes:
        height: of the collar above the bare sole of the foot at the heel.
        reach: how far the opening reaches from the ankle towards the toes, as a part of the usual.
        low: how low the opening goes down the sides.
        sole: thickness of the sole's edge.
        heel: how much higher the sole's edge is under the heel.
        point: 0 for round toes to 1 for pointed ones.
        box: least height of the toes' box.
    """

    height: float = 0.080
    reach: float = 1.0
    low: float = 0.028
    sole: float = 0.026
    heel: float = 0.0
    point: float = 0.0
    box: float = 0.054


def shoes(figure: Figure, cut: ShoeCut) -> list[Layer]:
    """Return soles and uppers of both feet.

    Args:
        figure: who wears them.
        cut: how they are cut.

    Coordinates of both: metres from the heel, metres sideways (outside positive), metres above
    the floor, part of the length.
    """
    soles, uppers = [], []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        sole, upper = _shoe(figure, side, sign, cut)
        soles.append(sole)
        uppers.append(upper)
    return [_both("soles", soles), _both("uppers", uppers)]


def shod(figure: Figure, cut: ShoeCut) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function: points ``n 3`` at rest -> ``n`` whether they are skin inside a shoe."""
    lasts = [
        (sign, _last(figure, side, sign, cut)) for side, sign in (("left", 1.0), ("right", -1.0))
    ]

    def within(rest: np.ndarray) -> np.ndarray:
        covered = np.zeros(len(rest), bool)
        for sign, last in lasts:
            local = last.local(rest)
            low = (rest[:, 0] * sign > 0) & (local[:, 2] < 0.055)
            flat = np.minimum(local, [np.inf, np.inf, 0.8 * last.brim])
            covered |= low & (_opening(flat, last) > -0.001)
        return covered

    return within


def _both(name: str, pair: list[Layer]) -> Layer:
    count = len(pair[0].rest)
    return Layer(
        name,
        np.concatenate([shoe.rest for shoe in pair]),
        np.concatenate([pair[0].faces, pair[1].faces + count]),
        np.concatenate([shoe.weights for shoe in pair]),
        np.concatenate([shoe.coords for shoe in pair]),
        None
        if pair[0].inside is None
        else np.concatenate([shoe.inside for shoe in pair if shoe.inside is not None]),
    )


@dataclass(frozen=True)
class _Last:
    """A foot's own axes: forward from the ankle, outward, up from the bare sole."""

    ankle: np.ndarray
    forward: np.ndarray
    outward: np.ndarray
    floor: float
    start: float
    """Back end of the shoe along ``forward``, metres."""
    length: float
    hole: tuple[float, float, float, float]
    """The ankle's outline above the shoe: middle and half size, forward and outward."""
    brim: float
    """Height of the collar at the heel."""
    toes: float
    """Where the toes bend, along ``forward``."""
    foot: np.ndarray
    low: float
    """Height above the foot's sole down to which the opening goes."""

    def local(self, points: np.ndarray) -> np.ndarray:
        away = points - self.ankle
        up = self.floor - points[:, 1]
        return np.stack([away @ self.forward, away @ self.outward, up], axis=-1)

    def world(self, points: np.ndarray) -> np.ndarray:
        base = self.ankle * [1, 0, 1] + [0, self.floor, 0]
        flat = points[:, :1] * self.forward + points[:, 1:2] * self.outward
        return base + flat - points[:, 2:] * [0, 1, 0]


def _last(figure: Figure, side: str, sign: float, cut: ShoeCut) -> _Last:
    ankle = figure.joints[BONE_NAMES.index(f"{side}_ankle")]
    toes = figure.joints[BONE_NAMES.index(f"{side}_foot")]
    forward = (toes - ankle) * [1, 0, 1]
    forward /= np.linalg.norm(forward)
    outward = np.array([-forward[2], 0, forward[0]])
    outward *= np.sign(outward[0]) * sign
    foot = figure.rest[(figure.rest[:, 0] * sign > 0) & (figure.rest[:, 1] > ankle[1] - 0.005)]
    floor = float(figure.rest[:, 1].max())
    last = _Last(
        ankle,
        forward,
        outward,
        floor,
        0.0,
        0.0,
        (0.0, 0.0, 1.0, 1.0),
        0.8 * cut.height,
        float((toes - ankle) @ forward),
        foot,
        cut.low,
    )
    local = last.local(foot)
    heel = local[local[:, 2] < 0.05, 0].min()
    shin = local[(local[:, 2] > 0.060) & (local[:, 0] < local[:, 0].min() + 0.13)]
    low, high = shin[:, :2].min(axis=0), shin[:, :2].max(axis=0)
    middle, half = (low + high) / 2, (high - low) / 2 + 0.004
    longer = (cut.reach - 1) * half[0]
    middle[0] += longer
    half[0] += longer
    return replace(
        last,
        start=float(heel - 0.007),
        length=float(local[:, 0].max() - heel + 0.016 + 0.016 * cut.point),
        hole=(float(middle[0]), float(middle[1]), float(half[0]), float(half[1])),
        foot=local,
    )


def _shoe(figure: Figure, side: str, sign: float, cut: ShoeCut) -> tuple[Layer, Layer]:
    last = _last(figure, side, sign, cut)
    along = (1 - np.cos(np.linspace(0, np.pi, _RINGS))) / 2
    inner, outer, top = _measure(last.foot, last.start + along * last.length, cut, along)
    sole = _sole(along, inner, outer, last.length, cut)
    upper = _upper(along, inner, outer, top, cut.height)
    upper[0][:, 0] *= last.length
    layers, back = [], np.array([last.start, 0, 0])
    for name, (points, faces) in (("soles", sole), ("uppers", upper)):
        rest = last.world(points + back)
        a, b, c = (rest[faces[:, k]] for k in range(3))
        if (np.cross(b - a, c - a) * (a - rest.mean(axis=0))).sum() < 0:
            faces = faces[:, ::-1].copy()
        coords = np.column_stack([points, points[:, 0] / last.length])
        bend = step(0, 1, (last.start + points[:, 0] - last.toes + 0.02) / 0.05)
        weights = np.zeros((len(rest), len(BONE_NAMES)))
        weights[:, BONE_NAMES.index(f"{side}_foot")] = bend
        weights[:, BONE_NAMES.index(f"{side}_ankle")] = 1 - bend
        opening = None
        if name == "uppers":
            opening = _opening(points + back, last)
            coords = np.column_stack([coords, opening])
        layers.append(Layer(name, rest, faces, weights, coords, opening))
    return layers[0], layers[1]


def _opening(local: np.ndarray, last: _Last) -> np.ndarray:
    """Return ``v`` distance outside the hole for the ankle, metres; negative inside the hole."""
    x, y, half_x, half_y = last.hole
    away = np.hypot((local[:, 0] - x) / half_x, (local[:, 1] - y) / half_y)
    hole = np.maximum((away - 1) * half_y, last.low - local[:, 2])
    brim = last.brim - local[:, 2] + 0.5 * (local[:, 0] - x).clip(0)
    return np.minimum(hole, brim)


def _measure(
    local: np.ndarray, stations: np.ndarray, cut: ShoeCut, along: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inner edge, outer edge and top of the shoe at each station."""
    inner, outer, top = (np.zeros(len(stations)) for _ in range(3))
    for index, station in enumerate(stations):
        low = local[(np.abs(local[:, 0] - station) < 0.014) & (local[:, 2] < 0.055)]
        near = local[np.abs(local[:, 0] - station) < 0.014]
        inner[index] = low[:, 1].min() if len(low) else np.nan
        outer[index] = low[:, 1].max() if len(low) else np.nan
        top[index] = near[:, 2].max() if len(near) else np.nan
    for values in (inner, outer, top):
        known = np.isfinite(values)
        values[:] = np.interp(stations, stations[known], values[known])
    middle, half = (inner + outer) / 2, (outer - inner) / 2
    middle = gaussian_filter1d(middle, 5, mode="nearest")
    half = gaussian_filter1d(half, 2.5, mode="nearest") + 0.007
    # Rounded ends: the heel a half circle, the toe blunter.
    ends = np.minimum(
        np.sqrt(np.clip(1 - (1 - along / 0.13).clip(0) ** 2, 0, 1)),
        np.clip(1 - ((along - 0.76) / 0.24).clip(0) ** 2.2, 0, 1) ** 0.5,
    )
    half = half.max() * 0.02 + half * ends
    half = half * (1 - 0.30 * cut.point * ((along - 0.80) / 0.20).clip(0) ** 1.2)
    top = gaussian_filter1d(np.minimum(top + 0.007, cut.height), 2.0, mode="nearest")
    box = cut.box * np.clip(1 - ((along - 0.66) / 0.34).clip(0) ** 2.4, 0, 1) ** 0.5 + 0.012
    top = np.maximum(top * step(1.0, 0.80, along), box)
    back = cut.height * (0.80 + 0.20 * step(0.0, 0.05, along))
    top = np.where(along < 0.30, np.maximum(top, back * step(0.44, 0.24, along)), top)
    return middle - half, middle + half, gaussian_filter1d(top, 1.5, mode="nearest")


def _sole(
    along: np.ndarray, inner: np.ndarray, outer: np.ndarray, length: float, cut: ShoeCut
) -> tuple[np.ndarray, np.ndarray]:
    """Extrude the outline: from the floor up to a rim around the upper."""
    outline = np.stack(
        [np.concatenate([along, along[::-1]]) * length, np.concatenate([outer, inner[::-1]])], -1
    )
    tangent = np.roll(outline, -1, axis=0) - np.roll(outline, 1, axis=0)
    outward = np.stack([-tangent[:, 1], tangent[:, 0]], axis=-1)
    outward = gaussian_filter1d(
        outward / np.linalg.norm(outward, axis=1).max(), 2, axis=0, mode="wrap"
    )
    outward /= np.linalg.norm(outward, axis=1, keepdims=True).clip(1e-9)
    part = outline[:, 0] / length
    spring = 0.016 * step(0.72, 1.0, part) ** 1.5 + 0.004 * step(0.10, 0.0, part)
    profile = ((0.0, -0.006), (0.15, 0.001), (0.54, 0.0040), (1.0, 0.0035), (1.115, -0.002))
    edge = cut.sole + cut.heel * step(0.45, 0.25, part)
    rings = [
        np.column_stack([outline + grow * outward, rise * edge - SOLE + spring])
        for rise, grow in profile
    ]
    middle = np.concatenate([(inner + outer) / 2, (inner + outer)[::-1] / 2])
    bottom = np.column_stack([outline[:, 0], middle, spring - SOLE + 0.001])
    return _skin([bottom, *rings])


def _upper(
    along: np.ndarray, inner: np.ndarray, outer: np.ndarray, top: np.ndarray, height: float
) -> tuple[np.ndarray, np.ndarray]:
    """Arch from the inner to the outer edge at each station, superelliptic."""
    turn = np.linspace(0, np.pi, _AROUND)
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.80
    up = np.sin(turn) ** 0.72
    points = []
    for s, low, high, peak in zip(along, inner, outer, top, strict=True):
        slim = 1 - 0.30 * up**2 * step(0.03, 0.055, peak)
        y = (low + high) / 2 + (high - low) / 2 * across * slim
        z = 0.004 + (peak - 0.004) * up
        lean = s - 0.020 * step(0.10, 0.0, s) * (z / height)
        points.append(np.stack([lean, y, z], axis=-1))
    return _skin(points, closed=False)


def _skin(rings: list[np.ndarray], closed: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Join equal rings of points by faces."""
    return np.concatenate(rings), grid_faces(len(rings), len(rings[0]), closed)


def paint_sole(coords: np.ndarray, rubber: tuple, line: tuple) -> Surface:
    """Colour soles: rubber with a foxing line and a ribbed toe."""
    s, _, z, part = coords.T
    groove = np.exp(-(((z - 0.007) / 0.0009) ** 2))
    stripe = step(0.0022, 0.0014, np.abs(z + 0.001))
    ribs = 0.5 + 0.5 * np.sin(s * 1500)
    toe = step(0.90, 0.95, part)
    tone = np.array(rubber) * (1 - 0.35 * groove - 0.12 * toe * ribs)[:, None]
    tone = mix(tone, line, stripe)
    tone = tone * (0.80 + 0.20 * step(-SOLE, -SOLE + 0.012, z))[:, None]
    dirt = layered(coords[:, :3] * 90, 3)
    tone = tone * (1 - 0.06 * dirt)[:, None]
    count = len(s)
    return Surface(
        tone, -0.0006 * groove + 0.0002 * toe * ribs,
        np.full(count, 0.5), np.full(count, 0.04), np.zeros(count), np.zeros((count, 3)),
    )  # fmt: skip


def paint_upper(
    coords: np.ndarray, leather: tuple, accent: tuple, tongue: tuple, laces: tuple
) -> Surface:
    """Colour uppers: panels with stitches, a heel tab, a tongue with laces, a padded collar."""
    _, y, z, part, rim = coords.T
    count = len(y)
    centre = y - 0.004
    throat = step(0.28, 0.30, part) * step(0.70, 0.68, part - 6.0 * centre**2)
    wide = 0.017 + 0.010 * step(0.70, 0.30, part)
    under = throat * step(wide, wide - 0.0015, np.abs(centre)) * (z > 0.030)
    rungs = (
        (part - 0.34) / 0.062
        - 1.5 * np.abs(centre)
        + 6 * centre * np.sign(np.sin((part - 0.34) / 0.062 * np.pi))
    )
    lace = throat * step(0.27, 0.20, np.abs(rungs - np.round(rungs))) * (z > 0.030)
    lace *= step(wide + 0.004, wide + 0.002, np.abs(centre)) * (part > 0.31)
    swoosh = np.abs((z - 0.018) - 0.62 * (part - 0.34) * 0.16 - 0.010) - 0.006
    stripe = (
        step(0.001, -0.001, swoosh)
        * step(0.20, 0.26, part)
        * step(0.62, 0.52, part)
        * (1 - throat * (np.abs(centre) < 0.026))
    )
    heel = step(0.135, 0.125, part + 0.25 * (0.06 - z))
    cap = np.abs(part - 0.78 - 0.9 * centre**2 / 0.02)
    seams = np.exp(-((cap / 0.004) ** 2)) + np.exp(
        -(((part + 0.25 * (0.06 - z) - 0.13) / 0.004) ** 2)
    )
    edge = np.exp(-(((np.abs(centre) - wide - 0.006) / 0.0010) ** 2)) * throat * (z > 0.035)
    seams = np.clip(seams + edge + np.exp(-(((rim - 0.0105) / 0.0008) ** 2)), 0, 1)
    tone = (
        np.tile(np.array(leather), (count, 1))
        * (1 + 0.03 * layered(coords[:, :3] * 120, 2))[:, None]
    )
    tone = mix(tone, accent, np.clip(stripe + heel, 0, 1))
    tone = mix(tone, tongue, under)
    tone = mix(tone, laces, lace)
    tone = mix(tone, accent, step(0.010, 0.008, rim))
    tone = tone * (1 - 0.35 * seams)[:, None]
    height = (
        0.0015 * step(0, 0.005, rim)
        + 0.0022 * lace
        - 0.0007 * seams
        + 0.0006 * np.clip(stripe + heel, 0, 1)
        - 0.0014 * under
    )
    crease = (
        np.sin(part * 260 + 2 * solid(coords[:, :3] * 60))
        * step(0.66, 0.70, part)
        * step(0.78, 0.74, part)
    )
    height = height + 0.0004 * crease * step(0.02, 0.04, z)
    return Surface(
        tone.clip(0.01, 0.9), height,
        0.5 + 0.25 * lace, np.full(count, 0.035), 0.05 + 0.1 * under, np.full((count, 3), 0.05),
    )  # fmt: skip


def paint_plain(coords: np.ndarray, leather: tuple, shine: float) -> Surface:
    """Colour uppers of plain leather: a welt, a seam at the heel, creases over the toes.

    Args:
        coords: ``n 5`` of the layer "uppers".
        leather: RGB linear albedo.
        shine: 0 for suede to 1 for patent leather.
    """
    _, y, z, part, rim = coords.T
    heel = np.exp(-(((y - 0.004) / 0.0015) ** 2)) * (part < 0.15)
    piping = np.exp(-(((rim - 0.004) / 0.0022) ** 2))
    grain = layered(coords[:, :3] * 120, 2)
    tone = np.tile(np.array(leather), (len(y), 1))
    tone = tone * (1 + 0.06 * grain - 0.35 * heel - 0.25 * piping)[:, None]
    bend = step(0.64, 0.68, part) * step(0.78, 0.74, part) * step(0.02, 0.04, z)
    crease = np.sin(part * 260 + 2 * grain) * bend
    height = 0.0012 * step(0, 0.004, rim) + 0.0005 * crease + 0.0002 * grain - 0.0006 * heel
    count = len(y)
    return Surface(
        tone.clip(0.005, 0.9), height, np.full(count, 0.75 - 0.5 * shine),
        np.full(count, 0.03 + 0.03 * shine), np.full(count, 0.15 * (1 - shine)),
        np.full((count, 3), 0.04),
    )  # fmt: skip
