"""Grids of faces and mixed colours."""

import numpy as np
import pytest

from bdmm_synth.figure import averaging, grid_faces, mix, vertex_normals


@pytest.mark.parametrize(("closed", "count"), [(True, 2 * 3 * 6), (False, 2 * 3 * 5)])
def test_a_grid_joins_all_its_vertices(closed: bool, count: int) -> None:
    faces = grid_faces(4, 6, closed)
    assert faces.shape == (count, 3)
    assert set(faces.ravel()) == set(range(24))
    sides = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, times = np.unique(sides, axis=0, return_counts=True)
    assert times.max() == 2
    assert (times == 1).sum() == (2 * 6 if closed else 2 * 5 + 2 * 3)


def test_a_tube_has_normals_across_its_axis() -> None:
    turn = np.arange(16) / 16 * 2 * np.pi
    ring = np.stack([np.cos(turn), np.zeros(16), np.sin(turn)], axis=-1)
    rest = np.concatenate([ring + np.array([0, y, 0]) for y in (0.0, 0.5, 1.0)])
    normals = vertex_normals(rest, grid_faces(3, 16))
    along = (normals * rest)[:, [0, 2]].sum(axis=1)
    assert np.abs(along) == pytest.approx(1, abs=0.02)
    assert len(set(np.sign(along))) == 1


def test_averaging_keeps_what_is_constant() -> None:
    matrix = averaging(grid_faces(3, 5), 15)
    assert matrix @ np.full(15, 2.0) == pytest.approx(2)


def test_colours_mix_by_part() -> None:
    tone = np.tile([0.2, 0.4, 0.6], (3, 1))
    mixed = mix(tone, (1.0, 0.0, 0.0), np.array([0.0, 0.5, 2.0]))
    assert mixed.tolist() == [[0.2, 0.4, 0.6], [0.6, 0.2, 0.3], [1.0, 0.0, 0.0]]
