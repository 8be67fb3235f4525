from pathlib import Path

import numpy as np
import pytest

import bdmm
from bdmm.errors import InputError
from bdmm.inference.source_view import (
    DETAIL,
    View,
    bounded,
    check_photo,
    feather,
    paste,
    person_view,
    whole_view,
)
from bdmm.media.image import read_image
from bdmm.perception.mediapipe_pose import detect_photo

SAMPLE = Path(bdmm.__file__).parent / "assets" / "samples" / "person.jpg"


def ramp(height, width):
    """A picture whose red is 2 x the column and whose green is 2 x the row (of pixel centres)."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = 2 * np.arange(width)
    picture[..., 1] = 2 * np.arange(height)[:, None]
    return picture


@pytest.mark.parametrize(
    ("photo_size", "size", "expected"),
    [
        ((1101, 750), 256, (376, 256)),
        ((750, 1101), 256, (256, 376)),
        ((300, 300), 256, (256, 256)),
        ((100, 100), 512, (512, 512)),
        ((913, 622), 128, (188, 128)),
    ],
)
def test_the_whole_photo_keeps_its_aspect(photo_size, size, expected):
    view = whole_view(photo_size, size)
    assert view.size == expected
    assert min(view.size) == size
    assert view.size[1] / view.width == pytest.approx(view.size[0] / view.height, rel=1.1 / size)


def photo_place(view, row, column):
    """Return where the middle of a working pixel lies in the photo: (x, y)."""
    rows, columns = view.size
    x = view.left + (column + 0.5) * view.width / columns
    return x, view.top + (row + 0.5) * view.height / rows


@pytest.mark.parametrize(
    "view",
    [
        View(16, 20, 64, 48, (24, 32)),
        View(30, 10, 40, 40, (80, 80)),
        View(0, 0, 120, 100, (50, 60)),
    ],
)
def test_cutting_follows_the_mapping(view):
    """A pixel of the frame shows what lies at its place in the photo, to a tenth of a pixel."""
    frame = view.cut(ramp(100, 120))
    assert frame.shape[:2] == view.size
    rows, columns = view.size
    for row, column in ((rows // 2, columns // 2), (rows // 4, 3 * columns // 4)):
        x, y = photo_place(view, row, column)
        assert frame[row, column, 0] == pytest.approx(2 * (x - 0.5), abs=1.01)
        assert frame[row, column, 1] == pytest.approx(2 * (y - 0.5), abs=1.01)


def test_beyond_the_photo_the_rim_is_repeated():
    frame = View(-4, -4, 28, 28, (28, 28)).cut(ramp(20, 20))
    assert np.array_equal(frame[4:24, 4:24], ramp(20, 20))
    assert np.array_equal(frame[0, 4:24], ramp(20, 20)[0])
    assert (frame[:4, :4] == ramp(20, 20)[0, 0]).all()


@pytest.mark.parametrize("view", [View(10, 20, 40, 30, (60, 80)), View(-15, 70, 40, 40, (20, 20))])
def test_pasting_what_was_cut_changes_next_to_nothing(view):
    photo = ramp(100, 120)
    back = paste(photo, view.cut(photo), np.ones(view.size, np.float32), view)
    inner = paste(photo, view.cut(photo) * 0, np.ones(view.size, np.float32), view)
    touched = (inner != photo).any(axis=2)
    assert touched.any()
    assert np.abs(back.astype(int) - photo)[2:-2, 2:-2].max() <= 4
    outside = np.ones((100, 120), bool)
    top, left = max(view.top, 0), max(view.left, 0)
    outside[top : view.top + view.height, left : view.left + view.width] = False
    assert np.array_equal(back[outside], photo[outside])


def test_under_zero_opacity_the_photo_stays_and_under_one_the_frame_shows():
    photo, view = ramp(60, 60), View(10, 10, 40, 40, (40, 40))
    frame = np.full((40, 40, 3), 7, np.uint8)
    opacity = np.zeros((40, 40), np.float32)
    opacity[:, 20:] = 1
    mixed = paste(photo, frame, opacity, view)
    assert np.array_equal(mixed[10:50, 10:30], photo[10:50, 10:30])
    assert (mixed[10:50, 30:50] == 7).all()
    assert np.array_equal(photo, ramp(60, 60))


def test_a_view_outside_of_the_photo_pastes_nothing():
    photo, view = ramp(20, 20), View(50, 50, 10, 10, (10, 10))
    assert np.array_equal(paste(photo, view.cut(ramp(70, 70)), np.ones((10, 10)), view), photo)


def test_the_persons_view_is_a_centred_square():
    view = person_view((100.0, 40.0, 160.0, 240.0), 256)
    assert (view.width, view.height) == (300, 300)
    middle = view.left + view.width / 2, view.top + view.height / 2
    assert np.abs(np.array(middle) - (130, 140)).max() <= 0.5


def test_the_feather_is_one_inside_and_falls_to_the_border():
    soft = feather((20, 30), 4.0)
    assert soft[10, 15] == 1
    assert soft[0].max() == pytest.approx(0.125)
    assert np.array_equal(soft, soft[::-1, ::-1])


def test_photos_and_sizes_that_cannot_work():
    for shape, words in {
        (1, 1): "1 x 1 pixels; a person needs at least 32",
        (31, 200): "at least 32",
        (50, 20_000): "at most 4 times",
        (401, 100): "at most 4 times",
    }.items():
        with pytest.raises(InputError, match=words):
            check_photo(np.zeros((*shape, 3), np.uint8), 256)
    check_photo(np.zeros((400, 100, 3), np.uint8), 256)
    for size in (0, -2, 62, 4096, 255):
        with pytest.raises(InputError, match=f"The size is {size}"):
            check_photo(np.zeros((400, 100, 3), np.uint8), size)


def test_a_4k_photo_is_looked_at_and_rendered_in_bounded_pictures():
    photo = np.zeros((3840, 2160, 3), np.uint8)
    check_photo(photo, 512)
    assert bounded(photo, DETAIL).shape == (1280, 720, 3)
    view = whole_view((3840, 2160), 512)
    assert view.cut(photo).shape == (910, 512, 3)


def test_a_small_person_in_a_portrait_of_16_megapixels_is_found():
    person = bounded(read_image(SAMPLE), 900)
    height, width = person.shape[:2]
    photo = np.full((4600, 3450, 3), person[0, 0], np.uint8)
    top, left = 2600, 1500
    photo[top : top + height, left : left + width] = person
    scale = 4600 / DETAIL
    found = detect_photo(bounded(photo, DETAIL))
    keypoints = found.landmarks.keypoints[0]
    places = scale * keypoints[keypoints[:, 2] > 0.5, :2].numpy()
    assert len(places) > 20
    assert (places > (left, top)).all()
    assert (places < (left + width, top + height)).all()
    assert np.ptp(places[:, 1]) > 0.6 * height
