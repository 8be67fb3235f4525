"""The two sample people: who they are and what they wear."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.spatial import KDTree

from bdmm.body.model import PART_NAMES, AnnyBody
from bdmm.data.synthetic.camera import Hidden
from bdmm.data.synthetic.geometry import Figure, Layer, make_figure, vertex_normals
from bdmm.data.synthetic.hair import Haircut, brows, grow, growth, lashes
from bdmm.data.synthetic.render import Person
from bdmm.data.synthetic.shoe_paint import paint_sole, paint_upper
from bdmm.data.synthetic.shoes import shod, shoes
from bdmm.data.synthetic.skin import Complexion, find_face, paint_eyes, paint_skin, skin_layers
from bdmm.data.synthetic.skirt import paint_skirt, skirt
from bdmm.data.synthetic.wardrobe import breton, jeans, paint_denim, paint_knit, sunrise, tshirt

_MAN = (
    1.38, -0.53, -0.98, 0.14, 0.16, -1.04, -1.81, -0.15, -0.89, -0.94,
    -0.95, -0.68, -0.77, 0.26, 0.14, 0.86, 0.24, 0.46, -0.57, 0.2,
)  # fmt: skip
_WOMAN = (
    0.4, 1.55, -1.26, 0.85, -0.11, -0.28, 0.3, 0.05, -0.26, 0.41,
    0.55, -0.12, -0.69, -0.8, 0.49, -0.4, -0.82, 1.26, 1.02, 0.51,
)  # fmt: skip


def man(body: AnnyBody, fine: int = 2, strands: float = 1.0) -> Person:
    """A man in a striped T-shirt, jeans and sneakers.

    Args:
        body: the shipped body.
        fine: how often garments are divided.
        strands: factor on the amount of hair.
    """
    figure = friendly(make_figure(body, np.array(_MAN)), 1.5, 0.0012)
    look = Complexion(
        skin=(0.44, 0.262, 0.185),
        blush=(0.45, 0.155, 0.115),
        lips=(0.40, 0.17, 0.14),
        iris=(0.045, 0.065, 0.075),
        beard=0.55,
    )
    brown = (0.050, 0.028, 0.017)
    cut = Haircut(
        count=int(26000 * strands),
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
        colour=brown,
    )
    shirt = tshirt(figure, 0.075, 0.19, 1.0, fine)
    trousers = jeans(figure, 0.02, 0.035, 0.016, fine)
    layers = [*skin_layers(figure), shirt, trousers, *shoes(figure, 0.080)]
    face = find_face(figure)

    def skin(seen, camera):
        dense = growth(figure, seen.coords[:, :3], cut)
        return paint_skin(seen, camera, face, look, dense, tuple(np.array(brown) * 2.2))

    paints = {
        "skin": skin,
        "eyes": lambda seen, camera: paint_eyes(seen, face, look, (0.0, 0.02)),
        "shirt": partial(paint_knit, colours=breton, stitch=0.25),
        "jeans": partial(
            paint_denim, blue=(0.035, 0.060, 0.125), thread=(0.45, 0.22, 0.07), figure=figure
        ),
        "soles": partial(paint_sole, rubber=(0.66, 0.64, 0.59), line=(0.03, 0.055, 0.14)),
        "uppers": partial(
            paint_upper,
            leather=(0.60, 0.585, 0.55),
            accent=(0.03, 0.055, 0.14),
            tongue=(0.05, 0.08, 0.17),
            laces=(0.72, 0.71, 0.68),
        ),
    }
    hair = [
        (grow(figure, cut), brown),
        (brows(figure, 0.85), tuple(np.array(brown) * 1.5)),
        (lashes(figure, 0.0055), (0.008, 0.006, 0.005)),
    ]
    return Person(figure, layers, paints, hair, under(layers, shod(figure, 0.080)))


def woman(body: AnnyBody, fine: int = 2, strands: float = 1.0) -> Person:
    """A woman in a printed top, a dotted skirt and flat shoes; see `man`."""
    figure = friendly(make_figure(body, np.array(_WOMAN)), 1.2, 0.0018)
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
        colour=black,
    )
    top = tshirt(figure, 0.045, 0.10, 0.55, fine)
    below = skirt(figure, 0.115, 0.40, 0.085)
    layers = [*skin_layers(figure), top, below, *shoes(figure, 0.058)]
    face = find_face(figure)

    def skin(seen, camera):
        dense = growth(figure, seen.coords[:, :3], cut)
        return paint_skin(seen, camera, face, look, dense, tuple(np.array(black) * 1.5))

    paints = {
        "skin": skin,
        "eyes": lambda seen, camera: paint_eyes(seen, face, look, (0.0, 0.02)),
        "shirt": partial(paint_knit, colours=sunrise, stitch=0.25),
        "skirt": partial(paint_skirt, base=(0.018, 0.075, 0.085), dots=(0.70, 0.66, 0.56)),
        "soles": partial(paint_sole, rubber=(0.25, 0.13, 0.07), line=(0.12, 0.06, 0.03)),
        "uppers": partial(
            paint_upper,
            leather=(0.09, 0.03, 0.02),
            accent=(0.055, 0.018, 0.012),
            tongue=(0.08, 0.027, 0.018),
            laces=(0.11, 0.04, 0.028),
        ),
    }
    hair = [
        (grow(figure, cut), black),
        (brows(figure, 0.8), black),
        (lashes(figure, 0.007), (0.005, 0.004, 0.004)),
    ]
    return Person(figure, layers, paints, hair, under(layers, shod(figure, 0.058)))


_DEEP = {"skin": 0.02, "jeans": 0.012, "shirt": 0.006}
"""Metres within a garment's hems at which what is under it is not drawn any more."""


