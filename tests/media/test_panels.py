import numpy as np

from bdmm.media.panels import captioned, contain, mosaic


def test_all_of_a_picture_shows_in_the_middle():
    picture = np.full((20, 10, 3), 9, np.uint8)
    shown = contain(picture, (40, 60))
    assert shown.shape == (40, 60, 3)
    assert (shown[:, 20:40] == 9).all()
    assert (shown[:, :20] == 255).all()
    assert (shown[:, 40:] == 255).all()


def test_a_caption_leaves_the_picture_and_fits_its_width():
    picture = np.full((50, 140, 3), 9, np.uint8)
    plain, long = captioned(picture, "source"), captioned(picture, "a name without end " * 9)
    assert plain.shape == long.shape == (64, 140, 3)
    assert np.array_equal(plain[14:], picture)
    assert np.array_equal(long[14:], picture)
    ink = (long[:14] < 128).any(axis=2)
    assert ink.any()
    assert not ink[:, -1].any()
    assert (captioned(picture, "")[:14] == 255).all()
    assert captioned(np.zeros((9, 900, 3), np.uint8), "x").shape == (9 + 28, 900, 3)


def test_panels_lie_in_rows():
    panels = [[np.full((8, 6, 3), 10 * (2 * y + x), np.uint8) for x in range(2)] for y in range(3)]
    sheet = mosaic(panels)
    assert sheet.shape == (36, 20, 3)
    assert (sheet[26:34, 12:18] == 50).all()
    assert (sheet[:2] == 255).all()
