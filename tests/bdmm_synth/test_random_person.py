"""Random people: hems, shoes, hair, layers, seeds."""

import functools

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial import ConvexHull, Delaunay, KDTree

from bdmm.body.model import load_body
from bdmm.records import BONE_NAMES
from bdmm_synth.figure import Figure, Layer, joint, make_figure, pose
from bdmm_synth.garments.tops import TopCut, top
from bdmm_synth.garments.trousers import TrouserCut, trousers
from bdmm_synth.garments.wear import wear
from bdmm_synth.motion.score import euler
from bdmm_synth.people.hair import Hair
from bdmm_synth.people.person import Person
from bdmm_synth.people.random_person import random_person

_SEEDS = (0, 3, 6, 8)
_TUBES = {"shirt": 4, "trousers": 3, "socks": 4}


@functools.lru_cache
def _person(seed: int) -> Person:
    return random_person(load_body(), np.random.default_rng(seed), strands=0.05)


def _carry(figure: Figure, bones: np.ndarray, layer: Layer) -> np.ndarray:
    """Return a layer's posed vertices by linear blending."""
    offsets = bones[:, :, 3] - (bones[:, :, :3] @ figure.joints[..., None])[..., 0]
    blended = np.einsum("vn,nij->vij", layer.weights, bones[:, :, :3])
    return (blended @ layer.rest[..., None])[..., 0] + layer.weights @ offsets


@functools.lru_cache
def _figure() -> Figure:
    return make_figure(load_body(), np.zeros(20))


def _hem_loops(layer: Layer) -> list[np.ndarray]:
    """Return the points of each closed line where ``inside`` is zero; fails where one is open."""
    assert layer.inside is not None
    inside = np.where(layer.inside == 0, 1e-12, layer.inside)
    sides = layer.faces[:, [[0, 1], [1, 2], [2, 0]]]
    crossing = np.sign(inside[sides]).prod(axis=-1) < 0
    cut = crossing.any(axis=1)
    assert (crossing[cut].sum(axis=1) == 2).all()
    edges = np.sort(sides[cut][crossing[cut]], axis=-1)
    unique, place = np.unique(edges, axis=0, return_inverse=True)
    assert (np.bincount(place.ravel()) == 2).all(), "a hem ends in the middle of the cloth"
    pairs = place.reshape(-1, 2)
    links = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), (len(unique), len(unique)))
    count, label = sparse.csgraph.connected_components(links, directed=False)
    part = inside[unique[:, 0]] / (inside[unique[:, 0]] - inside[unique[:, 1]])
    start, end = layer.rest[unique[:, 0]], layer.rest[unique[:, 1]]
    points = start + (end - start) * part[:, None]
    return [points[label == number] for number in range(count)]


def _pieces(layer: Layer) -> int:
    """Return into how many unconnected parts a layer falls."""
    inside = np.ones(len(layer.rest)) if layer.inside is None else layer.inside
    faces = layer.faces[(inside[layer.faces] > 0).any(axis=1)]
    used = np.unique(faces)
    ends = np.searchsorted(used, faces[:, [0, 1, 2, 1, 2, 0]].reshape(-1, 2))
    links = sparse.coo_matrix((np.ones(len(ends)), ends.T), (len(used), len(used)))
    return int(sparse.csgraph.connected_components(links, directed=False)[0])


@pytest.mark.parametrize("seed", _SEEDS)
def test_garments_have_no_islands(seed: int) -> None:
    for layer in _person(seed).layers:
        if layer.name in _TUBES or layer.name in ("jacket", "skirt", "hood", "collar"):
            assert _pieces(layer) == (2 if layer.name == "socks" else 1), layer.name


@pytest.mark.parametrize(
    "cut",
    [TopCut(), TopCut(sleeve=0.0), TopCut(sleeve=0.46, cuff=0.9), TopCut(low=-0.022, bowl=0.004)],
)
def test_a_top_has_four_closed_hems(cut: TopCut) -> None:
    (layer,), _ = wear(_figure(), [top(_figure(), cut)], 1)
    loops = _hem_loops(layer)
    assert len(loops) == 4
    below = max(loops, key=lambda loop: loop[:, 1].mean())
    assert np.ptp(below[:, 1]) < 0.03


def test_trousers_end_in_level_cuffs() -> None:
    figure = _figure()
    end = joint(figure, "left_ankle")[1] - 0.035
    (layer,), cover = wear(figure, [trousers(figure, TrouserCut("trousers", 0.05, end, 0.02, 0.005,
                                                                0.2, crisp=0.0))], 1)  # fmt: skip
    loops = sorted(_hem_loops(layer), key=lambda loop: loop[:, 1].mean())
    assert len(loops) == 3
    for loop, level in zip(loops, (-0.05, end, end), strict=True):
        assert np.abs(loop[:, 1] - level).max() < 0.006
    knee = np.abs(figure.rest - joint(figure, "left_knee")).sum(axis=1).argmin()
    assert cover[knee] > 0.2