def under(layers: list[Layer], in_shoe: Callable[[np.ndarray], np.ndarray]) -> Hidden:
    """Return which points lie under a garment for sure: well inside its hems, or in a shoe."""
    trees = {
        layer.name: (KDTree(layer.rest), layer.inside)
        for layer in layers
        if layer.inside is not None and layer.name != "uppers"
    }
    covers = {
        "skin": list(trees),
        "jeans": ["shirt"],
        "shirt": [name for name in trees if name == "skirt"],
    }

    def hidden(name: str, coords: np.ndarray) -> np.ndarray:
        covered = in_shoe(coords[:, :3]) if name == "skin" else np.zeros(len(coords), bool)
        for cover in covers.get(name, ()):
            tree, inside = trees[cover]
            away, index = tree.query(coords[:, :3], k=4, distance_upper_bound=0.06)
            near = 1 / (away + 1e-4)
            depth = (near * np.append(inside, 0)[index]).sum(axis=1) / near.sum(axis=1).clip(1e-9)
            covered |= np.isfinite(away[:, 0]) & (depth > _DEEP[name])
        return covered

    return hidden


def friendly(figure: Figure, smile: float, lids: float) -> Figure:
    """Lift the corners of the mouth and the cheeks, and let the upper lids rest on the irises.

    Args:
        figure: with a blank face.
        smile: 1 a slight one.
        lids: metres by which the upper lids sink.
    """
    face = find_face(figure)
    rest = _smile(figure, smile)
    for eye in face.eyes:
        away = (rest - eye) / face.radius
        near = np.exp(-((away[:, 0] / 0.95) ** 4) - ((away[:, 1] + 0.45) / 0.55) ** 4)
        near *= (away[:, 2] < -0.3) & (np.linalg.norm(away, axis=1) > 1.005)
        rest[:, 1] += lids * near
        distance = np.linalg.norm(rest - eye, axis=1)
        inside = (near > 0.02) & (distance < 1.03 * face.radius)
        rest[inside] = eye + (rest[inside] - eye) * (1.03 * face.radius / distance[inside])[:, None]
    return replace(figure, rest=rest, normals=vertex_normals(rest, figure.faces))


def _smile(figure: Figure, much: float) -> np.ndarray:
    lips = figure.rest[figure.parts == PART_NAMES.index("lips")]
    rest = figure.rest.copy()
    for sign in (1, -1):
        corner = lips[(lips[:, 0] * sign).argmax()]
        cheek = corner + np.array([0.016 * sign, -0.022, 0.004])
        near = np.exp(-(((figure.rest - corner) / 0.011) ** 2).sum(axis=1) / 2)[:, None]
        round_ = np.exp(-(((figure.rest - cheek) / 0.013) ** 2).sum(axis=1) / 2)[:, None]
        rest += much * near * [0.0022 * sign, -0.0038, 0.0012]
        rest += much * round_ * [0.0005 * sign, -0.0018, -0.0016]
    return rest
