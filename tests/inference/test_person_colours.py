"""Colours of made-up frames of the fixture's person, each of whose bones has one colour."""

import copy
from dataclasses import replace

import pytest
import torch

from bdmm.body.source_geometry import prepare_geometry
from bdmm.inference.person_colours import HEAD, PersonColours, _fingers, bone_palette
from bdmm.records import BONE_NAMES, Conditions, PixelState, Source

HAND, HIP, SHIN, SPINE = (
    BONE_NAMES.index(name) for name in ("left_hand", "left_hip", "left_knee", "spine1")
)
SHOWN, HIDDEN = int(PixelState.VISIBLE), int(PixelState.HIDDEN)
HERE = slice(20, 30)
"""Rows and columns of a patch of the person in a frame."""


@pytest.fixture(scope="module")
def colours(source, geometry) -> PersonColours:
    return PersonColours(source, geometry)


@pytest.fixture(scope="module")
def place_of(geometry):
    """Return a bone's middle in the photo, as grids have it."""
    shown, (height, width) = geometry.maps, geometry.size

    def find(bone: int) -> torch.Tensor:
        at = torch.nonzero((shown.segment == bone) & shown.on_mesh)[:, 0]
        assert len(at) > 0
        row, column = (at // width).float().mean(), (at % width).float().mean()
        return torch.stack([(column + 0.5) / width, (row + 0.5) / height]) * 2 - 1

    return find


@pytest.fixture
def frame(source: Source) -> Conditions:
    """A frame without a person."""
    height, width = source.pose.size
    return Conditions(
        keypoints=torch.zeros(1, 1, 29, 3),
        source_grid=torch.full((1, 1, height, width, 2), -2.0),
        state=torch.zeros(1, 1, height, width, dtype=torch.long),
        fallback=torch.zeros(1, 1, height, width, dtype=torch.bool),
        segment=torch.full((1, 1, height, width), -1),
    )


def put(frame: Conditions, columns: slice, bone: int, state: int, place=None) -> None:
    where = (0, 0, HERE, columns)
    frame.segment[where], frame.state[where] = bone, state
    if place is not None:
        frame.source_grid[where] = place


def enlarged(source: Source, times: int) -> Source:
    height, width = source.pose.size
    pose = replace(
        source.pose,
        scale=source.pose.scale * times,
        translation=source.pose.translation * times,
        size=(height * times, width * times),
    )
    pictures = (source.image, source.foreground, source.background)
    image, foreground, background = (
        one.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2) for one in pictures
    )
    return Source(image, foreground, background, pose)


def test_a_hand_leaves_clothes_behind_that_it_lay_on(frame, colours, place_of):
    """In the photo the fit lays it on the thigh; here it is alone, and then by the thigh again."""
    thigh = colours.palette[HIP][:, None, None].expand(3, 10, 10)
    put(frame, HERE, HAND, SHOWN, place_of(HIP))
    alone = colours(frame)
    assert not alone.copied.any()
    skin = colours.palette[HAND][:, None, None].expand(3, 10, 10)
    torch.testing.assert_close(alone.colours[0, :, HERE, HERE], skin)
    put(frame, slice(30, 32), HIP, SHOWN, place_of(HIP))
    near = colours(frame)
    assert near.copied[0, HERE, 29].all()
    torch.testing.assert_close(near.colours[0, :, HERE, 29], thigh[:, :, 0], atol=0.02, rtol=0)


def test_a_hand_keeps_what_nothing_else_can_have_given_it(frame, colours, place_of):
    """A cuff is unlike skin too, but no other limb is near it in the photo."""
    put(frame, HERE, HAND, SHOWN, place_of(HAND))
    unlike = copy.copy(colours)
    unlike.palette = -colours.palette
    inside = slice(HERE.start + 1, HERE.stop - 1)
    assert unlike(frame).copied[0, inside, inside].all()


@pytest.mark.parametrize("state", [SHOWN, HIDDEN])
def test_a_single_pixel_of_another_place_looks_like_its_neighbours(frame, colours, place_of, state):
    """On the head too, whose hidden parts have the hair's colour otherwise."""
    put(frame, HERE, HEAD, SHOWN, place_of(HEAD))
    whole = colours(frame)
    frame.source_grid[0, 0, 25, 25] = place_of(HIP)
    frame.state[0, 0, 25, 25] = state
    made = colours(frame)
    assert not made.copied[0, 25, 25]
    torch.testing.assert_close(made.colours[0, :, 25, 25], whole.colours[0, :, 25, 25])
    assert torch.equal(made.copied[0, 25, 22:25], whole.copied[0, 25, 22:25])


