"""The pinhole camera of a clip, and where it stands: one static shot of the whole motion."""

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole without lens faults.

    Attributes:
        size: (height, width) in samples.
        focal: in samples.
        centre: (x, y) of the optical axis in samples; (0, 0) is the outer corner of the first one.
        position: ``3`` metres in the scene.
        turn: ``3 3`` rotation from the scene's axes to the camera's (x right, y down, z away).
    """

    size: tuple[int, int]
    focal: float
    centre: tuple[float, float]
    position: np.ndarray
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return ``v 3``: x, y in samples, depth in metres."""
        seen = (points - self.position) @ self.turn.T
        x = self.focal * seen[:, 0] / seen[:, 2] + self.centre[0]
        y = self.focal * seen[:, 1] / seen[:, 2] + self.centre[1]
        return np.stack([x, y, seen[:, 2]], axis=-1)

    def rays(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return ``n 3`` directions through samples' centres, one metre deep, in the scene."""
        x = (columns + 0.5 - self.centre[0]) / self.focal
        y = (rows + 0.5 - self.centre[1]) / self.focal
        return np.stack([x, y, np.ones_like(x)], axis=-1) @ self.turn

    def coarser(self, times: int) -> "Camera":
        """Return the camera whose samples are squares of ``times`` by ``times``."""
        return replace(
            self,
            size=(-(-self.size[0] // times), -(-self.size[1] // times)),
            focal=self.focal / times,
            centre=(self.centre[0] / times, self.centre[1] / times),
        )

    def finer(self, times: int) -> "Camera":
        """Return the camera with ``times`` as many samples along each side of its picture."""
        return replace(
            self,
            size=(self.size[0] * times, self.size[1] * times),
            focal=self.focal * times,
            centre=(self.centre[0] * times, self.centre[1] * times),
        )


_HEAD, _FOOT, _SIDE = 0.17, 0.10, 0.10
"""Metres of person beyond the joints: above, below, around."""
_NEAREST = 2.2
"""Metres that everything of the person keeps from the camera."""


@dataclass(frozen=True)
class View:
    """How a camera looks at a person.

    Attributes:
        distance: metres from the camera to the scene's origin.
        height: of the camera above the floor, metres.
        aside: metres that the camera stands to the right.
        aim: metres above the floor that its axis points to at the origin.
        fill: part of the picture's height that the person fills at most.
        shift: (x, y) of the person's middle from the picture's, as parts of the picture.
        cut: part of the person's height that the lower edge cuts off.
    """

    distance: float
    height: float
    aside: float
    aim: float
    fill: float
    shift: tuple[float, float]
    cut: float = 0.0


def random_view(random: np.random.Generator) -> View:
    """Draw a view: mostly all of the person with little room, sometimes cut at feet or thighs."""
    kind = random.random()
    cut = 0.0 if kind < 0.84 else random.uniform(0.02, 0.07)
    if kind > 0.92:
        cut = random.uniform(0.25, 0.45)
    height = random.uniform(0.7, 1.75)
    return View(
        distance=random.uniform(3.0, 8.0),
        height=height,
        aside=random.normal() * 0.15,
        aim=random.uniform(0.6, 1.0) * height + random.uniform(0.0, 0.4) * 0.9,
        fill=random.uniform(0.76, 0.95),
        shift=(random.normal() * 0.03, random.normal() * 0.012),
        cut=cut,
    )


def frame_view(view: View, size: tuple[int, int], joints: np.ndarray) -> Camera:
    """Point a camera at everything that a person does.

    Args:
        view: from where, and how much of the person.
        size: (height, width) of the picture in pixels.
        joints: ``t n 3`` in the scene.
    """
    distance = max(view.distance, _NEAREST - float(joints[..., 2].min()))
    position = np.array([view.aside, -view.height, -distance])
    tilt = np.arctan2(view.height - view.aim, distance)
    pan = np.arctan2(-view.aside, distance)
    turn = _tilted(tilt) @ _panned(pan)
    around = np.array([[-_SIDE, -_HEAD, 0], [_SIDE, _FOOT, 0]])
    points = (joints.reshape(-1, 1, 3) + around).reshape(-1, 3)
    seen = (points - position) @ turn.T
    flat = seen[:, :2] / seen[:, 2:]
    (left, top), (right, bottom) = flat.min(axis=0), flat.max(axis=0)
    bottom -= view.cut * (bottom - top)
    height, width = size
    focal = min(view.fill * height / (bottom - top), 0.97 * width / (right - left))
    if view.cut:
        focal = max(focal, 0.8 * view.fill * height / (bottom - top))
    middle = (left + right) / 2, (top + bottom) / 2
    x = width * (0.5 + view.shift[0] * (1 - focal * (right - left) / width)) - focal * middle[0]
    y = height * (0.5 + view.shift[1]) - focal * middle[1]
    if view.cut:
        y = height - focal * bottom
    return Camera(size, float(focal), (float(x), float(y)), position, turn)


def _tilted(angle: float) -> np.ndarray:
    """Return the turn of a camera that looks down by ``angle``."""
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])


def _panned(angle: float) -> np.ndarray:
    """Return the turn of a camera that looks right by ``angle``."""
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


@dataclass(frozen=True)
class Film:
    """How light becomes a picture.

    Attributes:
        exposure: factor on the light.
        grain: standard deviation of the film's grain, of 1.
    """

    exposure: float = 0.8
    grain: float = 0.006
