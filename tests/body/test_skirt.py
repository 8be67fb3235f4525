"""A body of the asset in a photo whose foreground has a skirt, or trousers."""

from dataclasses import replace

import pytest
import torch

from bdmm.body import skirt
from bdmm.body.mesh_flow import mesh_flow, plane_turns
from bdmm.body.rotations import axis_angle_to_matrix, chain
from bdmm.body.skirt import between_legs
from bdmm.body.source_geometry import prepare_geometry
from bdmm.records import BONE_NAMES, PixelState

HEM = 110
"""Row of the photo."""
LEGS = "left_hip", "left_knee", "right_hip", "right_knee"


def astride(motion, angle):
    """Turn both thighs outwards."""
    rotations = motion.rotations.clone()
    for side, sign in (("left", 1), ("right", -1)):
        turn = axis_angle_to_matrix(torch.tensor([0.0, 0.0, -sign * angle]))
        rotations[0, BONE_NAMES.index(f"{side}_hip")] = turn
    return replace(motion, rotations=rotations)


@pytest.fixture(scope="module")
def outline(body, standing, draw):
    """The body with legs a little apart, and what lies between them."""
    pose = astride(standing(), 0.08)
    face = draw(body, pose).face
    bones = body.vertex_bones[body.faces].mode(dim=1).values
    segment = torch.where(face < 0, -1, bones[face])
    legs = torch.isin(segment, torch.tensor([BONE_NAMES.index(name) for name in LEGS]))
    left_of, right_of = legs.cummax(dim=2).values, legs.flip(2).cummax(dim=2).values.flip(2)
    gap = left_of & right_of & (face < 0)
    return pose, face >= 0, gap


@pytest.fixture(scope="module")
def skirted(body, outline):
    pose, person, gap = outline
    gap = gap.clone()
    gap[:, HEM:] = False
    return prepare_geometry(body, pose, (person | gap).float())


def flow_to(geometry, draw, pose, motion):
    shrink = geometry.scale / motion.scale
    turns = plane_turns(chain(pose.rotations)[0], chain(motion.rotations), shrink)
    return mesh_flow(geometry, draw(geometry.body, motion), turns)


def test_between_legs_is_between_legs():
    segment = torch.full((1, 30, 40), -1)
    segment[0, 5:20, 10:14] = BONE_NAMES.index("left_hip")
    segment[0, 5:20, 24:30] = BONE_NAMES.index("right_knee")
    at, left, right, share = between_legs(segment, 12)
    rows, columns = at // 40, at % 40
    inner = (rows >= 5) & (rows < 20)
    assert sorted(set(columns[inner].tolist())) == list(range(14, 24))
    assert torch.equal(left[inner] % 40, torch.full_like(left[inner], 13))
    assert torch.equal(right[inner] % 40, torch.full_like(right[inner], 24))
    torch.testing.assert_close(share[inner], (columns[inner] - 13) / 11)


def test_a_skirt_is_told_from_trousers_and_bare_legs(body, outline, skirted):
    pose, person, gap = outline
    rows = torch.nonzero(skirted.skirt)[:, 0]
    assert rows[-1] == HEM - 1
    assert 0.15 * skirted.scale <= len(rows) == rows[-1] - rows[0] + 1
    assert not prepare_geometry(body, pose, person.float()).skirt.any()
    whole = prepare_geometry(body, pose, (person | gap).float())
    assert not whole.skirt.any(), "cloth down to the feet is no skirt: no hem is seen"


@pytest.mark.parametrize("angle", [0.22, 0.3])
def test_it_spans_the_gap_of_legs_that_stand_wider(draw, outline, skirted, angle):
    pose, _, _ = outline
    motion = astride(pose, angle)
    face = draw(skirted.body, motion).face[0]
    flow = flow_to(skirted, draw, pose, motion)
    slit, shown = [], []
    for row in range(92, HEM - 5):
        covered = torch.nonzero(face[row] >= 0)[:, 0]
        legs = covered[(covered > 35) & (covered < 85)]
        inside = torch.arange(int(legs.min()), int(legs.max()) + 1)
        slit.append((face[row, inside] < 0).sum())
        shown.append((flow.state[0, row, inside] != PixelState.NONE).float().mean())
        gap = inside[face[row, inside] < 0]
        places = flow.source_grid(motion.size)[0, row, gap, 0]
        places = places[flow.state[0, row, gap] == PixelState.VISIBLE]
        assert (places.diff() > 0).all(), "from left to right as in the photo"
    assert min(slit) >= 3
    assert min(shown) > 0.95, "without streaks"
    below = torch.nonzero(face[HEM + 15] >= 0)[:, 0]
    middle = int(below.float().mean())
    assert flow.state[0, HEM + 15, middle] == PixelState.NONE, "and ends at its hem"


def test_nothing_spans_the_gap_of_bare_legs(body, draw, outline):
    pose, person, _ = outline
    geometry = prepare_geometry(body, pose, person.float())
    flow = flow_to(geometry, draw, pose, astride(pose, 0.22))
    off = flow.segment < 0
    assert not (flow.state[off] == PixelState.VISIBLE).any()
    middle = torch.nonzero(flow.segment[0, 100] >= 0)[:, 0].float().mean().round().int()
    assert flow.state[0, 100, middle] == PixelState.NONE


def test_a_skirt_of_any_width_is_told_by_its_colour(body, outline, skirted, monkeypatch):
    monkeypatch.setattr(skirt, "_LEAST_WIDTH", 1.0)
    pose, person, gap = outline
    gap = gap.clone()
    gap[:, HEM:] = False
    foreground = (person | gap).float()
    plain = torch.zeros(3, *pose.size)
    dressed = plain.clone()
    dressed[:, :HEM] = torch.tensor([-0.8, -0.8, 0.2])[:, None, None]
    assert not prepare_geometry(body, pose, foreground, plain).skirt.any()
    assert torch.equal(prepare_geometry(body, pose, foreground, dressed).skirt, skirted.skirt)


def test_a_short_skirt_is_told_by_its_colour_alone(body, outline, skirted):
    pose, person, gap = outline
    top = int(torch.nonzero(skirted.skirt)[0, 0])
    hem = top + round(0.1 * float(pose.scale[0]))
    gap = gap.clone()
    gap[:, hem:] = False
    foreground = (person | gap).float()
    dressed = torch.zeros(3, *pose.size)
    assert not prepare_geometry(body, pose, foreground, dressed).skirt.any()
    dressed[:, :hem] = 0.9
    rows = torch.nonzero(prepare_geometry(body, pose, foreground, dressed).skirt)[:, 0]
    assert rows[0] == top
    assert abs(int(rows[-1]) + 1 - hem) <= 2
