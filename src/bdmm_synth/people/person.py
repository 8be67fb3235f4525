"""A dressed person before any pose: skin, face, garments, shoes and hair put together."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bdmm.body.model import PART_NAMES
from bdmm_synth.figure import Colour, Figure, Layer, Paint, Surface, vertex_normals
from bdmm_synth.garments.cloth import Cloth, paint_cloth
from bdmm_synth.garments.wear import Draped, Shell, buried, hidden, wear
from bdmm_synth.people.hair import Hair, Haircut, growth
from bdmm_synth.people.shoes import SOLE, ShoeCut, shod, shoes
from bdmm_synth.people.skin import Complexion, find_face, paint_eyes, paint_skin, skin_layers

Hidden = Callable[[str, np.ndarray], np.ndarray]
"""(layer name, ``n k`` coords) -> ``n`` True where another layer surely covers this one."""


@dataclass(frozen=True)
class Person:
    """A figure with everything on it.

    Attributes:
        figure: the body.
        layers: meshes.
        paints: how each layer is coloured, by its name.
        hair: strands with their RGB linear albedo; the first is what grows on the head and casts
            shadows.
        hidden: what is surely under something else; asked once for every vertex. Faces with all
            corners hidden are neither drawn nor cast shadows.
    """

    figure: Figure
    layers: list[Layer]
    paints: dict[str, Paint]
    hair: list[tuple[Hair, tuple[float, float, float]]]
    hidden: Hidden


@dataclass(frozen=True)
class Piece:
    """A garment and what it is made of."""

    garment: Draped | Shell
    cloth: Cloth

    @property
    def name(self) -> str:
        """The name of its layer."""
        garment = self.garment
        return garment.layer.name if isinstance(garment, Shell) else garment.name


@dataclass(frozen=True)
class Footwear:
    """Shoes: their cut, and the paints of soles and uppers."""

    cut: ShoeCut
    sole: Paint
    upper: Paint


@dataclass(frozen=True)
class Head:
    """What grows on a head.

    Attributes:
        cut: where hair grows on the scalp; None for a bald head.
        root: RGB of the scalp where hair grows.
        hair: strands with their RGB linear albedo, the head's first.
        gaze: where the eyes look, tangents of the angles right and down.
    """

    cut: Haircut | None
    root: Colour
    hair: list[tuple[Hair, Colour]]
    gaze: tuple[float, float] = (0.0, 0.02)


def dress(
    figure: Figure,
    look: Complexion,
    head: Head,
    pieces: list[Piece],
    footwear: Footwear | None,
    fine: int,
) -> Person:
    """Make a person.

    Args:
        figure: the body.
        look: colours of skin and face.
        head: what grows on it.
        pieces: garments from the inside to the outside, each with a name of its own.
        footwear: shoes; None for bare feet.
        fine: times that garments are divided.
    """
    garments, cover = wear(figure, [piece.garment for piece in pieces], fine)
    skin, eyes = skin_layers(figure)
    paints: dict[str, Paint] = {
        "skin": _skin_paint(figure, look, head),
        "eyes": partial(paint_eyes, face=find_face(figure), look=look, gaze=head.gaze),
    }
    layers = [eyes, *garments]
    for layer, piece in zip(garments, pieces, strict=True):
        paints[layer.name] = partial(paint_cloth, cloth=piece.cloth)
    if footwear is not None:
        layers += shoes(figure, footwear.cut)
        paints |= {"soles": footwear.sole, "uppers": footwear.upper}
        cover = np.where(shod(figure, footwear.cut)(figure.rest), 0.1, cover)
    return Person(figure, [buried(skin, cover), *layers], paints, head.hair, hidden)


def _skin_paint(figure: Figure, look: Complexion, head: Head) -> Callable[[np.ndarray], Surface]:
    face = find_face(figure)

    def paint(coords: np.ndarray) -> Surface:
        dense = np.zeros(len(coords))
        if head.cut is not None:
            dense = growth(figure, coords[:, :3], head.cut)
        return paint_skin(coords, face, look, dense, head.root)

    return paint


def with_expression(figure: Figure, smile: float, lids: float) -> Figure:
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


def sole_height(person: Person) -> float:
    """Return by how many metres a person's shoes raise the feet: 0 for bare ones."""
    return SOLE if any(layer.name == "soles" for layer in person.layers) else 0.0
