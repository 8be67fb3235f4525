"""The studio's seamless backdrop."""

from dataclasses import dataclass

import numpy as np

from bdmm_synth.camera import Camera
from bdmm_synth.noise import step
from bdmm_synth.places.scenery import Scenery, on_floor


@dataclass(frozen=True)
class Backdrop:
    """A paper roll: wall and floor colours, RGB linear, and the light spot behind the person.

    Attributes:
        wall, floor: colours.
        spot: how much brighter the wall is behind the person than at the rim, 1 as a studio's.
    """

    wall: tuple[float, float, float]
    floor: tuple[float, float, float]
    spot: float = 1.0


def seamless(camera: Camera, back: Backdrop) -> Scenery:
    """Roll the backdrop out: floor that bends up into a wall behind the person.

    Args:
        camera: with the size of the picture in pixels.
        back: its colours.
    """
    height, width = camera.size
    rows, columns = np.mgrid[:height, :width].reshape(2, -1).astype(float)
    rays = camera.rays(rows, columns)
    below = np.where(rays[:, 1] > 1e-4, -camera.position[1] / rays[:, 1].clip(1e-4), 1e9)
    behind = np.minimum(below, 60.0) * rays[:, 2] + camera.position[2]
    wall = step(1.2, 4.2, behind)
    across, up = camera.position[0] + rays[:, 0] * 4.4, rays[:, 1] * 4.4
    glow = 0.72 + 0.42 * np.exp(-((across / 0.75) ** 2) - ((up + 0.09) / 0.97) ** 2)
    glow = 1 + back.spot * (glow - 1)
    front = 0.95 - 0.10 * step(0.3, -2.2, behind)
    colour = (
        np.array(back.floor) * (front * (1 - wall))[:, None]
        + np.array(back.wall) * (glow * wall)[:, None]
    )
    picture = colour.reshape(height, width, 3)
    return on_floor(picture, camera, 1 - 0.4 * wall.reshape(height, width))
