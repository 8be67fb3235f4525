"""Lamps, shadow maps, textures, film: what can be computed by hand."""

from dataclasses import replace

import numpy as np
import pytest
import warp as wp
from scipy.spatial.transform import Rotation

from bdmm.body.model import load_body
from bdmm_synth.camera import Camera
from bdmm_synth.figure import Layer, Surface, make_figure
from bdmm_synth.light import setups
from bdmm_synth.light.lamps import Bank, Lamps
from bdmm_synth.people.hair import Hair
from bdmm_synth.people.person import Person
from bdmm_synth.render.draw import SkinnedMesh, draw
from bdmm_synth.render.lighting import contact, empty_samples, illuminate, make_ground
from bdmm_synth.render.lighting_kernels import Samples
from bdmm_synth.render.mesh import bone_frames, merge, strongest, thinned
from bdmm_synth.render.renderer import tone_map
from bdmm_synth.render.texture import Texture, lattice
from bdmm_synth.render.texture_kernels import Posed, Shown, look_up
from bdmm_synth.warp_cpu import array, filled, launch, vectors

_OVERHEAD = Lamps(np.array([[0.0, -1, 0]]), np.array([[3.0, 2, 1]]))


@pytest.fixture(scope="module")
def figure():
    body = load_body()
    return make_figure(body, np.zeros(body.shape_size))


def _paint(coords):
    """Red grows with x, no bumps."""
    count = len(coords)
    albedo = np.column_stack([coords[:, 0], np.full((count, 2), 0.25)])
    zero = np.zeros(count)
    return Surface(albedo, zero, zero + 1, zero, zero, np.zeros((count, 3)))


@pytest.fixture(scope="module")
def person(figure):
    """A level square of 40 cm, one metre above the floor, that faces up; some hair beside it."""
    rest = np.array([[0.0, 0, 0], [0.4, 0, 0], [0.4, 0, 0.4], [0, 0, 0.4]])
    weights = np.eye(24)[[0, 0, 0, 0]]
    sheet = Layer("sheet", rest, np.array([[0, 1, 2], [0, 2, 3]]), weights, rest, np.ones(4))
    strands = np.array([[[2.0, 0, 0], [2.0, 0, 0.1], [2.0, 0, 0.2]]])
    hair = [(Hair(strands, np.ones(1)), (0.1, 0.1, 0.1))]
    return Person(figure, [sheet], {"sheet": _paint}, hair, lambda name, coords: coords[:, 0] > 9)


@pytest.fixture(scope="module")
def model(person):
    return SkinnedMesh(merge(person))


def stand(model, place):
    still = np.tile(np.eye(3), (24, 1, 1))
    return model.pose(bone_frames(model.mesh.figure, still, np.array(place)))


def _ground(bank, points):
    return make_ground([bank], np.array(points), np.tile([0.0, -1, 0], (len(points), 1)))


def _no_samples():
    return empty_samples(0)


@pytest.mark.parametrize(
    "bank", [Bank(_OVERHEAD, 256), Bank(_OVERHEAD, 256, 0.05, 9)], ids=["hard", "soft"]
)
def test_a_sheet_shades_the_floor_below_it(model, bank):
    posed = stand(model, [0.0, -1, 0])
    ground = _ground(bank, [[0.2, 0, 0.2], [-0.3, 0, 0.2], [0.2, 0, 0.8]])
    centre = np.array([0.0, -1, 0])
    _, kept = illuminate([bank], model, posed, centre, centre, _no_samples(), ground)
    assert kept[0] == pytest.approx(0)
    assert kept[1:] == pytest.approx(1)


def test_wide_lamps_have_soft_shadows(model):
    posed = stand(model, [0.0, -1, 0])
    bank = Bank(_OVERHEAD, 256, 0.3, 32)
    places = [[x, 0.0, 0.2] for x in (0.2, 0.33, 0.47, 0.7)]
    centre = np.array([0.0, -1, 0])
    ground = _ground(bank, places)
    _, kept = illuminate([bank], model, posed, centre, centre, _no_samples(), ground)
    assert kept[0, 0] < 0.05
    assert 0.05 < kept[1, 0] < kept[2, 0] < 0.95
    assert kept[3, 0] == pytest.approx(1)


def test_a_matt_surface_gets_its_albedo_times_the_light(model, person):
    posed = stand(model, [0.0, 0, 0])
    up = np.array([[0.0, -1, 0]])
    bank = Bank(_OVERHEAD, 256, sheen=False)
    samples = filled(
        Samples, position=vectors(np.array([[0.2, 0, 0.2]])), plain=vectors(up),
        normal=vectors(up), albedo=vectors(np.array([[0.5, 0.5, 0.5]])),
        gloss=vectors(np.array([[1.0, 0, 0]])), wrap=vectors(np.zeros((1, 3))),
    )  # fmt: skip
    eye = np.array([0.0, -3, -3])
    light, _ = illuminate([bank], model, posed, np.zeros(3), eye, samples, _ground(bank, [eye]))
    assert light[0] == pytest.approx([1.5, 1.0, 0.5], abs=1e-5)


