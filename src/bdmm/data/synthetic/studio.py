"""The studio: lamps, a seamless backdrop, the floor's shadows, film."""

from dataclasses import dataclass

import cv2
import numpy as np

from bdmm.data.synthetic.camera import Camera
from bdmm.data.synthetic.light import Lamps, cone, dome, join
from bdmm.data.synthetic.noise import step


@dataclass(frozen=True)
class Backdrop:
    """A paper roll: wall and floor colours, RGB linear, and the light spot behind the person."""

    wall: tuple[float, float, float]
    floor: tuple[float, float, float]


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


@dataclass(frozen=True)
class Paper:
    """The backdrop as the camera sees it, on a grid ``coarse`` times wider than the samples."""

    camera: Camera
    rays: np.ndarray
    behind: np.ndarray
    coarse: int

    @property
    def near(self) -> np.ndarray:
        """Which points of the grid are floor that may get a shadow."""
        return self.behind < 3.5

    @property
    def floor(self) -> np.ndarray:
        """``m 3`` those points."""
        away = (self.behind - self.camera.position[2])[self.near]
        points = self.rays[self.near] * away[:, None] + self.camera.position
        return points * [1, 0, 1] - [0, 0.004, 0]


def roll_out(camera: Camera, coarse: int = 2) -> Paper:
    """Hang the backdrop behind the person."""
    height, width = (side // coarse for side in camera.size)
    rows, columns = np.mgrid[:height, :width].reshape(2, -1).astype(float) * coarse
    rays = camera.rays(rows, columns)
    below = np.where(rays[:, 1] > 1e-4, -camera.position[1] / rays[:, 1].clip(1e-4), 1e9)
    return Paper(camera, rays, np.minimum(below, 60.0) + camera.position[2], coarse)


def backdrop(paper: Paper, back: Backdrop, light: np.ndarray) -> np.ndarray:
    """Return the studio behind the person, ``h w 3`` linear RGB.

    Args:
        paper: the backdrop.
        back: its colours.
        light: ``m 3`` part of the lamps' light at the points of `Paper.floor`.
    """
    camera, behind = paper.camera, paper.behind
    wall = step(1.2, 4.2, behind)
    u, v = paper.rays[:, 0], paper.rays[:, 1]
    spot = 0.72 + 0.42 * np.exp(-((u / 0.17) ** 2) - ((v + 0.02) / 0.22) ** 2)
    front = 0.95 - 0.10 * step(0.3, -2.2, behind)
    colour = (
        np.array(back.floor) * (front * (1 - wall))[:, None]
        + np.array(back.wall) * (spot * wall)[:, None]
    )
    grid = [side // paper.coarse for side in camera.size]
    lit = np.ones_like(colour)
    lit[paper.near] = light
    lit = _blend_lamps(paper, lit.reshape(*grid, 3).astype(np.float32)).reshape(-1, 3)
    colour *= 1 - (1 - lit) * (1 - 0.6 * wall)[:, None]
    picture = colour.reshape(*grid, 3).astype(np.float32)
    return cv2.resize(picture, camera.size[::-1], interpolation=cv2.INTER_LINEAR)


def _blend_lamps(paper: Paper, lit: np.ndarray) -> np.ndarray:
    """Blur shadows the more the further they lie from the person: lamps are few, light is not."""
    metre = paper.camera.focal / -paper.camera.position[2] / paper.coarse
    points = paper.rays * (paper.behind - paper.camera.position[2])[:, None]
    away = np.hypot(points[:, 0], paper.behind).reshape(lit.shape[:2])
    for radius, start in ((0.015, 0.25), (0.05, 0.6)):
        soft = cv2.GaussianBlur(lit, (0, 0), radius * metre, sigmaY=0.6 * radius * metre)
        part = step(start, start + 0.5, away)[..., None].astype(np.float32)
        lit = lit * (1 - part) + soft * part
    return lit


def develop(linear: np.ndarray, grain: float, seed: int = 0) -> np.ndarray:
    """Turn linear light into an 8-bit sRGB picture: film curve, a little grain and vignette."""
    height, width = linear.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = linear * (1 - 0.10 * np.clip(x**2 + 0.6 * y**2, 0, 2) ** 1.5)[..., None]
    # A filmic shoulder (rational), scaled so that mid grey stays put.
    a, b, c, d, e = 2.20, 0.10, 2.0, 0.75, 0.12
    curve = (light * (a * light + b)) / (light * (c * light + d) + e)
    encoded = np.where(
        curve <= 0.0031308, 12.92 * curve, 1.055 * np.clip(curve, 0.0031308, 1) ** (1 / 2.4) - 0.055
    )
    random = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(random.normal(size=(height, width)).astype(np.float32), (0, 0), 0.7)
    encoded = encoded + grain * rough[..., None]
    return (encoded.clip(0, 1) * 255 + 0.5).astype(np.uint8)
