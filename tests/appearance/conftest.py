"""A painted person: smooth colours all over the mean body, drawn in any pose and light."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from bdmm.body.camera import project
from bdmm.body.model import AnnyBody, load_body
from bdmm.body.rasterize import rasterize
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.records import BONE_NAMES, Motion, Source

SIZE = (128, 96)


@pytest.fixture(scope="session")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="session")
def standing(body: AnnyBody) -> Motion:
    return Motion(
        rotations=torch.eye(3).expand(1, len(BONE_NAMES), 3, 3).clone(),
        scale=torch.tensor([60.0]),
        translation=torch.tensor([[48.0, 60.0]]),
        shape=torch.zeros(body.shape_size),
        flagged=torch.zeros(1, dtype=torch.bool),
        size=SIZE,
        fps=Fraction(25),
    )


@pytest.fixture(scope="session")
def turning(standing: Motion) -> Callable[[int], Motion]:
    """Return a function that makes a motion of so many frames which turns once around."""

    def make(frames: int) -> Motion:
        turns = torch.zeros(frames, 3)
        turns[:, 1] = torch.arange(frames) / frames * 2 * torch.pi
        rotations = standing.rotations.repeat(frames, 1, 1, 1)
        rotations[:, 0] = axis_angle_to_matrix(turns) @ rotations[:, 0]
        return replace(
            standing,
            rotations=rotations,
            scale=standing.scale.repeat(frames),
            translation=standing.translation.repeat(frames, 1),
            flagged=standing.flagged.repeat(frames),
        )

    return make


@pytest.fixture(scope="session")
def paint(body: AnnyBody) -> Tensor:
    """Colours of the vertices, in waves 40 cm long."""
    waves = body.template * torch.tensor([15.0, 12.0, 15.0]) + torch.tensor([0.0, 1.0, 2.0])
    return 0.6 * waves.sin()


@pytest.fixture(scope="session")
def painted(body: AnnyBody, paint: Tensor) -> Callable[..., list[Source]]:
    """Return a function that photographs the painted person in each frame of a motion."""

    def draw(motion: Motion, colours: Tensor = paint, gain: float = 1.0) -> list[Source]:
        vertices = body.vertices(motion.shape, motion.rotations)
        raster = rasterize(
            project(vertices, motion.scale, motion.translation), body.faces, motion.size
        )
        corners = colours[body.faces[raster.face.clamp(min=0)]]
        picture = (corners * raster.barycentric[..., None]).sum(dim=3).movedim(-1, 1)
        picture = (picture + 1) * gain - 1
        person = (raster.face >= 0)[:, None].float()
        grey = torch.zeros(3, *motion.size)
        return [
            Source(picture[t] * person[t], person[t], grey, motion[t : t + 1])
            for t in range(len(motion))
        ]

    return draw
