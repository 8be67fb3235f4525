"""Random clothes and shoes: what goes with what, and what it is made of."""

from dataclasses import replace
from functools import partial

import numpy as np

from bdmm_synth.figure import Colour, Figure, joint
from bdmm_synth.garments import prints
from bdmm_synth.garments.cloth import Cloth, Print
from bdmm_synth.garments.collars import COLLAR, HOOD, SCARF, collar
from bdmm_synth.garments.prints import random_emblem
from bdmm_synth.garments.skirts import SkirtCut, skirt
from bdmm_synth.garments.tops import TopCut, top
from bdmm_synth.garments.trousers import TrouserCut, sleeve_of_leg, trousers
from bdmm_synth.people.colours import cloth_colour, contrast_colour
from bdmm_synth.people.person import Footwear, Piece
from bdmm_synth.people.shoes import ShoeCut, paint_plain, paint_sole, paint_upper


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
        socks = Piece(sock, Cloth(prints.plain(cloth_colour(random, 0.9)), crumple=0.2, seams=0.0))
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
        look = Cloth(prints.plain(colour), crumple=0.6, rough=0.45, gloss=0.04, fuzz=0.02)
        return Footwear(cut, sole, leather), Piece(shaft, look)
    return None, None


_TOPS = {
    "tee": (0.26, TopCut(sleeve=0.19)),
    "tank": (0.07, TopCut(sleeve=0.0, loose=0.5, low=0.05, bowl=0.05)),
    "blouse": (0.10, TopCut(sleeve=0.30, loose=0.8, low=0.045, vee=0.06, wide=0.008)),
    "longsleeve": (0.16, TopCut(sleeve=0.46, cuff=0.9, loose=0.7)),
    "turtleneck": (0.06, TopCut(sleeve=0.46, cuff=1.0, loose=0.5, thick=0.002, low=-0.022,
                                bowl=0.004)),
    "sweater": (0.13, TopCut(sleeve=0.46, cuff=0.8, loose=1.0, thick=0.005, wide=0.003)),
    "hoodie": (0.10, TopCut(sleeve=0.46, cuff=0.9, loose=1.1, thick=0.006, wide=0.004, low=0.012)),
    "shirt": (0.12, TopCut(sleeve=0.46, cuff=0.7, loose=0.9, low=0.0, vee=0.035)),
}  # fmt: skip


def random_outfit(
    figure: Figure, random: np.random.Generator, feminine: float
) -> tuple[list[Piece], Footwear | None]:
    """Draw clothes.

    Args:
        figure: who wears them.
        random: decides.
        feminine: in [0, 1], chance of skirts and dresses.

    Returns:
        Garments from the inside to the outside, and shoes or None.
    """
    skirted = random.random() < 0.55 * feminine + 0.01
    pieces = _with_skirt(figure, random) if skirted else _with_trousers(figure, random)
    around_neck = any(piece.name in ("hood", "scarf") for piece in pieces)
    if random.random() < 0.25 and not around_neck:
        pieces.append(_jacket(figure, random, skirted))
    footwear, shaft = random_footwear(figure, random, skirted)
    return ([shaft, *pieces] if shaft is not None else pieces), footwear


def _with_trousers(figure: Figure, random: np.random.Generator) -> list[Piece]:
    kind, cut = _draw_top(random)
    cut = replace(cut, hem=random.uniform(-0.03, crotch(figure) - 0.03))
    cloth = _top_cloth(figure, random, kind, cut)
    above = Piece(top(figure, cut), cloth)
    below = _trousers(figure, random, cut.hem)
    tucked = kind in ("tee", "tank", "blouse", "shirt", "turtleneck") and random.random() < 0.25
    return [*([above, below] if tucked else [below, above]), *_collars(figure, random, kind, cloth)]


def crotch(figure: Figure) -> float:
    """Return how far below the pelvis joint the trunk ends between the legs, metres."""
    return float(figure.rest[np.abs(figure.rest[:, 0]) < 0.012, 1].max())


def _collars(figure: Figure, random: np.random.Generator, kind: str, cloth: Cloth) -> list[Piece]:
    """Add what belongs around the neck: a hood, a shirt's collar, now and then a scarf."""
    cloth = replace(cloth, print=cloth.ground or cloth.print, front="", rib=0.0, seams=0.0)
    if kind == "hoodie":
        return [Piece(collar(figure, HOOD), replace(cloth, crumple=1.5))]
    if kind == "shirt":
        return [Piece(collar(figure, COLLAR), replace(cloth, crumple=0.2))]
    if random.random() < 0.03:
        scarf = _material(random, _random_print(figure, random, "arms"))
        return [Piece(collar(figure, SCARF), replace(scarf, seams=0.0))]
    return []


