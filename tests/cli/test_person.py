"""Several photos, `bdmm person` and what takes a person file, without looking at photos."""

from importlib.resources import as_file, files

import numpy as np
import pytest

import bdmm as package
from bdmm.media.image import read_image, write_image
from bdmm.media.motion_file import load_shipped

QUICK = ("--renderer", "coarse", "--size", "96", "--quiet")


@pytest.fixture
def back(quick_photo):
    """Return a second photo; both are of one colour, or they would be of different people."""
    for name in (quick_photo.name, "back.png"):
        write_image(quick_photo.with_name(name), np.full((300, 200, 3), (150, 110, 90), np.uint8))
    return quick_photo.with_name("back.png")


@pytest.mark.slow
def test_further_photos_are_taken(bdmm, quick_photo, back, short_motion):
    outcome = bdmm("animate", quick_photo, short_motion, "--more", back, "-o", "out.mp4", *QUICK)
    assert outcome.code == 0, outcome.err
    assert "8 frames of 96 x 144" in outcome.out


def test_nine_photos_are_refused(bdmm, quick_photo, short_motion):
    more = ["--more", *[quick_photo] * 8]
    outcome = bdmm("animate", quick_photo, short_motion, *more, "-o", "out.mp4", *QUICK)
    assert outcome.code == 2
    assert "9 photos of the person; at most 8" in outcome.sentence


def test_a_photo_that_does_not_fit_is_named(bdmm, quick_photo, short_motion, tmp_path):
    write_image(tmp_path / "strip.png", np.zeros((400, 40, 3), np.uint8))
    more = ["--more", "strip.png"]
    outcome = bdmm("animate", quick_photo, short_motion, *more, "-o", "out.mp4", *QUICK)
    assert outcome.code == 2
    assert outcome.sentence.startswith("strip.png: The photo has 40 x 400 pixels")


def test_a_person_file_serves_as_a_photo(bdmm, quick_photo, back, short_motion):
    made = bdmm("person", quick_photo, back, "-o", "me.person", "--quiet")
    assert made.code == 0, made.err
    assert made.new_files == {"me.person"}
    assert "a person from 2 photos" in made.out
    outcome = bdmm("animate", "me.person", short_motion, "-o", "out.mp4", *QUICK)
    assert outcome.code == 0, outcome.err
    assert "8 frames of 96 x 144" in outcome.out
    for options, words in (
        (("--more", back), "holds its photos already"),
        (("--paste-back",), "nothing can be put back"),
    ):
        refused = bdmm("animate", "me.person", short_motion, *options, "-o", "b.mp4", *QUICK)
        assert refused.code == 2
        assert words in refused.sentence


@pytest.mark.slow
def test_a_person_file_is_inspected_and_dressed(bdmm, quick_photo, back):
    bdmm("person", quick_photo, back, "-o", "me.person", "--quiet")
    seen = bdmm("inspect", "me.person")
    assert seen.code == 0, seen.err
    assert "photo 1 " in seen.out
    assert "completed " in seen.out
    assert read_image("me_seen.png").shape[0] == 3 * 480
    worn = package.Person.load("me.person").wearing("me.person", "lower")
    assert isinstance(worn, package.Person)
    assert len(worn.photos) == 2


@pytest.mark.slow
def test_what_each_photo_gave(bdmm, quick_photo, back, short_motion):
    seen = bdmm("inspect", quick_photo, "--more", back, "-o", "seen.png")
    assert seen.code == 0, seen.err
    assert f"{quick_photo.name} " in seen.out
    assert f"{back.name} " in seen.out
    refused = bdmm("inspect", short_motion, "--more", back, "-o", "b.png")
    assert refused.code == 2
    assert "is none" in refused.sentence


def test_clothes_of_another_person(bdmm, quick_photo, back, short_motion):
    wear = ("--wear", f"{back.name}:upper")
    outcome = bdmm("animate", quick_photo, short_motion, *wear, "-o", "out.mp4", *QUICK)
    assert outcome.code == 0, outcome.err
    assert "8 frames of 96 x 144" in outcome.out


@pytest.mark.parametrize(
    ("wear", "words"),
    [
        ("back.png:hat", "There are no clothes 'hat'; the parts are upper, lower, shoes"),
        ("back.png", "--wear takes PERSON:PART, such as other.jpg:upper"),
        ("nobody.jpg:upper", "nobody.jpg does not exist"),
        ("text.png:upper", "text.png"),
    ],
)
def test_clothes_that_cannot_be_worn(bdmm, quick_photo, back, short_motion, wear, words):
    back.with_name("text.png").write_text("no picture")
    outcome = bdmm("animate", quick_photo, short_motion, "--wear", wear, "-o", "out.mp4", *QUICK)
    assert outcome.code == 2
    assert words in outcome.sentence
    assert outcome.new_files == set()


@pytest.mark.slow
def test_a_person_in_python_gives_the_frames_of_its_photos(quick_photo, back):
    person = package.Person.from_photos([quick_photo, back], size=96)
    motion = load_shipped("wave")[:3]
    frames = [
        np.stack(list(package.animate(source, motion, more=more, size=96, renderer="coarse")))
        for source, more in ((person, ()), (quick_photo, (back,)))
    ]
    assert np.abs(frames[0].astype(int) - frames[1]).max() <= 1


@pytest.mark.parametrize(
    ("name", "content"), [("me.person", b"not a file of tensors"), ("no.person", None)]
)
def test_a_damaged_person_file_is_refused(bdmm, short_motion, tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    outcome = bdmm("animate", name, short_motion, "-o", "out.mp4", *QUICK)
    assert outcome.code == 2
    assert name in outcome.sentence


@pytest.mark.slow
def test_a_photo_of_nobody_is_named(bdmm, short_motion, tmp_path):
    write_image(tmp_path / "wall.png", np.full((300, 200, 3), 120, np.uint8))
    with as_file(files("bdmm.assets") / "samples" / "person.jpg") as photo:
        outcome = bdmm("animate", photo, short_motion, "--more", "wall.png", "-o", "o.mp4", *QUICK)
    assert outcome.code == 2
    assert outcome.sentence.startswith("wall.png: Nobody is seen in the photo")
