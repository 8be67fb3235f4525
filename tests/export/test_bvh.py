"""BVH files, read by the package `bvh` and by our own reader of recorded motions."""

import numpy as np
import pytest
import torch
from bvh import Bvh

from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.export.bvh import write_bvh
from bdmm.export.skeleton import skeleton_of
from bdmm.media.motion_file import load_shipped
from bdmm.records import BONE_NAMES
from bdmm_synth.bvh.file import read_bvh


def test_other_readers_see_our_joints(tmp_path, walking, readers):
    write_bvh(tmp_path / "a.bvh", walking)
    ours = walking.positions().numpy()
    assert np.abs(readers.bvh_positions(tmp_path / "a.bvh") - ours).max() < 1e-4, "metres"
    recording = read_bvh(tmp_path / "a.bvh")
    names = [joint.name for joint in recording.joints]
    places = recording.places[:, [names.index(name) for name in BONE_NAMES]]
    assert np.abs(places - ours).max() < 1e-4
    assert recording.fps == pytest.approx(30)


def test_the_hierarchy_is_the_body_s(tmp_path, walking):
    write_bvh(tmp_path / "a.bvh", walking)
    recording = Bvh((tmp_path / "a.bvh").read_text())
    assert sorted(recording.get_joints_names()) == sorted(BONE_NAMES)
    assert recording.nframes == len(walking)
    assert recording.frame_time == pytest.approx(1 / 30, rel=1e-6)
    assert recording.joint_channels("pelvis")[:3] == ["Xposition", "Yposition", "Zposition"]
    assert recording.joint_channels("head") == ["Zrotation", "Xrotation", "Yrotation"]
    ends = list(recording.search("End"))
    assert len(ends) == 5


def test_angles_turn_on_without_jumps(tmp_path, readers, monkeypatch):
    """A pirouette of two turns, written in pieces."""
    monkeypatch.setattr("bdmm.export.bvh._AT_ONCE", 7)
    motion = load_shipped("walk")[:40]
    angle = torch.linspace(0, 4 * torch.pi, 40)[:, None]
    motion.rotations[:, 0] = axis_angle_to_matrix(angle * torch.tensor([0.0, 1.0, 0.0]))
    skeleton = skeleton_of(motion)
    write_bvh(tmp_path / "a.bvh", skeleton)
    recording = Bvh((tmp_path / "a.bvh").read_text())
    turn = np.array(recording.frames_joint_channels("pelvis", ["Yrotation"]))[:, 0]
    assert np.abs(np.diff(turn)).max() < 25
    assert abs(turn[-1] - turn[0]) == pytest.approx(720, abs=1)
    ours = skeleton.positions().numpy()
    assert np.abs(readers.bvh_positions(tmp_path / "a.bvh") - ours).max() < 1e-4


def test_the_same_motion_is_the_same_file(tmp_path, walking):
    for name in ("a.bvh", "b.bvh"):
        write_bvh(tmp_path / name, walking)
    assert (tmp_path / "a.bvh").read_bytes() == (tmp_path / "b.bvh").read_bytes()
