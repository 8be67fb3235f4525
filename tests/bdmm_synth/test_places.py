"""Surroundings: solids are seen where they stand, and every random place can be built."""

import numpy as np
import pytest

from bdmm_synth.camera import Camera, frame_view, random_view
from bdmm_synth.light.lamps import Bank, Lamps
from bdmm_synth.places import materials
from bdmm_synth.places.place import random_place
from bdmm_synth.places.solids import ELLIPSOID, Solid, World, render_scenery

_CAMERA = Camera((128, 128), 128.0, (64.0, 64.0), np.array([0.0, -1, -4]))
_ABOVE = [Bank(Lamps(np.array([[0.0, -1, 0]]), np.array([[2.0, 2, 2]])), 64)]
_WHITE, _RED = materials.plaster((0.5, 0.5, 0.5), 0.0), materials.plaster((0.4, 0.0, 0.0), 0.0)


def _black(rays):
    return np.zeros((len(rays), 3))


def _picture(solids):
    return render_scenery(World(solids, _black, (0.0, 0.0, 0.0)), _CAMERA, _ABOVE, 0.0)


def test_a_floor_is_lit_and_the_sky_is_seen_above():
    scenery = _picture([Solid((0, 0.5, 0), (50, 0.5, 50), _WHITE)])
    assert scenery.picture[:60].max() == 0
    # Albedo 0.5 under light of strength 2 from straight above.
    assert scenery.picture[80:] == pytest.approx(1.0, abs=0.01)


def test_a_box_stands_where_it_was_put_and_shades_the_floor():
    floor = Solid((0, 0.5, 0), (50, 0.5, 50), _WHITE)
    box = Solid((0, -1.5, 1), (0.5, 0.1, 0.5), _RED)
    picture = _picture([floor, box]).picture
    # Its front, from z = 0.5, is 4.5 m away: a metre is about 28 pixels there.
    assert picture[50, 64, 1] == 0
    assert picture[50, 52, 1] == 0
    floor_under, floor_beside = picture[90, 64], picture[90, 16]
    assert floor_beside[0] == pytest.approx(1.0, abs=0.02)
    assert floor_under[0] < 0.3


def test_a_ball_is_round():
    ball = Solid((0, -1, 0), (1.0, 1.0, 1.0), materials.plaster((0.5, 0.5, 0.5)), ELLIPSOID)
    picture = render_scenery(World([ball], _black, (1.0, 1.0, 1.0)), _CAMERA, _ABOVE, 0.0).picture
    area = (picture.sum(axis=-1) > 0.1).sum()
    # Seen from 4 m its rim appears at a slope of 1 / sqrt(15).
    assert area == pytest.approx(np.pi * (128 / np.sqrt(15)) ** 2, rel=0.05)


def test_shadows_fall_on_squares_near_the_person_only():
    scenery = _picture([Solid((0, 0.5, 0), (50, 0.5, 50), _WHITE)])
    here = np.array([0.0, -1, 0])
    squares = scenery.around(here)
    near = scenery.position[squares]
    assert np.hypot(near[:, 0], near[:, 2]).max() < 3
    dark = scenery.shaded(here, squares, np.zeros((len(squares), 3), np.float32))
    column, row, _ = _CAMERA.project(np.zeros((1, 3)))[0].astype(int)
    assert dark[row, column].max() < 0.1
    assert dark[68, 2] == pytest.approx(scenery.picture[68, 2])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("background", ["studio", "natural"])
def test_random_places_are_bright_and_finite(seed, background):
    random = np.random.default_rng(seed)
    joints = np.array([[[-0.5, -1.6, -0.3], [0.5, 0.0, 0.3]]])
    camera = frame_view(random_view(random), (48, 48), joints)
    place = random_place(random, camera, background, 0.6)
    assert np.isfinite(place.scenery.picture).all()
    assert 0.02 < place.scenery.picture.mean() < 4


@pytest.mark.parametrize("seed", range(20))
def test_cameras_frame_everything_that_they_do_not_cut(seed):
    random = np.random.default_rng(seed)
    joints = random.uniform([-1, -1.7, -1], [1, -0.1, 1], (5, 24, 3))
    view = random_view(random)
    camera = frame_view(view, (128, 128), joints)
    pixels = camera.project(joints.reshape(-1, 3))
    assert (pixels[:, 2] > 0.5).all()
    assert pixels[:, 1].min() > 0
    if not view.cut:
        assert (pixels[:, :2] > 0).all()
        assert (pixels[:, :2] < 128).all()
