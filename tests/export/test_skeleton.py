"""Metres, y up: where the exported person stands and goes."""

from dataclasses import replace

import pytest
import torch

from bdmm.body.camera import project
from bdmm.body.model import load_body
from bdmm.errors import InputError
from bdmm.export import skeleton as exported
from bdmm.export.skeleton import skeleton_of
from bdmm.media.motion_file import load_shipped
from bdmm.records import BONE_NAMES


def test_it_stands_upright_on_the_ground_and_faces_forward(walking):
    joints = dict(zip(BONE_NAMES, walking.joints, strict=True))
    assert joints["head"][1] > 0.5
    assert joints["left_hip"][0] > 0 > joints["right_hip"][0]
    assert joints["left_foot"][2] > joints["left_ankle"][2], "toes point to z"
    lowest = walking.positions()[..., 1].amin(dim=1)
    assert (lowest.median() > 0.0) & (lowest.median() < 0.12), "ankles and feet above the soles"
    assert walking.path[0, ::2].abs().max() == 0


def test_a_level_camera_sees_the_motion_where_it_was_seen():
    """Walking towards the camera: sideways and up are exact whatever the focal length."""
    motion = load_shipped("walk")[:8]
    motion = replace(
        motion,
        scale=torch.linspace(150, 260, 8),
        translation=torch.stack([torch.linspace(200, 300, 8), torch.linspace(280, 320, 8)], 1),
    )
    path = skeleton_of(motion).path
    across = (motion.translation - 256) / motion.scale[:, None]
    assert torch.allclose(path[:, 0] - path[0, 0], across[:, 0] - across[0, 0], atol=1e-5)
    assert torch.allclose(path[:, 1] - path[0, 1], across[0, 1] - across[:, 1], atol=1e-5)
    assert (path[:, 2].diff() > 0).all(), "nearer is further forward"


def test_joints_are_those_of_the_body_seen_from_the_front(walking):
    motion = load_shipped("walk")[:20]
    body = load_body()
    ours = walking.positions() - walking.path[:, None]
    points = project(ours * torch.tensor([1.0, -1, -1]), motion.scale, motion.translation)
    knees = [BONE_NAMES.index(f"{side}_knee") for side in ("left", "right")]
    seen = project(
        body.keypoints(motion.shape, motion.rotations), motion.scale, motion.translation
    )[:, [13, 10]]
    assert (points[:, knees, :2] - seen[..., :2]).norm(dim=-1).max() < 20


def test_another_person_goes_as_far_as_their_legs_carry():
    motion = load_shipped("walk")[:10]
    motion = replace(motion, translation=motion.translation + torch.arange(10)[:, None] * 9.0)
    body, shape = load_body(), torch.zeros(20)
    shape[0] = 2.0
    own, other = skeleton_of(motion), skeleton_of(motion, body, shape)
    growth = exported.leg_length(body, shape) / exported.leg_length(body, motion.shape)
    assert abs(growth - 1) > 0.02
    assert torch.allclose(other.path[:, 0], growth * own.path[:, 0], atol=1e-5)


def test_nothing_and_too_much_are_refused(monkeypatch):
    motion = load_shipped("walk")[:4]
    with pytest.raises(InputError, match="has no frames: there is nothing to export"):
        skeleton_of(motion[:0])
    monkeypatch.setattr(exported, "MAX_FRAMES", 3)
    with pytest.raises(InputError, match="has 4 frames; at most 3 are exported"):
        skeleton_of(motion)
