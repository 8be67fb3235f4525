"""Draw a dressed person in a pose in the studio."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bdmm.data.synthetic.camera import Camera, Hidden, Seen, look
from bdmm.data.synthetic.geometry import Figure, Layer, carry, pose, submesh, unit
from bdmm.data.synthetic.hair import Hair
from bdmm.data.synthetic.light import Lamps, Lit, Scene, Strands, Surface, illuminate
from bdmm.data.synthetic.studio import Backdrop, backdrop, develop, roll_out
from bdmm.records import BONE_NAMES

Paint = Callable[[Seen, Camera], Surface]


@dataclass(frozen=True)
class Person:
    """A figure with everything on it.

    Attributes:
        layers: meshes; ``paints`` says by name how each is coloured.
        hair: strands with their RGB albedo.
        hidden: what is surely under something else.
    """

    figure: Figure
    layers: list[Layer]
    paints: dict[str, Paint]
    hair: list[tuple[Hair, tuple[float, float, float]]]
    hidden: Hidden

    @functools.cached_property
    def solid(self) -> list[np.ndarray]:
        """Faces of each layer that cast shadows: what is worn, and not what lies under it."""
        faces = []
        for layer in self.layers:
            casts = ~self.hidden(layer.name, layer.coords)
            if layer.inside is not None:
                casts &= layer.inside > 0
            faces.append(submesh(layer.faces, casts))
        return faces


@dataclass(frozen=True)
class Shot:
    """How a picture is taken.

    Attributes:
        size: (height, width) of the picture.
        scale: pixels per metre at the person.
        ground: row of the floor under the person.
        fine: samples along a pixel's side.
        exposure: factor on the light.
        grain: strength of the film's grain.
        side: of the shadow maps.
    """

    size: tuple[int, int]
    scale: float
    ground: float
    fine: int
    lamps: Lamps
    backdrop: Backdrop
    exposure: float = 0.8
    grain: float = 0.006
    side: int = 1024


_DISTANCE = 4.4
_EYE_HEIGHT = 1.0


def camera_of(shot: Shot) -> Camera:
    """Return the camera that sees the floor's origin at the shot's ground row."""
    height, width = (side * shot.fine for side in shot.size)
    scale = shot.scale * shot.fine
    centre = (width / 2, shot.ground * shot.fine - _EYE_HEIGHT * scale)
    position = np.array([0, -_EYE_HEIGHT, -_DISTANCE])
    return Camera((height, width), scale * _DISTANCE, centre, position)


def photograph(
    person: Person, rotations: np.ndarray, pelvis: np.ndarray, shot: Shot, seed: int = 0
) -> np.ndarray:
    """Take a picture.

    Args:
        person: who.
        rotations: ``24 3 3`` local rotations in camera axes.
        pelvis: ``3`` in the scene: the floor is y = 0, up is negative.
        shot: how.
        seed: of the grain.

    Returns:
        ``h w 3`` uint8 sRGB.
    """
    camera = camera_of(shot)
    bones = pose(person.figure, rotations)
    posed = [carry(person.figure, bones, layer) + pelvis for layer in person.layers]
    seen, front = look(camera, person.layers, posed, person.hidden)
    surfaces = [person.paints[part.name](part, camera) for part in seen]
    head = bones[BONE_NAMES.index("head")]
    joint = person.figure.joints[BONE_NAMES.index("head")]
    hair = [
        ((hair.strands - joint) @ head[:, :3].T + head[:, 3] + pelvis, hair.tone, colour)
        for hair, colour in person.hair
    ]
    strands = _as_strands(hair)
    paper = roll_out(camera)
    vertices, faces = _solid(person, posed)
    middle = np.array([pelvis[0], -0.95, pelvis[2]])
    lit = illuminate(
        shot.lamps,
        Scene(vertices, faces, _between(hair), middle, camera.position),
        _concatenate(surfaces),
        np.concatenate([part.position for part in seen]),
        np.concatenate([part.normal for part in seen]),
        strands,
        paper.floor,
        shot.side,
    )
    picture = backdrop(paper, shot.backdrop, lit.floor)
    _fill(picture, seen, lit)
    _draw_hair(picture, front, camera, hair, lit.strands)
    blocks = picture.reshape(shot.size[0], shot.fine, shot.size[1], shot.fine, 3)
    return develop(blocks.mean(axis=(1, 3)) * shot.exposure, shot.grain, seed)


def _solid(person: Person, posed: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    faces, count = [], 0
    for own, vertices in zip(person.solid, posed, strict=True):
        faces.append(own + count)
        count += len(vertices)
    return np.concatenate(posed), np.concatenate(faces)


def _concatenate(surfaces: list[Surface]) -> Surface:
    names = ("albedo", "normal", "roughness", "gloss", "fuzz", "wrap")
    return Surface(*(np.concatenate([getattr(one, name) for one in surfaces]) for name in names))


def _fill(picture: np.ndarray, seen: list[Seen], lit: Lit) -> None:
    start = 0
    for part in seen:
        end = start + len(part.row)
        picture[part.row, part.column] = lit.surface[start:end]
        start = end


def _as_strands(hair: list) -> Strands:
    position, tangent, albedo = [np.zeros((0, 3))], [np.zeros((0, 3))], [np.zeros((0, 3))]
    for points, tone, colour in hair:
        position.append(points.reshape(-1, 3))
        tangent.append(unit(np.gradient(points, axis=1)).reshape(-1, 3))
        shades = tone[:, None, None] * np.array(colour) * np.ones((1, points.shape[1], 1))
        albedo.append(shades.reshape(-1, 3))
    return Strands(*(np.concatenate(part) for part in (position, tangent, albedo)))


def _between(hair: list) -> np.ndarray:
    """Return points all along the strands, close enough to cast a shadow together."""
    points = [np.zeros((0, 3))]
    for strands, _, _ in hair[:1]:
        for part in (0.0, 0.25, 0.5, 0.75):
            points.append((strands[:, :-1] * (1 - part) + strands[:, 1:] * part).reshape(-1, 3))
    return np.concatenate(points)


def _draw_hair(
    picture: np.ndarray, front: np.ndarray, camera: Camera, hair: list, light: np.ndarray
) -> None:
    """Draw strands one sample wide over what is behind them."""
    start = 0
    for points, _, _ in hair:
        count, along = points.shape[:2]
        colour = light[start : start + count * along].reshape(count, along, 3)
        start += count * along
        place = camera.project(points.reshape(-1, 3)).reshape(count, along, 3)
        longest = np.linalg.norm(np.diff(place[..., :2], axis=1), axis=-1).max()
        steps = max(1, int(np.ceil(longest / 0.8)))
        for index in range(along - 1):
            for part in np.arange(steps) / steps:
                now = place[:, index] * (1 - part) + place[:, index + 1] * part
                shade = colour[:, index] * (1 - part) + colour[:, index + 1] * part
                _plot(picture, front, now, shade)


def _plot(picture: np.ndarray, front: np.ndarray, place: np.ndarray, shade: np.ndarray) -> None:
    column, row = np.floor(place[:, 0]).astype(int), np.floor(place[:, 1]).astype(int)
    within = (column >= 0) & (row >= 0) & (row < front.shape[0]) & (column < front.shape[1])
    order = np.flatnonzero(within)[np.argsort(-place[within, 2], kind="stable")]
    row, column, depth = row[order], column[order], place[order, 2]
    nearer = depth < front[row, column]
    row, column, depth = row[nearer], column[nearer], depth[nearer]
    front[row, column] = depth
    picture[row, column] = shade[order][nearer]
