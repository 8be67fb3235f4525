"""A painted person from several photos, against the truth."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bdmm.appearance.atlas import build_atlas, look_up, texels_of
from bdmm.appearance.colour_match import match_colours, with_gain
from bdmm.appearance.hands import unseen_hands
from bdmm.appearance.person import build_person, resized, view_person
from bdmm.appearance.photo_choice import shares_shown, smooth_in_time
from bdmm.appearance.photo_mixture import useful_photos
from bdmm.appearance.photo_view import SurfacePoints, view_photo
from bdmm.body.bones import HANDS
from bdmm.body.camera import project
from bdmm.body.model import PART_NAMES
from bdmm.body.rasterize import rasterize
from bdmm.conditioning import condition_person
from bdmm.errors import InputError
from bdmm.inference.person import Person
from bdmm.inference.renderers import coarse_frames
from bdmm.records import BONE_NAMES, PixelState

SAMPLE = Path(__file__).resolve().parents[2] / "src/bdmm/assets/samples/person.jpg"


def rendered(photos, motion):
    person = view_person(build_person(photos))
    shares = shares_shown(person.views[0].geometry.body, person.views, motion)
    conditions = condition_person(person, motion, shares)
    source = person.views[0].source
    return coarse_frames(source, conditions, source.background), conditions


def truth(painted, motion):
    return torch.stack([photo.image for photo in painted(motion)])


def error(frames, true, motion, painted):
    person = torch.stack([photo.foreground for photo in painted(motion)]) > 0.5
    return float((frames - true).abs().mean(dim=1, keepdim=True)[person].mean())


def test_a_back_photo_shows_the_back(painted, turning):
    motion = turning(8)
    front, back = painted(motion[:1])[0], painted(motion[4:5])[0]
    true = truth(painted, motion)
    one, two = (rendered(photos, motion)[0] for photos in ([front], [front, back]))
    behind = slice(3, 6)
    alone = error(one[behind], true[behind], motion[behind], painted)
    both = error(two[behind], true[behind], motion[behind], painted)
    assert both < 0.7 * alone
    assert both < 0.1
    assert both < 0.12


@pytest.mark.slow
def test_the_order_of_further_photos_does_not_matter(painted, turning):
    motion = turning(8)
    photos = painted(motion)
    some = motion[2:4]
    one, _ = rendered([photos[0], photos[3], photos[5]], some)
    other, _ = rendered([photos[0], photos[5], photos[3]], some)
    assert (one - other).abs().mean() < 2e-3


@pytest.mark.slow
def test_nothing_pops_between_photos(painted, turning):
    """The largest jump between neighbouring frames is hardly larger than the true frames'."""
    motion = turning(40)
    shots = painted(turning(4))
    frames, _ = rendered(shots, motion)
    person = torch.stack([photo.foreground for photo in painted(motion)]).amin(dim=0) > 0.5

    def largest_jump(clip):
        return float(
            (clip[1:] - clip[:-1]).abs().mean(dim=1, keepdim=True)[:, person].mean(1).max()
        )

    assert largest_jump(frames) < 1.5 * largest_jump(truth(painted, motion))


