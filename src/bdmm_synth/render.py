"""Photograph a dressed person in the studio at any quality."""

from dataclasses import dataclass

import numpy as np

from bdmm_synth.camera import Camera
from bdmm_synth.light import Lamps, in_banks
from bdmm_synth.person import Person
from bdmm_synth.photographer import Film, Photographer
from bdmm_synth.studio import Backdrop, seamless


@dataclass(frozen=True)
class Shot:
    """How a picture is taken in the studio.

    Attributes:
        size: (height, width) of the picture.
        scale: pixels per metre at the person.
        ground: row of the floor under the person.
        fine: samples along a pixel's side.
        lamps: each with a shadow map of its own.
        backdrop: what is behind the person.
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
    centre = (shot.size[1] / 2, shot.ground - _EYE_HEIGHT * shot.scale)
    position = np.array([0, -_EYE_HEIGHT, -_DISTANCE])
    return Camera(shot.size, shot.scale * _DISTANCE, centre, position)


def photographer_of(person: Person, shot: Shot) -> Photographer:
    """Return who takes such pictures of a person."""
    camera = camera_of(shot)
    return Photographer(
        person,
        camera,
        shot.fine,
        in_banks(shot.lamps, shot.side),
        seamless(camera, shot.backdrop),
        Film(shot.exposure, shot.grain),
    )


def photograph(
    person: Person, rotations: np.ndarray, pelvis: np.ndarray, shot: Shot, seed: int = 0
) -> np.ndarray:
    """Take one picture in the studio.

    Args:
        person: who.
        rotations: ``24 3 3`` local rotations in camera axes.
        pelvis: ``3`` in the scene: the floor is y = 0, up is negative.
        shot: how.
        seed: of the grain.

    Returns:
        ``h w 3`` uint8 sRGB.
    """
    return photographer_of(person, shot).shoot(rotations, pelvis, seed).frame_uint8
