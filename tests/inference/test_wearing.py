"""Clothes of one painted person on another."""

from dataclasses import replace

import pytest
import torch

from bdmm.appearance.atlas import look_up
from bdmm.body.camera import project
from bdmm.body.model import PART_NAMES
from bdmm.body.rasterize import rasterize
from bdmm.errors import InputError
from bdmm.inference.prepare import Garment, InputOptions
from bdmm.inference.wearing import wearing
from bdmm.records import BONE_NAMES, Person, Source

SKIN, HAIR, BLUE, WHITE = (0.5, 0.1, -0.1), (-0.7, -0.8, -0.9), (-0.6, -0.4, 0.5), (0.9, 0.9, 0.9)
RED, GREEN = (0.6, -0.6, -0.6), (-0.5, 0.4, -0.6)
FOREARMS = [i for i, name in enumerate(BONE_NAMES) if name.endswith("_elbow")]


@pytest.fixture(scope="module")
def people(body, source):
    """In red with long sleeves, in green with short ones."""

    def draw(top, sleeves):
        colours = torch.tensor(SKIN).repeat(len(body.parts), 1)
        clothes = {"torso": top, "arms": top, "legs": BLUE, "feet": WHITE, "scalp": HAIR}
        for part, colour in clothes.items():
            colours[body.parts == PART_NAMES.index(part)] = torch.tensor(colour)
        torso = body.parts == PART_NAMES.index("torso")
        colours[torso & (body.template[:, 1] > -0.07)] = torch.tensor(BLUE)
        if not sleeves:
            bare = torch.isin(body.vertex_bones, torch.tensor(FOREARMS))
            colours[bare] = torch.tensor(SKIN)
        pose = source.pose
        vertices = project(body.vertices(pose.shape, pose.rotations), pose.scale, pose.translation)
        raster = rasterize(vertices, body.faces, pose.size)
        corners = colours[body.faces[raster.face.clamp(min=0)]]
        picture = (corners * raster.barycentric[..., None]).sum(dim=3)[0].movedim(-1, 0)
        person = (raster.face >= 0).float()
        image = torch.where(person > 0, picture, source.background)
        return Person((Source(image, person, source.background, pose),))

    return draw(RED, True), draw(GREEN, False)


@pytest.fixture(scope="module")
def place(body, source):
    """Return a function that tells where a photo shows some bones, away from their rims."""
    pose = source.pose
    vertices = project(body.vertices(pose.shape, pose.rotations), pose.scale, pose.translation)
    face = rasterize(vertices, body.faces, pose.size).face[0]
    bone = torch.where(face >= 0, body.vertex_bones[body.faces[face.clamp(min=0), 0]], -1)

    def where(*names):
        bones = [i for i, name in enumerate(BONE_NAMES) if name.endswith(names)]
        inside = torch.isin(bone, torch.tensor(bones)).float()[None]
        return torch.nn.functional.avg_pool2d(inside, 3, 1, 1)[0] > 0.99

    return where


def away(image, colour):
    return (image - torch.tensor(colour)[:, None, None]).abs().amax(dim=0)


def test_short_sleeves_bare_the_arms(people, place, body):
    red, green = people
    made = wearing(red, green, "upper")
    image, before = made.photos[0].image, red.photos[0].image
    assert away(image, GREEN)[place("spine2", "spine3")].median() < 0.15
    assert away(image, SKIN)[place("_elbow")].median() < 0.15
    legs = place("_knee", "_ankle", "head")
    assert torch.allclose(image[:, legs], before[:, legs], atol=0.05)
    back = (body.parts == PART_NAMES.index("torso")) & (body.template[:, 1] < -0.15)
    faces = torch.nonzero(back[body.faces].all(dim=1))[:, 0]
    weights = torch.full((len(faces), 3), 1 / 3)
    assert made.atlas is not None
    colours = look_up(made.atlas, body, faces, weights)
    assert away(colours[..., None], GREEN).median() < 0.15


@pytest.mark.slow
def test_long_sleeves_cover_the_arms(people, place):
    red, green = people
    image = wearing(green, red, "upper").photos[0].image
    assert away(image, RED)[place("_elbow")].median() < 0.2
    assert away(image, SKIN)[place("head")].median() < 0.3


def test_what_the_other_one_does_not_show(people):
    red, (green,) = people[0], people[1].photos
    foreground = green.foreground.clone()
    foreground[:, 100:] = 0
    green = Person((replace(green, foreground=foreground),))
    with pytest.raises(InputError, match=r"me.jpg does not show shoes: use another photo"):
        wearing(red, green, "shoes", "me.jpg")
    with pytest.raises(InputError, match="the parts are upper, lower, shoes"):
        wearing(red, green, "hat")
    with pytest.raises(InputError, match="the parts are upper, lower, shoes"):
        InputOptions(wear=[Garment(red, "hat")])


@pytest.mark.slow
def test_nothing_is_left_behind_of_wide_clothes(people, source):
    """A person whose clothes end farther out keeps no rim of them."""
    red, green = people
    (photo,) = red.photos
    wide = torch.nn.functional.max_pool2d(photo.foreground[None], 5, 1, 2)[0]
    rows = torch.arange(wide.shape[1])[None, :, None]
    wide = torch.where((rows > 30) & (rows < 56), wide, photo.foreground)
    image = torch.where(
        (wide > photo.foreground) & (wide > 0), torch.tensor(RED)[:, None, None], photo.image
    )
    stout = Person((Source(image, wide, photo.background, photo.pose),))
    made = wearing(stout, green, "upper").photos[0]
    left = (away(made.image, RED) < 0.3).float().mean()
    assert left < 0.1 * (away(image, RED) < 0.3).float().mean()
