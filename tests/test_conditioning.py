from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from bdmm.body.camera import project
from bdmm.body.mesh_flow import MeshFlow, moves_with_trunk
from bdmm.body.model import AnnyBody, load_body
from bdmm.body.rasterize import rasterize
from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.body.source_geometry import SourceGeometry, prepare_geometry
from bdmm.conditioning import condition, from_warps
from bdmm.kernels.pose_heatmaps import window_heatmaps
from bdmm.kernels.warp import warp
from bdmm.records import (
    BODY25,
    BONE_NAMES,
    COCO18,
    KEYPOINT_NAMES,
    Conditions,
    Motion,
    PixelState,
    Source,
)

SIZE = (128, 96)


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="module")
def move(body: AnnyBody) -> Callable[[list[float]], Motion]:
    """Return a function that makes a motion of one frame for each turn about the vertical axis."""

    def make(turns: list[float]) -> Motion:
        rotations = torch.eye(3).repeat(len(turns), 24, 1, 1)
        upright = torch.tensor([[0.0, turn, 0.0] for turn in turns])
        rotations[:, 0] = axis_angle_to_matrix(upright)
        step = torch.arange(len(turns))[:, None] * torch.tensor([1.3, 0.4])
        return Motion(
            rotations=rotations,
            scale=torch.full((len(turns),), 60.0) + torch.arange(len(turns)),
            translation=torch.tensor([48.0, 56.0]) + step,
            shape=torch.zeros(body.shape_size),
            flagged=torch.zeros(len(turns), dtype=torch.bool),
            size=SIZE,
            fps=Fraction(25),
        )

    return make


@pytest.fixture(scope="module")
def source(body: AnnyBody, move) -> Source:
    pose = move([0.0])
    vertices = project(body.vertices(pose.shape, pose.rotations), pose.scale, pose.translation)
    person = (rasterize(vertices, body.faces, SIZE).face >= 0).float()
    foreground = functional.avg_pool2d(person, 3, stride=1, padding=1)
    image = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return Source(image, foreground, torch.zeros(3, *SIZE), pose)


@pytest.fixture(scope="module")
def geometry(body: AnnyBody, source: Source) -> SourceGeometry:
    return prepare_geometry(body, source.pose, source.foreground)


@pytest.fixture(scope="module")
def conditioned(body: AnnyBody, geometry: SourceGeometry) -> Callable[[Motion], Conditions]:
    return lambda motion: condition(body, geometry, motion)


@pytest.fixture(scope="module")
def turning(move) -> Motion:
    return move([0.0, 0.4, 1.5, 2.4, torch.pi])


def test_every_field_has_one_row_per_frame(conditioned, turning):
    conditions = conditioned(turning)
    assert conditions.frame_count == 5
    assert conditions.keypoints.shape == (1, 5, 29, 3)
    assert conditions.source_grid.shape == (1, 5, *SIZE, 2)
    for name in ("state", "fallback", "segment"):
        assert getattr(conditions, name).shape == (1, 5, *SIZE)


@pytest.mark.parametrize("cuts", [[0, 2, 5], [0, 1, 4, 5]])
def test_joined_slices_equal_the_whole_bit_for_bit(conditioned, turning, cuts):
    whole = conditioned(turning)
    parts = [conditioned(turning[a:b]) for a, b in pairwise(cuts)]
    for name in ("keypoints", "source_grid", "state", "fallback", "segment"):
        joined = torch.cat([getattr(part, name) for part in parts], dim=1)
        assert torch.equal(getattr(whole, name), joined), name


def test_heatmaps_peak_at_the_bodys_keypoints(body, conditioned, turning):
    conditions = conditioned(turning[:1])
    maps = window_heatmaps(conditions)[0, 0]
    points = body.keypoints(turning.shape, turning.rotations[:1])
    points = project(points, turning.scale[:1], turning.translation[:1])[0]
    for place, joint in enumerate(COCO18):
        row, column = divmod(int(maps[place].argmax()), SIZE[1])
        assert abs(column + 0.5 - float(points[joint, 0])) <= 0.501
        assert abs(row + 0.5 - float(points[joint, 1])) <= 0.501


