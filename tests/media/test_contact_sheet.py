import numpy as np

from bdmm.media.contact_sheet import ContactSheet, tile


def plain(level, size=(30, 20)):
    return np.full((*size, 3), level, np.uint8)


def test_frames_are_spread_evenly_from_first_to_last():
    sheet = ContactSheet(plain(250), frame_count=101, shown=5)
    for i in range(101):
        sheet.add(plain(2 * i))
    levels = sorted(set(sheet.picture()[..., 0].flatten()) - {255})
    assert levels == [0, 50, 100, 150, 200, 250]


def test_short_clips_show_each_frame_once():
    sheet = ContactSheet(plain(9), frame_count=2, shown=11)
    sheet.add(plain(10))
    sheet.add(plain(20))
    picture = sheet.picture()
    assert (picture == 20).all(axis=2).sum() == 600


def test_pictures_of_other_sizes_are_brought_to_one_height():
    sheet = tile([plain(10, (60, 20)), plain(20), plain(30)])
    assert (sheet == 10).all(axis=2).sum() == 30 * 10
    assert (sheet == 30).all(axis=2).sum() == 30 * 20