def test_textures_are_exact_where_paint_is_linear(person):
    """Seen from above, red is the x coordinate anywhere on the sheet."""
    bald = replace(person, hair=[])
    model = SkinnedMesh(merge(bald))
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera = Camera((40, 40), 80.0, (0.0, 40.0), np.array([0.0, -2, 0]), turn)
    posed = stand(model, [0.0, 0, 0])
    drawn = draw(model, posed, camera, 1, 0.0)
    assert drawn.keys.shape == (16, 16)
    texture = Texture(bald, model.mesh, 0.03)
    texture.paint(np.arange(2))
    faces = (drawn.keys.ravel() & (2**32 - 1)).astype(np.int32)
    samples = empty_samples(256)
    shown = filled(
        Shown, sample=array(np.arange(256, dtype=np.int32), wp.int32),
        number=array(faces, wp.int32), width=16, left=drawn.left, top=drawn.top, seen=drawn.seen,
    )  # fmt: skip
    mesh = filled(
        Posed, posed=posed, normals=model.normals(posed), faces=model.faces,
        segments=model.segments, tint=model.tint,
    )  # fmt: skip
    launch(look_up, 256, [shown, wp.vec3(0.0, -2.0, 0.0), mesh, texture.texels, samples])
    position, normal = samples.position.numpy(), samples.normal.numpy()
    albedo = samples.albedo.numpy()
    assert albedo[:, 0] == pytest.approx(position[:, 0], abs=1e-5)
    assert albedo[0] == pytest.approx([0.0125, 0.25, 0.25], abs=1e-4)
    assert normal == pytest.approx(np.tile([0.0, -1, 0], (256, 1)), abs=1e-5)


def test_a_lattice_lists_texels_row_by_row():
    share = lattice(2)
    assert share.tolist() == [
        [1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 1],
    ]  # fmt: skip


def test_posing_equals_the_bodys_own_skinning(figure):
    random = np.random.default_rng(0)
    rotations = Rotation.random(24, random_state=1).as_matrix()
    pelvis = random.normal(size=3)
    nobody = Layer("skin", figure.rest, figure.faces, figure.weights, figure.rest)
    person = Person(figure, [nobody], {"skin": _paint}, [], lambda name, c: c[:, 0] > 9)
    frames = bone_frames(figure, rotations, pelvis)
    posed = SkinnedMesh(merge(person)).pose(frames).numpy()
    bones, shares = strongest(figure.weights)
    dense = np.einsum("vb,bij->vij", figure.weights, frames)
    expected = np.einsum("vij,vj->vi", dense[..., :3], figure.rest) + dense[..., 3]
    assert np.abs(posed - expected).max() < 0.02
    assert np.abs(posed - expected).mean() < 1e-4
    assert shares.sum(axis=1) == pytest.approx(1)
    assert bones.max() < 24


def test_thick_strands_are_fewer():
    hair = Hair(np.zeros((9000, 10, 3)), np.ones(9000))
    assert len(thinned(hair, 0.0, True).strands) == 9000
    assert len(thinned(hair, 0.0046, True).strands) == 2500
    lashes = thinned(Hair(np.zeros((300, 5, 3)), np.ones(300)), 0.003, False)
    assert lashes.strands.shape == (30, 3, 3)


def test_ground_is_dark_where_something_stands_on_it():
    feet = np.array([[0.0, -0.005, 0.0], [0.02, -0.005, 0.0]])
    places = np.array([[0.0, 0, 0], [0.5, 0, 0]])
    kept = contact(feet, np.zeros(3), places)
    assert kept[0] < 0.85
    assert kept[1] == pytest.approx(1)
    raised = contact(feet - [0, 0.5, 0], np.zeros(3), places)
    assert raised == pytest.approx(1)


def test_film_is_monotonic_and_repeatable():
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], (8, 1, 3))
    picture = tone_map(ramp, 0.0)
    assert (np.diff(picture[4, :48, 0].astype(int)) >= 0).all()
    assert picture[0, 0].max() == 0
    assert np.array_equal(tone_map(ramp, 0.05, 3), tone_map(ramp, 0.05, 3))
    assert not np.array_equal(tone_map(ramp, 0.05, 3), tone_map(ramp, 0.05, 4))


@pytest.mark.parametrize("seed", range(10))
def test_every_mood_lights_the_front_alike(seed):
    random = np.random.default_rng(seed)
    for setup in (
        setups.studio_light(random), setups.white_studio_light(random),
        setups.room_light(random),
        setups.daylight(random, True), setups.daylight(random, False),
    ):  # fmt: skip
        banks = setups.lamp_banks(setup, 2.0)
        towards = np.concatenate([bank.lamps.towards for bank in banks])
        strength = np.concatenate([bank.lamps.strength for bank in banks])
        front = np.clip(towards @ [0, -0.35, -0.94], 0, None) @ strength
        assert 0.8 < front.mean() < 3.2
        assert np.linalg.norm(towards, axis=1) == pytest.approx(1)