def test_a_face_seen_from_behind_is_missing(conditioned, turning):
    maps = window_heatmaps(conditioned(turning))[0]
    nose, eyes = 0, slice(14, 16)
    assert maps[0, nose].max() > 0.5
    assert (maps[0, eyes].amax(dim=(1, 2)) > 0.5).all()
    assert maps[4, nose].max() == 0
    assert maps[4, eyes].max() == 0
    wrists = [COCO18.index(KEYPOINT_NAMES.index(f"{side}_wrist")) for side in ("left", "right")]
    assert (maps[4, wrists].amax(dim=(1, 2)) > 0.5).all()


def test_the_released_networks_joints_can_be_asked_for(body, geometry, turning):
    conditions = condition(body, geometry, turning[:1], BODY25)
    assert window_heatmaps(conditions).shape[2] == 25


def test_the_warped_foreground_is_the_photos_at_the_sources_own_pose(conditioned, source, turning):
    conditions = conditioned(turning[:1])
    visible = conditions.state[0, 0] == PixelState.VISIBLE
    assert visible.sum() > 500
    warped = warp(source.foreground[None], conditions.source_grid[0])
    difference = (warped - source.foreground)[0, 0]
    assert (difference[visible].abs() < 2e-3).float().mean() > 0.9, "all but the rim"
    assert difference[visible].min() > -2e-3, "the rim is fetched from further inside"
    assert (warped[0, 0][conditions.state[0, 0] == PixelState.NONE] == 0).all()


def test_what_cannot_be_seen_shrinks_with_turning(conditioned, turning):
    state = conditioned(turning).state[0]
    visible = (state == PixelState.VISIBLE).sum(dim=(1, 2))
    assert (visible.diff() < 0).all()
    assert visible[-1] == 0


def test_a_motion_of_another_size_or_body_is_our_mistake(conditioned, turning):
    with pytest.raises(AssertionError):
        conditioned(replace(turning, size=(64, 64)))
    with pytest.raises(AssertionError):
        conditioned(replace(turning, body="smpl"))


@pytest.mark.parametrize("known", [False, True])
def test_stored_warps_become_the_conditions_that_they_were(conditioned, turning, known):
    made = conditioned(turning[:2])
    stored = from_warps(
        made.source_grid[0],
        made.state[0],
        made.fallback[0],
        made.keypoints[0],
        made.joints,
        made.segment[0] if known else None,
    )
    for name in ("keypoints", "source_grid", "state", "fallback"):
        assert torch.equal(getattr(stored, name), getattr(made, name)), name
    assert torch.equal(stored.segment, made.segment) if known else stored.segment is None


def test_pixels_that_the_trunk_carries_are_told_from_those_of_a_limb_that_moved(geometry):
    """The trunk turns and shifts in the picture; half of an arm goes with it, half is elsewhere."""
    height, width = SIZE
    flow = MeshFlow.empty(torch.Size((1, height, width)), torch.device("cpu"))
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    carried = torch.stack((0.9 * columns - 0.2 * rows + 5, 0.1 * columns + 1.1 * rows - 3), dim=-1)
    flow.segment[0, 40:80, 30:60] = BONE_NAMES.index("spine2")
    flow.segment[0, 40:80, 60:66] = BONE_NAMES.index("left_elbow")
    flow.state[flow.segment >= 0] = int(PixelState.VISIBLE)
    flow.source_xy[0] = carried
    flow.source_xy[0, 60:80, 60:66, 0] += 0.1 * geometry.scale
    arm = torch.nonzero((flow.segment == BONE_NAMES.index("left_elbow")).flatten())[:, 0]
    assert torch.equal(moves_with_trunk(flow, arm, geometry), arm // width < 60)
    flow.state[flow.segment == BONE_NAMES.index("spine2")] = int(PixelState.HIDDEN)
    assert not moves_with_trunk(flow, arm, geometry).any(), "an unseen trunk tells nothing"
