"""Light setups of studios, rooms and open air: a key lamp, a dome of fill light, rim lamps."""

from dataclasses import dataclass

import numpy as np

from bdmm_synth.light.lamps import Bank, Lamps, cone, dome, join

_LEVEL = 2.1
"""Light on what faces the camera and a little upward."""
_KEY_SIDE, _ROUGH_SIDE, _TAPS, _AROUND = 512, 96, 8, 12


@dataclass(frozen=True)
class LightSetup:
    """A key lamp, fill light and rim lamps.

    Attributes:
        key: direction towards the key lamp.
        spread: metres by which the key's shadows widen per metre.
        warm: colour of the key, RGB.
        fill: strength of light from everywhere relative to the key.
        sky, below: colours of the light from above and below.
        rims: lamps from behind: direction and strength relative to the key.
    """

    key: tuple[float, float, float]
    spread: float
    warm: tuple[float, float, float]
    fill: float
    sky: tuple[float, float, float]
    below: tuple[float, float, float]
    rims: tuple[tuple[tuple[float, float, float], float], ...] = ()


def lamp_banks(setup: LightSetup, level: float = _LEVEL) -> list[Bank]:
    """Return the lamps of a setup at a given strength.

    Args:
        setup: the light.
        level: light on what faces the camera and a little upward, without shadows.
    """
    key = cone(setup.key, 0.0, setup.warm, 1, 0)
    around = dome(
        tuple(np.array(setup.sky) * setup.fill), tuple(np.array(setup.below) * setup.fill), _AROUND
    )
    rims = [
        cone(towards, 0.2, tuple(np.array(setup.warm) * strength), 2, number)
        for number, (towards, strength) in enumerate(setup.rims)
    ]
    factor = level / _on_front(join(key, around, *rims))
    banks = [
        Bank(_times(key, factor), _KEY_SIDE, setup.spread, _TAPS),
        Bank(_times(around, factor), _ROUGH_SIDE, rough=True, sheen=False),
    ]
    if rims:
        banks.append(Bank(_times(join(*rims), factor), _ROUGH_SIDE, rough=True))
    return banks


def studio_light(random: np.random.Generator) -> LightSetup:
    """Draw a studio's light: mostly large and soft, sometimes hard, with rims."""
    rims = [
        (
            (side * random.uniform(0.5, 0.9), -random.uniform(0.2, 0.7), 0.65),
            random.uniform(0.1, 0.7),
        )
        for side in (-1, 1)
        if random.random() < 0.5
    ]
    return LightSetup(
        _direction(random, 70.0, (12.0, 60.0)),
        random.uniform(0.15, 0.9),
        _tinted(random, 0.06),
        random.uniform(0.25, 1.2),
        _tinted(random, 0.04),
        tuple(np.array(_tinted(random, 0.04)) * random.uniform(0.4, 0.8)),
        tuple(rims),
    )


def white_studio_light(random: np.random.Generator) -> LightSetup:
    """Draw the light of a white studio: from everywhere, hardly a shadow."""
    return LightSetup(
        _direction(random, 60.0, (20.0, 60.0)), random.uniform(0.6, 1.2), _tinted(random, 0.03),
        random.uniform(1.0, 2.5), (1.0, 1.0, 1.0), (0.8, 0.8, 0.8),
    )  # fmt: skip


def room_light(random: np.random.Generator) -> LightSetup:
    """Draw the light of a room: a window or lamp at one side, warm light from all around."""
    warm = random.random()
    tint = np.array([1.0, 0.93, 0.82]) * warm + np.array([0.93, 0.97, 1.0]) * (1 - warm)
    return LightSetup(
        _direction(random, 100.0, (15.0, 60.0)),
        random.uniform(0.3, 0.9),
        tuple(tint),
        random.uniform(0.5, 1.6),
        tuple(np.array([1.0, 0.96, 0.9]) * random.uniform(0.8, 1.1)),
        tuple(np.array([0.55, 0.48, 0.40]) * random.uniform(0.7, 1.2)),
    )


def daylight(random: np.random.Generator, cloudy: bool) -> LightSetup:
    """Draw daylight: sun with a blue sky, or a grey one."""
    if cloudy:
        return LightSetup(
            _direction(random, 120.0, (40.0, 80.0)), random.uniform(0.8, 1.4), (1.0, 0.98, 0.95),
            random.uniform(1.6, 3.5), (0.95, 0.98, 1.05), (0.35, 0.34, 0.30),
        )  # fmt: skip
    low = random.random()
    sun = np.array([1.0, 0.92, 0.80]) * (1 - low) + np.array([1.0, 0.78, 0.55]) * low
    return LightSetup(
        _direction(random, 130.0, (22.0, 65.0)), random.uniform(0.02, 0.07), tuple(sun),
        random.uniform(0.25, 0.55), (0.75, 0.95, 1.3), (0.45, 0.42, 0.36),
    )  # fmt: skip


def _direction(
    random: np.random.Generator, aside: float, above: tuple[float, float]
) -> tuple[float, float, float]:
    """Draw a direction: degrees to either side of the camera's, and above the horizon."""
    turn, rise = np.radians(random.uniform(-aside, aside)), np.radians(random.uniform(*above))
    flat = np.cos(rise)
    return float(flat * np.sin(turn)), float(-np.sin(rise)), float(-flat * np.cos(turn))


def _tinted(random: np.random.Generator, much: float) -> tuple[float, float, float]:
    red, green, blue = 1 + much * random.normal(size=3)
    return float(red), float(green), float(blue)


def _times(lamps: Lamps, factor: float) -> Lamps:
    return Lamps(lamps.towards, lamps.strength * factor)


def _on_front(lamps: Lamps) -> float:
    normals = np.array([[0.0, -0.2, -0.98], [0.5, -0.3, -0.8], [-0.5, -0.3, -0.8], [0, -0.9, -0.4]])
    cosine = (normals @ lamps.towards.T).clip(0).mean(axis=0)
    return float((cosine @ lamps.strength).mean())


def studio_lamps(detail: float = 1.0) -> Lamps:
    """A large soft key from the left front, a fill, two rims from behind, and a soft room."""

    def number(count: int) -> int:
        return max(4, round(count * detail))

    return join(
        cone((-0.55, -0.75, -0.75), 0.30, (2.45, 2.32, 2.12), number(48), 0),
        cone((0.75, -0.35, -0.65), 0.45, (0.34, 0.37, 0.44), number(24), 1),
        cone((0.75, -0.55, 0.65), 0.22, (1.15, 1.15, 1.20), number(16), 2),
        cone((-0.85, -0.45, 0.55), 0.22, (0.55, 0.60, 0.70), number(12), 3),
        dome((0.36, 0.38, 0.41), (0.18, 0.165, 0.15), number(60)),
    )