def test_windows_are_the_same_as_the_whole(painted, turning):
    motion = turning(12)
    person = view_person(build_person([painted(motion)[0], painted(motion)[6]]))
    shares = shares_shown(person.views[0].geometry.body, person.views, motion)
    whole = condition_person(person, motion, shares).warped
    halves = [
        condition_person(person, motion[p], shares[p]).warped for p in (slice(6), slice(6, 12))
    ]
    torch.testing.assert_close(torch.cat(halves, dim=1), whole, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_shares_follow_the_turn_smoothly(painted, turning):
    motion = turning(40)
    person = view_person(build_person([painted(motion)[0], painted(motion)[20]]))
    shares = shares_shown(person.views[0].geometry.body, person.views, motion)
    assert shares[0, 0] > 0.6 > 0.2 > shares[0, 1]
    assert shares[20, 1] > 0.6 > 0.2 > shares[20, 0]
    assert shares.diff(dim=0).abs().max() < 0.15
    assert useful_photos(shares).any(dim=1).all()
    still = torch.ones(5, 2)
    torch.testing.assert_close(smooth_in_time(still, 3.0), still)


def test_the_light_of_photos_is_brought_to_the_first_ones(body, painted, turning):
    motion = turning(12)
    photos = [painted(motion[:1])[0], painted(motion[1:2], gain=0.7)[0]]
    gains = match_colours(body, [view_photo(body, photo) for photo in photos])
    assert torch.equal(gains[0], torch.ones(3))
    assert (gains[1] * 0.7 - 1).abs().max() < 0.12
    same = with_gain(photos[0].image, torch.ones(3))
    torch.testing.assert_close(same, photos[0].image, atol=1e-5, rtol=0)


def test_the_atlas_holds_what_the_photo_shows(body, painted, standing, paint):
    person = view_person(build_person(painted(standing)))
    vertices = project(
        body.vertices(standing.shape, standing.rotations), standing.scale, standing.translation
    )
    raster = rasterize(vertices, body.faces, standing.size)
    points = SurfacePoints.of(raster, body.faces)
    colours = torch.zeros(3, *standing.size)
    colours.flatten(1)[:, points.pixel] = look_up(
        person.atlas, body, points.face, points.barycentric
    )
    (photo,) = painted(standing)
    inner = -torch.nn.functional.max_pool2d(-photo.foreground[None], 7, 1, 3)[0, 0] > 0.5
    assert (colours - photo.image)[:, inner].abs().mean() < 0.05


def test_a_print_on_the_chest_is_not_on_the_back(body, painted, turning, standing):
    """Black all over, a white patch on the chest: the back stays black."""
    colours = torch.full((len(body.template), 3), -0.8)
    near = body.template - body.template[body.parts == PART_NAMES.index("torso")].mean(dim=0)
    patch = (near[:, :2].abs() < torch.tensor([0.08, 0.1])).all(dim=1) & (near[:, 2] < 0)
    colours[patch] = 0.8
    (front,) = painted(standing, colours)
    assert (front.image > 0.5).all(dim=0).sum() > 30
    behind = turning(8)[4:5]
    frames, conditions = rendered([front], behind)
    hidden = conditions.state[0, 0] == PixelState.HIDDEN
    assert hidden.sum() > 300
    assert (frames[0, :, hidden].mean(dim=0) > -0.2).float().mean() < 0.03


def test_a_hand_that_lies_on_clothes_is_completed_with_skin(body, painted, standing):
    """The fit lays the fingers on black trousers: neither they nor their backs become black."""
    skin = torch.tensor([0.5, 0.1, 0.0])
    colours = torch.full((len(body.template), 3), -0.9)
    colours[body.parts == PART_NAMES.index("face")] = skin
    hands = torch.isin(body.vertex_bones, torch.tensor(HANDS))
    large = replace(
        standing,
        scale=4 * standing.scale,
        translation=4 * standing.translation,
        size=(4 * standing.size[0], 4 * standing.size[1]),
    )
    (photo,) = painted(large, colours)
    view = view_photo(body, photo)
    view = replace(view, trust=torch.where(hands, 0.0, view.trust), skin=skin)
    texels = texels_of(body, 256)
    made = build_atlas(body, [view], 256).colours.flatten(1)[:, texels.index].T
    of_hands = (body.parts == PART_NAMES.index("hands"))[body.faces[texels.face]].all(dim=1)
    assert of_hands.sum() > 100
    assert (made[of_hands] - skin).norm(dim=1).mean() < 0.4


def test_a_person_keeps_its_place_at_another_size(painted, turning):
    motion = turning(8)
    person = build_person(painted(motion[:1]))
    large = resized(person, 192)
    for before, after in zip(person.photos, large.photos, strict=True):
        assert after.pose.size == (256, 192)
        torch.testing.assert_close(after.pose.translation, 2 * before.pose.translation)
        mean = torch.nn.functional.avg_pool2d(after.image, 2)
        assert (mean - before.image).abs().mean() < 0.02
    assert resized(person, 96).photos[0] is person.photos[0]


def test_someone_in_other_clothes_is_named(painted, turning, paint):
    motion = turning(4)
    (front,), (back,) = painted(motion[:1]), painted(motion[2:3])
    (other,) = painted(motion[2:3], -paint + 0.2)
    with pytest.raises(InputError, match=r"^other\.jpg: The person does not look like"):
        build_person([front, back, other], ["front.jpg", "back.jpg", "other.jpg"])


def test_stripes_are_the_same_on_both_sides(body, painted, turning):
    # Bright stripes are wider on one side, dark ones on the other: medians differ.
    height, depth = body.template[:, 1:2], body.template[:, 2:3]
    bright = (40 * height).sin() > torch.where(depth > 0, 0.25, -0.25)
    stripes = torch.where(bright, torch.tensor([0.6, 0.5, -0.8]), torch.tensor([-0.8, -0.8, -0.8]))
    front, back = painted(turning(2), stripes)
    assert len(build_person([front, back]).photos) == 2


def test_nothing_is_copied_from_a_hand_that_is_in_a_pocket(body) -> None:
    """The sample person at 384 with the left hand painted over by trousers."""
    person = Person.from_photos(SAMPLE, size=384)
    (photo,) = person.photos
    assert unseen_hands(body, photo) == []
    image = photo.image.clone()
    image[:, 252:318, 255:309] = photo.image[:, 252:318, 188:242]
    unseen = unseen_hands(body, replace(photo, image=image))
    assert {BONE_NAMES[bone] for bone in unseen} == {"left_wrist", "left_hand"}
    view = view_person(replace(person, photos=(replace(photo, image=image),), atlas=None)).views[0]
    hand = torch.isin(body.vertex_bones, torch.tensor(unseen))
    assert (view.misplaced[hand] == 1).all()
    assert (view.trust[hand] == 0).all()
