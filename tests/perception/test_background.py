"""Photos without their person: what is around goes on behind them."""

import ctypes

import cv2
import numpy as np
import pytest

from bdmm.errors import Notice
from bdmm.perception.background import join_copies, remove_person, shift_map


def _bricks(height: int, width: int) -> np.ndarray:
    rows, columns = np.indices((height, width))
    shift = rows // 12 % 2 * 12
    mortar = (rows % 12 < 2) | ((columns + shift) % 24 < 2)
    return np.where(mortar[..., None], [200, 200, 190], [150, 60, 40]).astype(np.uint8)


def _person(height: int, width: int) -> np.ndarray:
    foreground = np.zeros((height, width))
    foreground[height // 5 : -height // 6, width * 2 // 5 : width * 3 // 5] = 1
    return foreground


def test_a_wall_goes_on_behind_the_person():
    wall = _bricks(180, 140)
    foreground = _person(180, 140)
    photo = np.where(foreground[..., None] > 0, [20, 90, 30], wall).astype(np.uint8)
    filled = remove_person(photo, foreground)
    assert np.abs(filled.astype(int) - wall).mean() < 2
    assert (filled == remove_person(photo, foreground)).all()


def test_a_large_photo_is_completed_in_its_own_detail():
    wall = _bricks(480, 600)
    foreground = _person(480, 600)
    photo = np.where(foreground[..., None] > 0, [20, 90, 30], wall).astype(np.uint8)
    filled = remove_person(photo, foreground)
    inside = foreground > 0
    across = np.abs(np.diff(filled.astype(float), axis=1)).mean(axis=2)[:, :-1][inside[:, :-2]]
    true = np.abs(np.diff(wall.astype(float), axis=1)).mean(axis=2)[:, :-1][inside[:, :-2]]
    assert across.mean() > 0.7 * true.mean()


def test_light_that_fades_over_a_plain_wall_leaves_no_seam():
    light = np.linspace(120, 220, 200)[None, :, None] + np.linspace(0, 20, 160)[:, None, None]
    wall = np.broadcast_to(light, (160, 200, 3)).round().astype(np.uint8)
    foreground = _person(160, 200)
    photo = np.where(foreground[..., None] > 0, 0, wall).astype(np.uint8)
    filled = remove_person(photo, foreground).astype(float)
    assert np.abs(np.diff(filled, axis=0)).max() <= 5
    assert np.abs(np.diff(filled, axis=1)).max() <= 5
    assert np.abs(filled - wall).max() < 15


def test_the_edge_of_a_studio_is_not_copied_behind_the_person():
    studio = np.full((160, 200, 3), 240, np.uint8)
    studio[:, :40] = studio[:, -40:] = 200
    foreground = _person(160, 200)
    photo = np.where(foreground[..., None] > 0, 30, studio).astype(np.uint8)
    assert (remove_person(photo, foreground) == studio).all()


def test_a_reflection_on_the_floor_goes_with_the_person():
    """A floor that darkens to the right, with grain; the reflection lies below the feet."""
    grain = np.random.default_rng(0).normal(0, 2, (160, 120, 1))
    floor = np.broadcast_to(np.linspace(150, 110, 120)[None, :, None], (160, 120, 3)) + grain
    floor = floor.clip(0, 255).astype(np.uint8)
    foreground = np.zeros((160, 120), np.float32)
    foreground[20:120, 50:70] = 1
    photo = np.where(foreground[..., None] > 0, 30, floor).astype(np.uint8)
    photo[120:136, 50:70] = floor[120:136, 50:70] * 0.6
    below = np.s_[122:134, 52:68]
    filled = remove_person(photo, foreground).astype(float)
    assert abs(filled[below].mean() - floor[below].mean()) < 3
    kept = remove_person(photo, foreground, shadow=False).astype(float)
    assert floor[below].mean() - kept[below].mean() > 10


def test_only_the_hole_changes():
    photo = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    foreground = np.zeros((90, 70))
    foreground[40:50, 30:40] = 1
    filled = remove_person(photo, foreground, rim=1 / 90)
    changed = (filled != photo).any(axis=2)
    assert changed[40:50, 30:40].mean() > 0.9
    changed[38:52, 28:42] = False
    assert not changed.any()


def test_without_the_modules_that_other_opencv_packages_lack_there_is_a_notice(monkeypatch):
    monkeypatch.delattr(cv2, "xphoto")
    wall, foreground = _bricks(90, 70), _person(90, 70)
    with pytest.warns(Notice, match="opencv-contrib-python"):
        filled = remove_person(np.where(foreground[..., None] > 0, 0, wall), foreground)
    assert (filled[foreground > 0] > 40).mean() > 0.9


@pytest.mark.parametrize("size", [(8, 8), (17, 300), (300, 17), (64, 48)])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_small_photos_and_large_people(size, share):
    photo = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    foreground = np.zeros(size)
    foreground[: max(1, round(size[0] * share))] = 1
    assert remove_person(photo, foreground, rim=1e-3).shape == photo.shape


@pytest.mark.parametrize("value", [0, 1])
def test_nobody_and_nothing_but_a_person(value):
    photo = np.random.default_rng(2).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    assert (remove_person(photo, np.full((40, 30), float(value))) == photo).all()


def test_copies_come_from_outside_the_hole():
    wall = _bricks(120, 120)
    hole = _person(120, 120) > 0
    shifts = shift_map(wall, hole)
    assert not shifts[~hole].any()
    place = np.argwhere(hole) + shifts[hole]
    assert ((place >= 0) & (place < 120)).all()
    assert hole[tuple(place.T)].mean() < 0.02


def test_where_nothing_can_be_copied_the_colours_around_are_drawn_over():
    photo = np.full((30, 40, 3), 80, np.uint8)
    hole = np.zeros((30, 40), bool)
    hole[10:20, 10:30] = True
    photo[hole] = 255
    filled = join_copies(photo, hole, np.zeros((30, 40, 2), int))
    assert np.abs(filled.astype(int) - 80).max() <= 1


def test_the_shift_map_does_not_depend_on_what_memory_held_before():
    wall = _bricks(64, 64)
    hole = np.zeros((64, 64), bool)
    hole[20:44, 24:40] = True
    found = []
    for shift in ((0, 0), (20, 3), (-20, 9), (2**20, 2**20)):
        _leave_in_blocks_of_480_bytes(np.array(shift, np.int32).tobytes())
        found.append(shift_map(wall, hole))
    assert all((other == found[0]).all() for other in found)


def _leave_in_blocks_of_480_bytes(end: bytes) -> None:
    """Write behind the ends of blocks that the C library will lend next."""
    library = ctypes.CDLL(None)
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
    blocks = [library.malloc(480) for _ in range(100)]
    for block in blocks:
        ctypes.memmove(block + 480, end, len(end))
    for block in blocks:
        library.free(block)
