import cv2
import numpy as np
import pytest

from bdmm.perception.matte import refine_foreground
from bdmm.perception.silhouette import clean_foreground

SIZE = (160, 120)


def person(shift: float = 0.0) -> np.ndarray:
    """An ellipse's true alpha, each pixel the mean of 8 x 8 samples."""
    rows, columns = np.mgrid[: 8 * SIZE[0], : 8 * SIZE[1]] / 8
    inside = ((rows - 80) / 60) ** 2 + ((columns - 60 - shift) / 30) ** 2 < 1
    return cv2.resize(inside.astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_AREA)


def photo(alpha: np.ndarray) -> np.ndarray:
    """A red person before a wall that goes from green to blue."""
    wall = np.zeros((*SIZE, 3))
    wall[..., 1] = np.linspace(200, 40, SIZE[0])[:, None]
    wall[..., 2] = np.linspace(40, 200, SIZE[0])[:, None]
    mixed = alpha[..., None] * (200, 60, 50) + (1 - alpha[..., None]) * wall
    return mixed.round().astype(np.uint8)


def estimated(alpha: np.ndarray) -> np.ndarray:
    """What a coarse estimator says: a quarter of the resolution."""
    coarse = cv2.resize(alpha, (SIZE[1] // 4, SIZE[0] // 4), interpolation=cv2.INTER_AREA)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("shift", [0.0, 0.7, -0.7])
def test_the_rim_follows_the_photo(shift):
    true = person()
    soft = estimated(person(shift))
    refined = refine_foreground(photo(true), soft)
    before = np.abs(clean_foreground(soft) - true).sum()
    assert np.abs(refined - true).sum() < 0.4 * before


def test_only_a_narrow_rim_is_neither_inside_nor_outside():
    true = person()
    refined = refine_foreground(photo(true), estimated(true))
    assert refined.dtype == np.float32
    assert 0 <= refined.min() <= refined.max() <= 1
    disc = np.ones((9, 9), np.uint8)
    assert (refined[cv2.erode((true > 0.5).astype(np.uint8), disc) > 0] == 1).all()
    assert (refined[cv2.dilate((true > 0.5).astype(np.uint8), disc) == 0] == 0).all()


def test_where_colours_say_nothing_the_rim_fades_and_the_person_keeps_its_size():
    true = person()
    grey = np.full((*SIZE, 3), 90, np.uint8)
    refined = refine_foreground(grey, estimated(true))
    assert abs(refined.sum() / true.sum() - 1) < 0.03
    assert np.abs(refined - true).max() < 0.6


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nobody_and_nothing_but_the_person(value):
    flat = np.full(SIZE, value, np.float32)
    assert (refine_foreground(photo(person()), flat) == flat).all()


def test_a_person_at_the_border_is_cut_there():
    true = person(shift=-50)
    refined = refine_foreground(photo(true), estimated(true))
    assert np.abs(refined - true).sum() < np.abs(clean_foreground(estimated(true)) - true).sum()


@pytest.mark.parametrize("open_gap", [True, False])
def test_a_gap_that_the_estimator_hesitates_at_is_told_by_its_colour(open_gap):
    true, slit = person(), np.s_[70:90, 81:86]
    soft = estimated(true)
    soft[slit] = 0.85
    if open_gap:
        true[slit] = 0
    refined = refine_foreground(photo(true), soft)
    assert np.abs(refined - true)[slit].mean() < 0.1
