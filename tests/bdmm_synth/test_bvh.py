"""BVH files: channels, axes, names, damage; and what our body does with them."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from bdmm.body.model import load_body
from bdmm.body.rotations import pose_bones
from bdmm.errors import InputError
from bdmm_synth.bvh.file import read_bvh
from bdmm_synth.bvh.joints import find_bones
from bdmm_synth.bvh.recording import load_bvh
from bdmm_synth.bvh.retarget import excerpt, retarget
from bdmm_synth.motion.rig import BONE, TO_CAMERA, Rig, stand_up

# A T-pose, y up, facing z, in centimetres: name, parent, offset.
_JOINTS = (
    ("Hips", -1, (0, 90, 0)),
    ("Spine", 0, (0, 10, 0)), ("Chest", 1, (0, 15, 0)), ("Neck", 2, (0, 22, 0)),
    ("Head", 3, (0, 10, 0)),
    ("LeftShoulder", 2, (5, 18, 0)), ("LeftArm", 5, (12, 0, 0)), ("LeftForeArm", 6, (28, 0, 0)),
    ("LeftHand", 7, (25, 0, 0)),
    ("RightShoulder", 2, (-5, 18, 0)), ("RightArm", 9, (-12, 0, 0)),
    ("RightForeArm", 10, (-28, 0, 0)), ("RightHand", 11, (-25, 0, 0)),
    ("LeftUpLeg", 0, (10, -5, 0)), ("LeftLeg", 13, (0, -40, 0)), ("LeftFoot", 14, (0, -38, 0)),
    ("LeftToeBase", 15, (0, -6, 12)),
    ("RightUpLeg", 0, (-10, -5, 0)), ("RightLeg", 17, (0, -40, 0)),
    ("RightFoot", 18, (0, -38, 0)), ("RightToeBase", 19, (0, -6, 12)),
)  # fmt: skip
_NAMES = [name for name, _, _ in _JOINTS]


def _write(
    path: Path, poses: list[dict[str, Rotation]], order: str = "ZXY", rename=lambda name: name,
    world: Rotation | None = None, roots: list | None = None,
) -> Path:  # fmt: skip
    """Write a file: per frame the local rotations of some joints; ``world`` turns everything."""
    world = world or Rotation.identity()
    lines = ["HIERARCHY"]

    def joint(index: int, depth: int) -> None:
        name, parent, offset = _JOINTS[index]
        places = "Xposition Yposition Zposition " if parent < 0 else ""
        turns = " ".join(f"{axis}rotation" for axis in order)
        lines.append("\t" * depth + ("ROOT " if parent < 0 else "JOINT ") + rename(name))
        lines.append("{")
        lines.append("OFFSET {:.6f} {:.6f} {:.6f}".format(*world.apply(offset)))
        lines.append(f"CHANNELS {6 if places else 3} {places}{turns}")
        below = [k for k, (_, above, _) in enumerate(_JOINTS) if above == index]
        for child in below:
            joint(child, depth + 1)
        if not below:
            lines.extend(["End Site", "{", "OFFSET 0 1 0", "}"])
        lines.append("}")

    joint(0, 0)
    rows = []
    for number, pose in enumerate(poses):
        place = world.apply(roots[number] if roots else _JOINTS[0][2])
        row = list(place)
        for index in _written(0):
            turn = world * pose.get(_NAMES[index], Rotation.identity()) * world.inv()
            row.extend(turn.as_euler(order, degrees=True))
        rows.append(" ".join(f"{value:.6f}" for value in row))
    motion = ["MOTION", f"Frames: {len(poses)}", "Frame Time: 0.04", *rows]
    path.write_text("\n".join([*lines, *motion]) + "\n")
    return path


def _written(index: int) -> list[int]:
    below = [k for k, (_, above, _) in enumerate(_JOINTS) if above == index]
    return [index, *(deep for child in below for deep in _written(child))]


@pytest.fixture(scope="module")
def rig() -> Rig:
    body = load_body()
    shape = torch.zeros(body.shape_size)
    return stand_up(body.rest_vertices(shape).double().numpy(), body.joints(shape).double().numpy())


def _directions(rig: Rig, rotations: np.ndarray, start: str, end: str) -> np.ndarray:
    """Return ``t 3`` directions from joint to joint in person axes."""
    joints = torch.from_numpy(rig.joints * TO_CAMERA)
    bones = pose_bones(torch.from_numpy(rotations), joints).numpy()[..., 3] * TO_CAMERA
    way = bones[:, BONE[end]] - bones[:, BONE[start]]
    return way / np.linalg.norm(way, axis=-1, keepdims=True)


def _turn(axis: str, degrees: float) -> Rotation:
    return Rotation.from_euler(axis, degrees, degrees=True)


def test_the_rest_of_a_t_pose_is_a_t_pose(tmp_path: Path, rig: Rig) -> None:
    motion = load_bvh(_write(tmp_path / "still.bvh", [{}, {}]))
    rotations, pelvis = retarget(motion, rig, 25)
    for start, end, way in (
        ("left_shoulder", "left_elbow", (1, 0, 0)), ("left_elbow", "left_wrist", (1, 0, 0)),
        ("right_elbow", "right_wrist", (-1, 0, 0)), ("left_hip", "left_knee", (0, -1, 0)),
        ("right_knee", "right_ankle", (0, -1, 0)),
    ):  # fmt: skip
        np.testing.assert_allclose(_directions(rig, rotations, start, end)[0], way, atol=1e-3)
    assert abs(pelvis[0, 1] - rig.standing) < 0.03


def test_angles_computed_by_hand(tmp_path: Path, rig: Rig) -> None:
    # The left arm points to x; a quarter turn about z lifts the forearm straight up. A quarter
    # turn of the thigh about -x raises the knee to the front; the body turns a quarter to the left.
    poses = [{}, {"LeftForeArm": _turn("z", 90), "RightUpLeg": _turn("x", -90)},
             {"Hips": _turn("y", 90)}]  # fmt: skip
    rotations, _ = retarget(load_bvh(_write(tmp_path / "a.bvh", poses)), rig, 25)
    forearm = _directions(rig, rotations, "left_elbow", "left_wrist")
    np.testing.assert_allclose(forearm[1], (0, 1, 0), atol=1e-3)
    thigh = _directions(rig, rotations, "right_hip", "right_knee")
    np.testing.assert_allclose(thigh[1], (0, 0, 1), atol=1e-3)
    np.testing.assert_allclose(forearm[2], (0, 0, -1), atol=1e-3)


@pytest.mark.parametrize("order", ["".join(order) for order in permutations("XYZ")])
def test_any_order_of_channels(tmp_path: Path, order: str) -> None:
    pose = {"LeftArm": Rotation.from_euler("XYZ", (20, 35, -50), degrees=True)}
    read = read_bvh(_write(tmp_path / "o.bvh", [pose], order))
    joint = [joint.name for joint in read.joints].index("LeftArm")
    np.testing.assert_allclose(read.turned[0, joint], pose["LeftArm"].as_matrix(), atol=1e-5)


def test_z_may_be_up_and_the_person_may_look_anywhere(tmp_path: Path, rig: Rig) -> None:
    poses = [{}, {"LeftForeArm": _turn("z", 90), "LeftLeg": _turn("x", 60)}]
    plain = retarget(load_bvh(_write(tmp_path / "y.bvh", poses)), rig, 25)
    for world in (_turn("x", 90), _turn("y", 130), _turn("x", 90) * _turn("y", 40)):
        turned = retarget(load_bvh(_write(tmp_path / "z.bvh", poses, world=world)), rig, 25)
        np.testing.assert_allclose(turned[0], plain[0], atol=1e-4)
        np.testing.assert_allclose(turned[1], plain[1], atol=1e-4)


def test_the_way_is_scaled_by_the_legs(tmp_path: Path, rig: Rig) -> None:
    roots = [(0, 90, 0), (0, 90, 78), (78, 90, 78)]
    _, pelvis = retarget(load_bvh(_write(tmp_path / "w.bvh", [{}] * 3, roots=roots)), rig, 25)
    np.testing.assert_allclose(pelvis[1] - pelvis[0], (0, 0, rig.leg), atol=1e-3)
    np.testing.assert_allclose(pelvis[2] - pelvis[1], (rig.leg, 0, 0), atol=1e-3)


def test_frames_are_resampled(tmp_path: Path, rig: Rig) -> None:
    poses = [{"LeftForeArm": _turn("z", 10.0 * k)} for k in range(10)]
    motion = load_bvh(_write(tmp_path / "r.bvh", poses))
    assert motion.fps == pytest.approx(25)
    rotations, _ = retarget(motion, rig, 50)
    assert len(rotations) == 20
    forearm = _directions(rig, rotations, "left_elbow", "left_wrist")
    angles = np.degrees(np.arctan2(forearm[:, 1], forearm[:, 0]))
    np.testing.assert_allclose(angles[:18], 5.0 * np.arange(18), atol=0.1)


def test_an_excerpt_is_as_long_as_asked_and_near_the_origin(tmp_path: Path, rig: Rig) -> None:
    roots = [(30.0 * k, 90, 0) for k in range(12)]
    motion = load_bvh(_write(tmp_path / "e.bvh", [{}] * 12, roots=roots))
    first = excerpt(motion, rig, np.random.default_rng(3), 40, 25)
    second = excerpt(motion, rig, np.random.default_rng(3), 40, 25)
    assert first[0].shape == (40, 24, 3, 3)
    assert np.abs(first[1][:, 0]).max() < 0.81
    np.testing.assert_array_equal(first[1], second[1])


_SHORT = {"UpLeg": "Thigh", "Leg": "Shin", "ForeArm": "LowerArm", "Arm": "UpperArm"}


def _blender(name: str) -> str:
    for side, letter in (("Left", "L"), ("Right", "R")):
        if name.startswith(side):
            part = name.removeprefix(side)
            return f"{_SHORT.get(part, part)}.{letter}"
    return name


@pytest.mark.parametrize(
    "rename", [lambda name: f"mixamorig:{name}", _blender, lambda name: name.lower(),
               lambda name: name.replace("Left", "l").replace("Right", "r")],
)  # fmt: skip
def test_names_of_other_programs(rename) -> None:
    parents = [parent for _, parent, _ in _JOINTS]
    plain = find_bones("a.bvh", _NAMES, parents)
    assert plain["left_shoulder"] == _NAMES.index("LeftArm")
    assert plain["left_collar"] == _NAMES.index("LeftShoulder")
    assert find_bones("a.bvh", [rename(name) for name in _NAMES], parents) == plain


def test_shoulders_without_arms_are_upper_arms() -> None:
    names = [{"LeftShoulder": "LeftCollar", "LeftArm": "LeftShoulder", "LeftForeArm": "LeftElbow",
              "RightShoulder": "RightCollar", "RightArm": "RightShoulder",
              "RightForeArm": "RightElbow"}.get(name, name) for name in _NAMES]  # fmt: skip
    parents = [parent for _, parent, _ in _JOINTS]
    assert find_bones("a.bvh", names, parents) == find_bones("a.bvh", _NAMES, parents)


def test_unknown_joints_are_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "odd.bvh", [{}], rename=lambda name: name.replace("Leg", "Wheel"))
    with pytest.raises(InputError, match=r"odd\.bvh .*left hip.*LeftUpWheel"):
        load_bvh(path)


def test_a_cut_file_says_how_much_is_there(tmp_path: Path) -> None:
    path = _write(tmp_path / "cut.bvh", [{}] * 5)
    text = path.read_text()
    path.write_text(text[: text.rindex("0.04") + 4] + "\n" + "1 " * 140)
    with pytest.raises(InputError, match=r"cut\.bvh ends after 2 of its 5 frames"):
        read_bvh(path)
    path.write_text(text[:300])
    with pytest.raises(InputError, match=r"cut\.bvh"):
        read_bvh(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("HIERARCHY", "BINARY", "line 1: .*HIERARCHY"),
        ("OFFSET 0 1 0", "OFFSET 0 one 0", r"line \d+: .*'one'"),
        ("Zrotation", "Wrotation", "wrotation"),
        ("Frames: 2", "Frames: -2", "number of frames"),
        ("Frame Time: 0.04", "Frame Time: 0", "time between frames"),
        ("90.000000", "nan", r"line \d+: found 'nan'"),
        ("MOTION", "MOTIONS", "MOTION"),
    ],
)
def test_damage_names_the_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = _write(tmp_path / "bad.bvh", [{}, {}])
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=says):
        read_bvh(path)


def test_a_short_file_cannot_ask_for_much_memory(tmp_path: Path) -> None:
    still = "HIERARCHY ROOT a { OFFSET 0 0 0 CHANNELS 0 } MOTION Frames: {} Frame Time: 0.1\n"
    path = tmp_path / "many.bvh"
    path.write_text(still.replace("{}", "4000001"))
    with pytest.raises(InputError, match=r"many\.bvh, line 1: 4e\+06 is not a number of frames"):
        read_bvh(path)
    joints = "ROOT a { OFFSET 0 0 0 CHANNELS 0 " + "JOINT b { OFFSET 0 0 0 CHANNELS 0 " * 1000
    path.write_text(f"HIERARCHY {joints}")
    with pytest.raises(InputError, match="more than 1000 joints"):
        read_bvh(path)


def test_a_missing_file_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.bvh"):
        load_bvh(tmp_path / "nothing.bvh")


@pytest.mark.parametrize(
    "name", ["ad_cmu1_jumping_jacks", "ad_fair1_dab", "ad_fair1_wave_hello",
             "ad_rokoko_jesse_dance"],
)  # fmt: skip
def test_recordings_from_elsewhere(shared, rig: Rig, name: str) -> None:
    motion = load_bvh(shared(f"media/mocap/{name}.bvh"))
    rotations, pelvis = retarget(motion, rig, 30)
    identity = np.eye(3)
    products = np.swapaxes(rotations, -1, -2) @ rotations
    np.testing.assert_allclose(products, np.broadcast_to(identity, products.shape), atol=1e-6)
    assert 0.3 < pelvis[:, 1].min() < pelvis[:, 1].max() < 1.6
    up = _directions(rig, rotations, "pelvis", "neck")[:, 1]
    assert up[0] > 0.9


def test_lying_on_the_side_in_the_first_frame_is_no_reason_to_fail(tmp_path: Path) -> None:
    poses = [{"Hips": _turn("z", 90)}, {}, {}]
    motion = load_bvh(_write(tmp_path / "lying.bvh", poses))
    for turned in motion.turned.values():
        product = np.swapaxes(turned, -1, -2) @ turned
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-5)