def _with_skirt(figure: Figure, random: np.random.Generator) -> list[Piece]:
    """A skirt with a top tucked in, or a dress: both of one cloth."""
    kind, cut = _draw_top(random)
    if kind in ("hoodie", "sweater"):
        kind, cut = "tee", _TOPS["tee"][1]
    cut = replace(cut, hem=0.03, loose=min(cut.loose, 0.5), wide=0.0)
    waist = random.uniform(0.08, 0.14)
    lengths = (random.uniform(0.24, 0.38), random.uniform(0.40, 0.52), random.uniform(0.58, 0.74))
    size = joint(figure, "left_ankle")[1] / 0.815
    hem = size * lengths[random.choice(3, p=(0.4, 0.4, 0.2))]
    slim = random.random() < 0.25
    flare = random.uniform(0.0, 0.015) if slim else random.uniform(0.03, 0.13)
    below = SkirtCut(
        waist, hem, flare, 0.003 if slim else random.uniform(0.006, 0.024),
        int(random.integers(9, 24)), 40 + int(40 * hem), 144,
    )  # fmt: skip
    cloth = _top_cloth(figure, random, kind, cut)
    if random.random() < 0.5:
        ground = _random_print(figure, random, "legs")
        return [
            Piece(top(figure, cut), replace(cloth, front="")),
            Piece(skirt(figure, below), _material(random, ground)),
        ]
    dress = replace(cloth, print=_random_print(figure, random, "arms"), rib=0.0, front="")
    return [Piece(top(figure, cut), dress), Piece(skirt(figure, below), dress)]


def _draw_top(random: np.random.Generator) -> tuple[str, TopCut]:
    names = list(_TOPS)
    shares = np.array([_TOPS[name][0] for name in names])
    name = names[random.choice(len(names), p=shares / shares.sum())]
    cut = _TOPS[name][1]
    sleeve = cut.sleeve * random.uniform(0.75, 1.15) if 0 < cut.sleeve < 0.4 else cut.sleeve
    loose = cut.loose * random.uniform(0.75, 1.2)
    low = cut.low + max(0.0, random.uniform(-0.02, 0.02))
    vee = cut.vee + (0.06 if name in ("tee", "longsleeve", "sweater") else 0.0) * (
        random.random() < 0.2
    )
    return name, replace(cut, sleeve=sleeve, loose=loose, low=low, vee=vee)


def _top_cloth(figure: Figure, random: np.random.Generator, kind: str, cut: TopCut) -> Cloth:
    cloth = _material(random, _random_print(figure, random, "arms"))
    if kind in ("tee", "longsleeve", "sweater", "hoodie", "tank") and random.random() < 0.45:
        colour = cloth_colour(random)
        emblem = _emblazoned(figure, random, colour, cut.low + cut.vee)
        cloth = replace(cloth, print=emblem, ground=prints.plain(colour))
    if kind in ("sweater", "hoodie", "turtleneck"):
        trim = cloth_colour(random) if random.random() < 0.15 else None
        return replace(cloth, rib=random.uniform(0.03, 0.055), trim=trim, fuzz=0.45,
                       crumple=0.8)  # fmt: skip
    if kind == "shirt":
        return replace(cloth, front="buttons", crumple=1.2)
    if random.random() < 0.15:
        return replace(cloth, rib=0.016, trim=cloth_colour(random))
    return cloth


def _emblazoned(figure: Figure, random: np.random.Generator, colour: Colour, low: float) -> Print:
    inks = [np.array(contrast_colour(random, colour)) for _ in range(3)]
    picture = random_emblem(random, inks)
    width = random.choice([random.uniform(0.16, 0.26), random.uniform(0.06, 0.10)], p=(0.8, 0.2))
    aside = 0.0 if width > 0.12 else 0.07
    tall = width * len(picture) / picture.shape[1]
    down = joint(figure, "neck")[1] + 0.115 + low + 0.4 * tall
    ground = prints.with_emblem(prints.plain(colour), picture, (aside, down), float(width), False)
    if random.random() < 0.25:
        other = random_emblem(random, inks)
        ground = prints.with_emblem(ground, other, (0.0, down + 0.03), 0.24, True)
    return ground


def _random_print(figure: Figure, random: np.random.Generator, limbs: str) -> Print:
    first = cloth_colour(random)
    second = contrast_colour(random, first)
    third = contrast_colour(random, second)
    unroll = prints.unroll_of(figure, limbs)
    size = float(np.exp(random.uniform(np.log(0.012), np.log(0.08))))
    middle, share = random.uniform(-0.35, -0.1), random.uniform(0.2, 0.6)
    choices = (
        (0.38, lambda: prints.plain(first)),
        (0.12, lambda: prints.stripes(unroll, first, second, size, share, False)),
        (0.06, lambda: prints.stripes(unroll, first, second, size, share, True)),
        (0.09, lambda: prints.checks(unroll, first, second, third, max(size, 0.025))),
        (0.07, lambda: prints.dots(unroll, first, second, max(size, 0.02), 0.55 * share)),
        (0.08, lambda: prints.flowers(unroll, first, (second, third), 0.04 + size,
                                        int(random.integers(4, 9)))),
        (0.05, lambda: prints.blobs(first, (second, third), 0.05 + size)),
        (0.03, lambda: prints.spots(first, (0.01, 0.008, 0.006), second, 0.02 + 0.4 * size)),
        (0.05, lambda: prints.heather(first, second, 0.004 + 0.1 * size)),
        (0.04, lambda: prints.blocks((first, second, third), middle, middle + 0.15,
                                       limbs == "arms")),
        (0.03, lambda: prints.fade(first, second, middle - 0.1, middle + 0.4)),
    )  # fmt: skip
    shares = np.array([share for share, _ in choices])
    return choices[random.choice(len(choices), p=shares / shares.sum())][1]()


