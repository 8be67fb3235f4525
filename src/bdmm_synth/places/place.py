"""A random place for a clip: lamps, surroundings to match, exposure and grain."""

from dataclasses import dataclass

import numpy as np

from bdmm_synth.camera import Camera, Film
from bdmm_synth.light.lamps import Bank
from bdmm_synth.light.setups import (
    daylight,
    lamp_banks,
    room_light,
    studio_light,
    white_studio_light,
)
from bdmm_synth.places.outdoors import random_outdoors
from bdmm_synth.places.rooms import random_room
from bdmm_synth.places.scenery import Scenery
from bdmm_synth.places.solids import render_scenery
from bdmm_synth.places.studio import Backdrop, seamless


@dataclass(frozen=True)
class Place:
    """Where a clip is taken."""

    banks: list[Bank]
    scenery: Scenery
    film: Film


def random_place(
    random: np.random.Generator, camera: Camera, background: str, clear: float
) -> Place:
    """Draw lamps and surroundings.

    Args:
        random: decides everything.
        camera: with its size in pixels.
        background: "studio", "natural" or "random".
        clear: metres behind the scene's origin that the person needs.
    """
    kind = random.random()
    if background == "random":
        background = "studio" if random.random() < 0.45 else "natural"
    if background == "studio":
        return _white_studio(random, camera) if kind < 0.5 else _coloured_studio(random, camera)
    return _room(random, camera, clear) if kind < 0.5 else _open_air(random, camera, clear)


def _film(random: np.random.Generator) -> Film:
    return Film(0.8 * 2.0 ** random.normal(0, 0.18), random.uniform(0.002, 0.012))


def _white_studio(random: np.random.Generator, camera: Camera) -> Place:
    tone = np.clip(random.uniform(1.5, 4.0) * (1 + 0.01 * random.normal(size=3)), 0.8, 5)
    floor = tone * random.uniform(0.75, 1.0)
    back = Backdrop(tuple(tone), tuple(floor), random.uniform(0, 0.4))
    return Place(lamp_banks(white_studio_light(random)), seamless(camera, back), _film(random))


def _coloured_studio(random: np.random.Generator, camera: Camera) -> Place:
    grey = random.uniform(0.08, 0.7)
    wall = np.clip(grey + random.normal(size=3) * random.choice([0.02, 0.12]), 0.03, 0.9)
    floor = np.clip(wall * random.uniform(0.6, 1.2), 0.03, 0.9)
    back = Backdrop(tuple(wall), tuple(floor), random.uniform(0.2, 1.2))
    return Place(lamp_banks(studio_light(random)), seamless(camera, back), _film(random))


def _room(random: np.random.Generator, camera: Camera, clear: float) -> Place:
    banks = lamp_banks(room_light(random))
    world = random_room(random, clear)
    scenery = render_scenery(world, camera, banks, random.uniform(0.3, 1.6))
    return Place(banks, scenery, _film(random))


def _open_air(random: np.random.Generator, camera: Camera, clear: float) -> Place:
    cloudy = bool(random.random() < 0.4)
    banks = lamp_banks(daylight(random, cloudy))
    world = random_outdoors(random, clear, cloudy)
    scenery = render_scenery(world, camera, banks, random.uniform(0.3, 1.6))
    return Place(banks, scenery, _film(random))
