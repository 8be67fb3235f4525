"""Random shoes, and the socks and shafts that belong to them."""

from functools import partial

import numpy as np

from bdmm_synth.dressing import Footwear, Piece
from bdmm_synth.garments import patterns
from bdmm_synth.garments.colours import cloth_colour, contrast_colour
from bdmm_synth.garments.fabric import Cloth
from bdmm_synth.garments.tops import joint
from bdmm_synth.garments.trousers import sleeve_of_leg
from bdmm_synth.geometry import Figure
from bdmm_synth.shoe_paint import paint_plain, paint_sole, paint_upper
from bdmm_synth.shoes import ShoeCut


def random_footwear(
    figure: Figure, random: np.random.Generator, skirted: bool
) -> tuple[Footwear | None, Piece | None]:
    """Draw shoes, and socks or the shafts of boots."""
    kind = random.choice(
        5, p=(0.14, 0.40, 0.22, 0.20, 0.04) if skirted else (0.55, 0.12, 0.12, 0.16, 0.05)
    )
    colour = cloth_colour(random, 0.7)
    accent = contrast_colour(random, colour)
    pale = (0.66, 0.64, 0.59)
    ankle = joint(figure, "left_ankle")[1]
    if kind == 0:  # sneakers
        light = pale if random.random() < 0.6 else cloth_colour(random)
        upper = partial(paint_upper, leather=colour, accent=accent, tongue=cloth_colour(random),
                        laces=cloth_colour(random, 0.9))  # fmt: skip
        cut = ShoeCut(random.uniform(0.072, 0.088), sole=random.uniform(0.022, 0.036))
        sock = sleeve_of_leg(
            figure, "socks", ankle - random.uniform(0.03, 0.14), ankle + 0.06, 0.003
        )
        socks = Piece(
            sock, Cloth(patterns.plain(cloth_colour(random, 0.9)), crumple=0.2, seams=0.0)
        )
        bare = random.random() < 0.4
        shoes = Footwear(cut, partial(paint_sole, rubber=light, line=accent), upper)
        return shoes, None if bare else socks
    leather = partial(paint_plain, leather=colour, shine=random.uniform(0.1, 0.5))
    sole = partial(paint_sole, rubber=tuple(0.3 * np.array(colour) + 0.01), line=colour)
    if kind == 1:  # flats and pumps
        cut = ShoeCut(0.050, reach=random.uniform(1.5, 1.9), low=0.020, sole=0.014, box=0.036,
                      heel=random.choice([0.0, 0.006]), point=random.uniform(0, 1))  # fmt: skip
        return Footwear(cut, sole, leather), None
    if kind == 2:  # loafers and lace-ups
        cut = ShoeCut(0.062, box=0.046, reach=random.uniform(1.0, 1.25), sole=0.020, heel=0.006,
                      point=random.uniform(0.2, 0.8))  # fmt: skip
        return Footwear(cut, sole, leather), None
    if kind == 3:  # boots
        cut = ShoeCut(0.085, sole=random.uniform(0.020, 0.036), heel=0.006,
                      point=random.uniform(0, 0.7))  # fmt: skip
        shaft = sleeve_of_leg(
            figure, "socks", ankle - random.uniform(0.08, 0.34), ankle + 0.05, 0.008
        )
        look = Cloth(patterns.plain(colour), crumple=0.6, rough=0.45, gloss=0.04, fuzz=0.02)
        return Footwear(cut, sole, leather), Piece(shaft, look)
    return None, None
