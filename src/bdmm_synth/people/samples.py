"""The two sample people: their bodies, faces and clothes."""

from functools import partial

import numpy as np

from bdmm.body.model import AnnyBody
from bdmm_synth.figure import joint, make_figure
from bdmm_synth.garments.cloth import Cloth
from bdmm_synth.garments.prints import (
    breton,
    dots,
    plain,
    sun_emblem,
    unroll_of,
    washed,
    with_emblem,
)
from bdmm_synth.garments.skirts import SkirtCut, skirt
from bdmm_synth.garments.tops import TopCut, top
from bdmm_synth.garments.trousers import TrouserCut, trousers
from bdmm_synth.people.hair import Haircut, brows, grow, lashes
from bdmm_synth.people.person import Footwear, Head, Person, Piece, dress, with_expression
from bdmm_synth.people.shoes import ShoeCut, paint_sole, paint_upper
from bdmm_synth.people.skin import Complexion

_MAN = (
    1.38, -0.53, -0.98, 0.14, 0.16, -1.04, -1.81, -0.15, -0.89, -0.94,
    -0.95, -0.68, -0.77, 0.26, 0.14, 0.86, 0.24, 0.46, -0.57, 0.2,
)  # fmt: skip
_WOMAN = (
    0.4, 1.55, -1.26, 0.85, -0.11, -0.28, 0.3, 0.05, -0.26, 0.41,
    0.55, -0.12, -0.69, -0.8, 0.49, -0.4, -0.82, 1.26, 1.02, 0.51,
)  # fmt: skip


def man(body: AnnyBody) -> Person:
    """A man in a striped T-shirt, jeans and sneakers."""
    figure = with_expression(make_figure(body, np.array(_MAN)), 1.5, 0.0012)
    look = Complexion(
        skin=(0.44, 0.262, 0.185),
        blush=(0.45, 0.155, 0.115),
        lips=(0.40, 0.17, 0.14),
        iris=(0.045, 0.065, 0.075),
        beard=0.55,
    )
    brown = (0.050, 0.028, 0.017)
    cut = Haircut(
        count=26000,
        points=12,
        top=0.042,
        sides=0.009,
        comb=(-0.35, -0.35, 0.55),
        lift=0.38,
        weight=3.0,
        curl=0.25,
        parting=0.045,
        part=0.25,
        line=0.0,
        volume=0.010,
    )
    hair = [
        (grow(figure, cut), brown),
        (brows(figure, 0.85), (0.075, 0.042, 0.026)),
        (lashes(figure, 0.0055), (0.008, 0.006, 0.005)),
    ]
    ankle, knee = joint(figure, "left_ankle")[1], joint(figure, "left_knee")[1]
    jeans = TrouserCut("trousers", 0.02, ankle - 0.035, 0.016, 0.005, knee - 0.20)
    pieces = [
        Piece(
            trousers(figure, jeans),
            Cloth(washed((0.035, 0.060, 0.125), figure), rough=0.8, fuzz=0.18),
        ),
        Piece(top(figure, TopCut()), Cloth(breton)),
    ]
    footwear = Footwear(
        ShoeCut(0.080),
        partial(paint_sole, rubber=(0.66, 0.64, 0.59), line=(0.03, 0.055, 0.14)),
        partial(
            paint_upper,
            leather=(0.60, 0.585, 0.55),
            accent=(0.03, 0.055, 0.14),
            tongue=(0.05, 0.08, 0.17),
            laces=(0.72, 0.71, 0.68),
        ),
    )
    return dress(figure, look, Head(cut, (0.11, 0.062, 0.037), hair), pieces, footwear, 2)


def woman(body: AnnyBody, fine: int = 2, strands: float = 1.0) -> Person:
    """A woman in a printed top, a dotted skirt and flat shoes.

    Args:
        body: the shipped body.
        fine: how often garments are divided.
        strands: factor on the amount of hair.
    """
    figure = with_expression(make_figure(body, np.array(_WOMAN)), 1.2, 0.0018)
    look = Complexion(
        skin=(0.27, 0.135, 0.080),
        blush=(0.32, 0.10, 0.07),
        lips=(0.24, 0.055, 0.050),
        iris=(0.035, 0.018, 0.010),
        lash=1.0,
        eye_shadow=0.35,
    )
    black = (0.020, 0.013, 0.010)
    cut = Haircut(
        count=int(30000 * strands),
        points=22,
        top=0.215,
        sides=0.185,
        comb=(0.0, 0.25, 0.75),
        lift=0.10,
        weight=26.0,
        curl=0.5,
        parting=0.006,
        part=0.9,
        line=-0.002,
        volume=0.020,
    )
    hair = [
        (grow(figure, cut), black),
        (brows(figure, 0.8), black),
        (lashes(figure, 0.007), (0.005, 0.004, 0.004)),
    ]
    emblem = with_emblem(plain((0.44, 0.105, 0.060)), sun_emblem(), (0.0, -0.335), 0.20, False)
    dotted = dots(unroll_of(figure, "legs"), (0.018, 0.075, 0.085), (0.70, 0.66, 0.56), 0.046, 0.17)
    pieces = [
        Piece(top(figure, TopCut(hem=0.045, sleeve=0.10, loose=0.55)), Cloth(emblem)),
        Piece(skirt(figure, SkirtCut(0.115, 0.40, 0.085)), Cloth(dotted, rough=0.7, fuzz=0.25)),
    ]
    footwear = Footwear(
        ShoeCut(0.058),
        partial(paint_sole, rubber=(0.25, 0.13, 0.07), line=(0.12, 0.06, 0.03)),
        partial(
            paint_upper,
            leather=(0.09, 0.03, 0.02),
            accent=(0.055, 0.018, 0.012),
            tongue=(0.08, 0.027, 0.018),
            laces=(0.11, 0.04, 0.028),
        ),
    )
    return dress(figure, look, Head(cut, (0.030, 0.020, 0.015), hair), pieces, footwear, fine)
