"""A person drawn from the body asset, whose fit is known exactly."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch

from bdmm.appearance.person import build_person, view_person
from bdmm.appearance.photo_choice import shares_shown
from bdmm.body.camera import project
from bdmm.body.model import AnnyBody, load_body
from bdmm.body.rasterize import rasterize
from bdmm.body.retarget import retarget
from bdmm.body.source_geometry import SourceGeometry, prepare_geometry
from bdmm.conditioning import condition, condition_person
from bdmm.inference.source_view import SourceView, View
from bdmm.media.motion_file import load_shipped
from bdmm.media.pixels import to_pictures
from bdmm.records import BONE_NAMES, Conditions, Motion, Person, Source

SIZE = (120, 90)


@pytest.fixture(scope="session")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="session")
def source(body: AnnyBody) -> Source:
    """Each bone in a colour of its own before a grey ramp."""
    height, width = SIZE
    pose = Motion(
        rotations=torch.eye(3).expand(1, len(BONE_NAMES), 3, 3).clone(),
        scale=torch.tensor([58.0]),
        translation=torch.tensor([[44.0, 56.0]]),
        shape=torch.zeros(body.shape_size),
        flagged=torch.zeros(1, dtype=torch.bool),
        size=SIZE,
        fps=Fraction(1),
    )
    vertices = project(body.vertices(pose.shape, pose.rotations), pose.scale, pose.translation)
    face = rasterize(vertices, body.faces, SIZE).face[0]
    colours = torch.rand(len(BONE_NAMES), 3, generator=torch.Generator().manual_seed(3)) * 2 - 1
    bones = body.vertex_bones[body.faces[face.clamp(min=0), 0]]
    covered = face >= 0
    background = torch.linspace(-0.2, 0.4, width).expand(3, height, width).clone()
    image = torch.where(covered, colours[bones].permute(2, 0, 1), background)
    return Source(image, covered.float()[None], background, pose)


@pytest.fixture(scope="session")
def source_view(source: Source) -> SourceView:
    height, width = SIZE
    view = View(0, 0, width, height, SIZE)
    return SourceView(to_pictures(source.image[None])[0], view, build_person([source]))


@pytest.fixture(scope="session")
def pasted_view(source: Source) -> SourceView:
    """The same picture in the middle of a larger photo, at half the photo's resolution."""
    photo = np.random.default_rng(0).integers(60, 90, (320, 300, 3)).astype(np.uint8)
    return SourceView(
        photo, View(50, 30, 180, 240, SIZE), Person((source,)), clean_plate=photo.copy()
    )


@pytest.fixture(scope="session")
def motion(source: Source) -> Motion:
    """Thirteen frames of a shipped walk: two windows and one frame."""
    return retarget(load_shipped("walk"), source.pose)[:13]


@pytest.fixture(scope="session")
def geometry(body: AnnyBody, source: Source) -> SourceGeometry:
    return prepare_geometry(body, source.pose, source.foreground)


@pytest.fixture(scope="session")
def conditioned(body: AnnyBody, geometry: SourceGeometry) -> Callable[..., Conditions]:
    """Return a function that makes the conditions of a motion and some joints."""
    return partial(condition, body, geometry)


@pytest.fixture(scope="session")
def person_conditions(source: Source) -> Callable[[Motion], Conditions]:
    """Return a function that makes the conditions of a motion as renderers get them."""
    person = view_person(Person((source,)))
    first = person.views[0].geometry.body

    def make(motion: Motion) -> Conditions:
        return condition_person(person, motion, shares_shown(first, person.views, motion))

    return make