@pytest.mark.parametrize("seed", _SEEDS)
def test_garments_lie_outside_of_the_skin(seed: int) -> None:
    person = _person(seed)
    figure = person.figure
    tree = KDTree(figure.rest)
    for layer in person.layers:
        if layer.name not in ("shirt", "trousers", "jacket", "skirt"):
            continue
        inside = np.ones(len(layer.rest)) if layer.inside is None else layer.inside
        points = layer.rest[inside > 0]
        near = tree.query(points)[1]
        off = ((points - figure.rest[near]) * figure.normals[near]).sum(axis=1)
        assert np.percentile(off, 2) > -0.012, layer.name
        assert off.mean() > 0.003, layer.name


def test_a_jacket_lies_over_the_shirt() -> None:
    figure = _figure()
    jacket = TopCut(name="jacket", sleeve=0.455, thick=0.006, open_=0.06)
    layers, _ = wear(figure, [top(figure, TopCut()), top(figure, jacket)], 0)
    shirt, over = layers
    assert over.inside is not None
    assert shirt.recede is not None
    points = over.rest[over.inside > 0.02]
    away, near = KDTree(shirt.rest).query(points)
    tree = KDTree(figure.rest)
    normal = figure.normals[tree.query(points)[1]]
    off = ((points - shirt.rest[near]) * normal).sum(axis=1) + shirt.recede[near]
    assert np.percentile(off[away < 0.02], 3) > 0


@pytest.mark.parametrize("seed", _SEEDS)
def test_shoes_enclose_the_feet(seed: int) -> None:
    person = _person(seed)
    soles = [layer for layer in person.layers if layer.name == "soles"]
    if not soles:
        pytest.skip("goes barefoot")
    skin = next(layer for layer in person.layers if layer.name == "skin")
    low = skin.rest[:, 1] > skin.rest[:, 1].max() - 0.02
    assert person.hidden("skin", skin.coords)[low].all()
    for sign in (1, -1):
        sole = soles[0].rest[soles[0].rest[:, 0] * sign > 0][:, [0, 2]]
        foot = skin.rest[low & (skin.rest[:, 0] * sign > 0)][:, [0, 2]]
        hull = Delaunay(sole[ConvexHull(sole).vertices])
        assert (hull.find_simplex(foot) >= 0).all()


@pytest.mark.parametrize("seed", [*_SEEDS, 19])
def test_hair_follows_the_head(seed: int) -> None:
    person = _person(seed)
    hair = max((hair for hair, _ in person.hair), key=lambda hair: len(hair.strands))
    layer = _as_layer(hair)
    rotations = np.tile(np.eye(3), (24, 1, 1))
    head = BONE_NAMES.index("head")
    rotations[head] = euler(np.array([[0.7, 0.3, 0.2]]))[0]
    bones = pose(person.figure, rotations)
    moved = _carry(person.figure, bones, layer)
    joints = person.figure.joints
    rigid = (layer.rest - joints[head]) @ bones[head, :, :3].T + bones[head, :, 3]
    high = layer.rest[:, 1] < joints[BONE_NAMES.index("neck"), 1] - 0.05
    np.testing.assert_allclose(moved[high], rigid[high], atol=1e-6)
    assert high.mean() > 0.3


def _as_layer(hair: Hair) -> Layer:
    points = hair.strands.reshape(-1, 3)
    weights = np.zeros((len(points), 24))
    weights[:, BONE_NAMES.index("head")] = 1
    if hair.weights is not None:
        weights = hair.weights.reshape(-1, 24)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    return Layer("hair", points, np.zeros((0, 3), int), weights, points)


def test_the_same_seed_makes_the_same_person() -> None:
    first = _person(3)
    second = random_person(load_body(), np.random.default_rng(3), strands=0.05)
    other = _person(0)
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    for one, two in zip(first.layers, second.layers, strict=True):
        np.testing.assert_array_equal(one.rest, two.rest)
        painted, again = (person.paints[one.name](layer.coords[::7])
                          for person, layer in ((first, one), (second, two)))  # fmt: skip
        np.testing.assert_array_equal(painted.albedo, again.albedo)
        assert painted.albedo.min() >= 0
        assert painted.albedo.max() <= 1
    np.testing.assert_array_equal(first.hair[0][0].strands, second.hair[0][0].strands)
    assert np.abs(first.figure.shape - other.figure.shape).max() > 0.1


def test_what_lies_deep_under_clothes_is_not_drawn() -> None:
    figure = _figure()
    layers, cover = wear(figure, [top(figure, TopCut(thick=0.004))], 0)
    del layers
    chest = np.abs(figure.rest - [0, -0.25, -0.12]).sum(axis=1).argmin()
    hand = np.abs(figure.rest - joint(figure, "left_hand")).sum(axis=1).argmin()
    assert cover[chest] > 0.05
    assert cover[hand] < 0
