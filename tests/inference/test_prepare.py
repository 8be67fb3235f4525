from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
import torch

from bdmm.errors import InputError
from bdmm.inference.prepare import (
    InputOptions,
    background_pictures,
    cover,
    open_background,
    prepare,
)
from bdmm.media.image import write_image
from bdmm.media.video_writer import create_video
from bdmm.records import Person


def first(background, count, size=(20, 30), fps=Fraction(30)):
    return list(islice(background_pictures(background, size, fps), count))


@pytest.mark.parametrize(
    ("name", "colour"), [("white", 3 * [255]), ("#0a141e", [10, 20, 30]), ("rgb(1,2,3)", [1, 2, 3])]
)
def test_colours(name, colour):
    for picture in first(open_background(name), 2):
        assert picture.shape == (20, 30, 3)
        assert (picture == colour).all()


def test_a_picture_fills_the_frame_without_being_stretched(tmp_path):
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 30:90] = 200
    write_image(tmp_path / "a.png", wide)
    (picture,) = first(open_background(tmp_path / "a.png"), 1, size=(20, 30))
    assert (picture == 200).all()
    assert np.array_equal(first(open_background(wide), 1)[0], picture)


def test_a_video_runs_at_its_own_speed_and_begins_again(tmp_path):
    with create_video(tmp_path / "a.mp4", Fraction(10)) as video:
        for level in (40, 120, 200):
            video.write(np.full((40, 60, 3), level, np.uint8))
    pictures = first(open_background(tmp_path / "a.mp4"), 20, fps=Fraction(20))
    levels = [int(picture[5, 5, 0]) for picture in pictures]
    expected = [(40, 120, 200)[i // 2 % 3] for i in range(20)]
    assert np.abs(np.array(levels) - expected).max() <= 3


def test_what_is_no_background(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match="not a media file"):
        open_background(tmp_path / "a.txt")
    with pytest.raises(InputError, match="neither a file nor a colour"):
        open_background("blurple")


def test_covering_keeps_the_middle():
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 90
    assert (cover(picture, (50, 50)) == 90).all()


def test_the_camera_is_carried_around_the_person_not_around_the_driver(source):
    person = Person((source,))
    front = prepare(person, "wave", InputOptions(size=64))
    side = prepare(person, "wave", InputOptions(size=64, view=90.0))
    around = prepare(person, "wave", InputOptions(size=64, view=90.0, orbit=True))
    assert torch.equal(side.driving.rotations, front.driving.rotations)
    assert torch.equal(around.motion.rotations[0], side.motion.rotations[0])
    facing = torch.stack([one.motion.rotations[:, 0, 2, 2] for one in (front, side, around)])
    assert facing[0].abs().amin() > 0.8  # toward the camera all the time
    assert facing[1].abs().amax() < 0.6
    assert facing[2].amin() < -0.8
    assert facing[2].amax() > 0.8


def test_a_view_that_is_no_angle():
    for view in (361.0, float("nan")):
        with pytest.raises(InputError, match=r"The view is .* between -360 and 360"):
            InputOptions(view=view)