def test_hidden_parts_take_their_own_bones_colour(frame, colours, place_of):
    """Although another bone is much nearer."""
    put(frame, slice(10, 16), HIP, SHOWN, place_of(HIP))
    put(frame, slice(16, 28), HIP, HIDDEN)
    put(frame, slice(28, 34), SPINE, SHOWN, place_of(SPINE))
    made = colours(frame)
    own = made.colours[0, :, 25, 12]
    assert not made.copied[0, HERE, 16:28].any()
    for column in (17, 22, 27):
        torch.testing.assert_close(made.colours[0, :, 25, column], own, atol=0.02, rtol=0)


def test_without_own_colours_the_next_bone_gives_them_else_the_palette(frame, colours, place_of):
    put(frame, slice(10, 16), HIP, SHOWN, place_of(HIP))
    put(frame, slice(16, 20), SHIN, HIDDEN)
    given = colours(frame).colours[0, :, 25, :]
    torch.testing.assert_close(given[:, 18], given[:, 12], atol=0.02, rtol=0)
    put(frame, slice(10, 16), SPINE, SHOWN, place_of(SPINE))
    flat = colours(frame).colours[0, :, 25, 18]
    torch.testing.assert_close(flat, colours.palette[SHIN])


def test_frames_are_the_same_in_any_slices(motion, conditioned, colours):
    conditions = conditioned(motion[:3])
    whole = colours(conditions)
    parts = [colours(conditions.frames(slice(a, b))) for a, b in ((0, 1), (1, 3))]
    assert torch.equal(whole.colours, torch.cat([part.colours for part in parts]))
    assert torch.equal(whole.copied, torch.cat([part.copied for part in parts]))
    off = conditions.state[0] == PixelState.NONE
    assert not (whole.copied & off).any()
    assert not whole.colours.movedim(1, -1)[off].any()


def test_fingers_that_miss_their_place_have_the_faces_colour(body, source):
    """Two thirds of a hand lie on something black in the photo, the rest is skin."""
    source = enlarged(source, 4)
    geometry = prepare_geometry(body, source.pose, source.foreground)
    shown = geometry.maps
    of = {
        name: (shown.segment == BONE_NAMES.index(name)) & shown.on_mesh & shown.person
        for name in ("head", "left_hand", "right_hand")
    }
    pixels = source.image.flatten(1).clone()
    skin, black = torch.tensor([0.5, 0.1, -0.1]), torch.full((3,), -0.9)
    pixels[:, of["head"]] = skin[:, None]
    for name in ("left_hand", "right_hand"):
        at = torch.nonzero(of[name])[:, 0]
        pixels[:, at] = skin[:, None]
        pixels[:, at[: 2 * len(at) // 3]] = black[:, None]
    bare = bone_palette(pixels.view_as(source.image), geometry)
    torch.testing.assert_close(bare[HAND], skin)
    for name in ("left_hand", "right_hand"):
        pixels[:, of[name]] = black[:, None]
    gloved = bone_palette(pixels.view_as(source.image), geometry)
    torch.testing.assert_close(gloved[HAND], black)


def test_a_hand_in_a_pocket_has_the_faces_colour_and_a_glove_its_own():
    skin, jeans = torch.tensor([0.5, 0.1, -0.1]), torch.tensor([-0.8, -0.7, -0.3])
    hand = jeans[:, None].expand(3, 40).clone()
    by_the_hip, free = torch.ones(40, dtype=torch.bool), torch.zeros(40, dtype=torch.bool)
    assert torch.equal(_fingers(hand, by_the_hip, skin), skin)
    assert _fingers(hand, free, skin) is None
    assert _fingers(hand, by_the_hip, None) is None
    hand[:, :15] = skin[:, None] + 0.1
    for beside in (by_the_hip, free):
        torch.testing.assert_close(_fingers(hand, beside, skin), skin + 0.1)
    hand[:, :25] = skin[:, None]
    assert _fingers(hand, by_the_hip, skin) is None