def _material(random: np.random.Generator, ground: Print) -> Cloth:
    """Draw what cloth it is: jersey, silk, wool, leather-like."""
    kind = random.random()
    if kind < 0.12:
        return Cloth(ground, rough=0.45, gloss=0.035, fuzz=0.1, crumple=0.8)
    if kind < 0.25:
        return Cloth(ground, rough=0.95, gloss=0.01, fuzz=0.6, crumple=0.7)
    return Cloth(ground, crumple=random.uniform(0.7, 1.3))


def _trousers(figure: Figure, random: np.random.Generator, above: float) -> Piece:
    ankle, knee = joint(figure, "left_ankle")[1], joint(figure, "left_knee")[1]
    waist = max(random.uniform(0.02, 0.11), 0.03 - above)
    kind = random.choice(5, p=(0.36, 0.18, 0.16, 0.14, 0.16))
    end = ankle - random.uniform(0.02, 0.05)
    denim = prints.washed(_denim(random), figure)
    plain = prints.plain(cloth_colour(random, 0.8))
    any_print = _random_print(figure, random, "legs") if random.random() < 0.3 else plain
    if kind == 0:  # jeans
        cut = TrouserCut("trousers", waist, end, random.uniform(0.004, 0.020), 0.005, knee - 0.2)
        return Piece(trousers(figure, cut), Cloth(denim, rough=0.8, fuzz=0.18))
    if kind == 1:  # wide
        cut = TrouserCut("trousers", waist, end + 0.02, random.uniform(0.025, 0.05), 0.008,
                         random.uniform(0.1, knee), 0.8)  # fmt: skip
        return Piece(trousers(figure, cut), _material(random, any_print))
    if kind == 2:  # leggings
        cut = TrouserCut(
            "trousers", waist, end - random.choice([0.0, 0.18]), 0.0, 0.0035, knee, 0.15
        )
        return Piece(trousers(figure, cut), Cloth(any_print, crumple=0.25, rough=0.6, fuzz=0.1))
    if kind == 3:  # chinos
        cut = TrouserCut(
            "trousers", waist, end, random.uniform(0.006, 0.016), 0.006, knee - 0.3, 0.7
        )
        return Piece(trousers(figure, cut), _material(random, plain))
    end = random.uniform(0.16, knee + 0.08)
    cut = TrouserCut("trousers", waist, end, random.uniform(0.006, 0.035), 0.006, 0.05, 0.6)
    ground = denim if random.random() < 0.4 else any_print
    return Piece(trousers(figure, cut), _material(random, ground))


def _denim(random: np.random.Generator) -> Colour:
    base = np.array([(0.035, 0.060, 0.125), (0.09, 0.15, 0.27), (0.012, 0.014, 0.020),
                     (0.02, 0.03, 0.06), (0.25, 0.24, 0.22)][random.integers(5)])  # fmt: skip
    red, green, blue = base * random.uniform(0.8, 1.3)
    return float(red), float(green), float(blue)


def _jacket(figure: Figure, random: np.random.Generator, skirted: bool) -> Piece:
    """A jacket, cardigan or vest, open or closed."""
    closed = random.random() < 0.35
    cut = TopCut(
        name="jacket",
        hem=random.uniform(-0.10, -0.02)
        if skirted
        else random.uniform(-0.02, crotch(figure) - 0.02),
        sleeve=0.0 if random.random() < 0.12 else 0.455,
        loose=random.uniform(0.7, 1.1),
        thick=random.uniform(0.003, 0.007),
        wide=random.uniform(0.000, 0.005),
        low=random.uniform(-0.01, 0.02),
        vee=random.uniform(0.0, 0.10),
        open_=-1.0 if closed else random.uniform(0.03, 0.085),
        cuff=random.uniform(0.2, 0.8),
    )
    ground = prints.plain(cloth_colour(random, 0.7))
    if random.random() < 0.3:
        ground = _random_print(figure, random, "arms")
    cloth = _material(random, ground)
    if closed:
        cloth = replace(cloth, front="zip" if random.random() < 0.6 else "buttons")
    if random.random() < 0.3:
        cloth = replace(cloth, rib=random.uniform(0.02, 0.05))
    return Piece(top(figure, cut), cloth)
