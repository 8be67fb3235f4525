"""A person drawn from the body asset: its outline in a photo is known exactly."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch

from bdmm.body.camera import project
from bdmm.body.model import AnnyBody, load_body
from bdmm.body.rasterize import Raster, rasterize
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.records import Motion

SIZE = (160, 120)


@pytest.fixture(scope="session")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="session")
def standing(body: AnnyBody) -> Callable[..., Motion]:
    """Return a function that makes a motion of one frame, turned about the vertical axis."""

    def make(yaw: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Motion:
        rotations = torch.eye(3).repeat(1, 24, 1, 1)
        rotations[0, 0] = axis_angle_to_matrix(torch.tensor([0.0, yaw, 0.0]))
        return Motion(
            rotations=rotations,
            scale=torch.tensor([75.0]),
            translation=torch.tensor([[60.0, 70.0]]) + torch.tensor(shift),
            shape=torch.zeros(body.shape_size),
            flagged=torch.zeros(1, dtype=torch.bool),
            size=SIZE,
            fps=Fraction(25),
        )

    return make


@pytest.fixture(scope="session")
def draw() -> Callable[[AnnyBody, Motion], Raster]:
    def make(body: AnnyBody, motion: Motion) -> Raster:
        posed = body.vertices(motion.shape, motion.rotations)
        vertices = project(posed, motion.scale, motion.translation)
        return rasterize(vertices, body.faces, motion.size)

    return make
