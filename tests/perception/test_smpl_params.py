import json
import math
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from bdmm.body.camera import project
from bdmm.body.model import AnnyBody, load_body
from bdmm.body.rotations import axis_angle_to_matrix, chain
from bdmm.body.smpl import SHAPE_SIZE, SmplBody
from bdmm.errors import InputError
from bdmm.perception.smpl_params import PELVIS, read_smpl_motion
from bdmm.records import BONE_NAMES, KEYPOINT_NAMES

FRAMES = 3


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="module")
def smpl_like(body: AnnyBody) -> SmplBody:
    """Return a body with SMPL's interface whose geometry is ours in the T-pose."""
    tensors = {name: body._tensors[name] for name in ("faces", "weights", "keypoint_weights")}
    tensors["keypoint_bones"] = body._tensors["keypoint_bones"]
    generator = torch.Generator().manual_seed(1)
    return SmplBody(
        "smpl",
        tensors
        | {
            "template": body.template,
            "shape_basis": body.shape_basis[:SHAPE_SIZE],
            "joints": body._tensors["joints"],
            "joints_basis": body._tensors["joints_basis"][:SHAPE_SIZE],
            "t_pose": torch.eye(3).expand(24, 3, 3),
            "pose_basis": torch.zeros(207, body.template.numel()),
            "pelvis": torch.tensor([0.01, -0.2, 0.03]),
            "pelvis_basis": 0.01 * torch.randn(SHAPE_SIZE, 3, generator=generator),
        },
    )


def upright() -> dict[str, np.ndarray]:
    """Return a person in the T-pose who faces the camera in the middle of the crop."""
    pose = np.zeros((FRAMES, 72), np.float32)
    pose[:, 0] = math.pi
    camera = np.tile(np.array([0.9, 0.0, 0.0], np.float32), (FRAMES, 1))
    return {"cam": camera, "pose_theta": pose, "shape_beta": np.zeros((FRAMES, 10), np.float32)}


def save(path: Path, table: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **table)
    elif path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(table, protocol=2))
    else:
        path.mkdir()
        for frame in range(len(table["cam"])):
            rows = {name: value[frame].tolist() for name, value in table.items()}
            rows |= {"bbox_xyxy": [0, 0, 256, 256], "pose_keypoints_2d": [0.0] * 75}
            (path / f"frame_{frame:05d}.json").write_text(json.dumps(rows))
    return path


def keypoints(body: AnnyBody, path: Path, **options: int) -> dict[str, torch.Tensor]:
    motion = read_smpl_motion(path, body, **options)
    points = body.keypoints(motion.shape, motion.rotations)
    seen = project(points, motion.scale, motion.translation)
    return dict(zip(KEYPOINT_NAMES, seen.unbind(1), strict=True))


def test_a_t_pose_is_seen_as_one(body: AnnyBody, tmp_path: Path):
    points = keypoints(body, save(tmp_path / "a.npz", upright()))
    for side, sign in (("left", 1), ("right", -1)):
        arm = points[f"{side}_wrist"] - points[f"{side}_shoulder"]
        assert (sign * arm[:, 0] > 40).all()
        assert (arm[:, 1].abs() < 10).all()
    assert (points["nose"][:, 1] < points["mid_hip"][:, 1] - 50).all()
    assert (points["left_ankle"][:, 1] > points["mid_hip"][:, 1] + 80).all()
    assert (points["nose"][:, 2] < points["left_ear"][:, 2]).all()


def test_the_camera_is_the_papers(body: AnnyBody, tmp_path: Path):
    table = upright()
    table["cam"][1] = (0.5, 0.2, -0.1)
    motion = read_smpl_motion(save(tmp_path / "a.npz", table), body)
    assert motion.scale.tolist() == pytest.approx([0.9 * 128, 64, 0.9 * 128])
    assert motion.translation[1, 0].item() == pytest.approx(128 + 64 * 0.2)
    assert motion.translation[1, 1].item() == pytest.approx(128 + 64 * (PELVIS[1] - 0.1))
    assert (motion.size, motion.fps, motion.body) == ((256, 256), Fraction(25), body.name)
    doubled = read_smpl_motion(tmp_path / "a.npz", body, Fraction(30), size=512)
    torch.testing.assert_close(doubled.translation, 2 * motion.translation)
    torch.testing.assert_close(doubled.scale, 2 * motion.scale)


def test_a_bent_elbow_bends_forward_and_keeps_its_angle(body: AnnyBody, tmp_path: Path):
    table = upright()
    elbow = BONE_NAMES.index("left_elbow")
    # In SMPL's axes a left forearm (along +x) swings to the front (+z) about -y.
    table["pose_theta"][:, 3 * elbow + 1] = -math.pi / 2
    points = keypoints(body, save(tmp_path / "a.npz", table))
    forearm = points["left_wrist"] - points["left_elbow"]
    assert (-forearm[:, 2] > 0.9 * forearm.norm(dim=1)).all()
    straight = keypoints(body, save(tmp_path / "b.npz", upright()))
    upper = points["left_elbow"] - points["left_shoulder"]
    torch.testing.assert_close(
        upper, straight["left_elbow"] - straight["left_shoulder"], atol=4, rtol=0
    )


def test_turning_the_root_turns_the_person(body: AnnyBody, tmp_path: Path):
    table = upright()
    turn = axis_angle_to_matrix(torch.tensor([0.0, math.pi / 2, 0.0]))
    front = axis_angle_to_matrix(torch.tensor([math.pi, 0.0, 0.0]))
    from scipy.spatial.transform import Rotation

    table["pose_theta"][:, :3] = Rotation.from_matrix((turn @ front).double().numpy()).as_rotvec()
    points = keypoints(body, save(tmp_path / "a.npz", table))
    # A quarter turn about the camera's y takes the face from the camera to image left.
    assert (points["nose"][:, 0] < points["left_ear"][:, 0] - 5).all()
    assert (points["left_wrist"][:, 2] < points["right_wrist"][:, 2] - 50).all()


def test_every_format_says_the_same(body: AnnyBody, tmp_path: Path):
    table = upright()
    table["pose_theta"] += np.random.default_rng(0).normal(0, 0.2, (FRAMES, 72)).astype(np.float32)
    wanted = read_smpl_motion(save(tmp_path / "a.npz", table), body)
    iper = {"cams": table["cam"], "pose": table["pose_theta"], "shape": table["shape_beta"]}
    joined = {"smpls": np.concatenate(list(table.values()), axis=1)}
    for path in (
        save(tmp_path / "kps.pkl", iper),
        save(tmp_path / "joined.pkl", joined),
        save(tmp_path / "folder", table),
    ):
        motion = read_smpl_motion(path, body)
        for name in ("rotations", "scale", "translation", "shape"):
            torch.testing.assert_close(getattr(motion, name), getattr(wanted, name))


def test_smpl_itself_takes_everything_verbatim(smpl_like: SmplBody, tmp_path: Path):
    random = np.random.default_rng(0)
    table = upright()
    table["pose_theta"] += random.normal(0, 0.2, (FRAMES, 72)).astype(np.float32)
    table["shape_beta"][:] = random.normal(size=10)
    motion = read_smpl_motion(save(tmp_path / "a.npz", table), smpl_like)
    torch.testing.assert_close(motion.shape, torch.from_numpy(table["shape_beta"][0]))
    assert motion.body == "smpl"
    # What an SMPL estimator means: joints posed in SMPL's axes, then s (X + t).
    vectors = torch.from_numpy(table["pose_theta"]).reshape(FRAMES, 24, 3)
    signs = torch.tensor([1.0, -1.0, -1.0])
    pelvis = smpl_like.pelvis(motion.shape)
    rest = smpl_like.joints(motion.shape) * signs + pelvis
    orientations = chain(axis_angle_to_matrix(vectors))
    knee, hip = BONE_NAMES.index("left_knee"), BONE_NAMES.index("left_hip")
    place = pelvis + orientations[:, 0] @ (rest[hip] - rest[0])
    place = place + orientations[:, hip] @ (rest[knee] - rest[hip])
    camera = torch.from_numpy(table["cam"])
    wanted = (camera[:, :1] * (place[:, :2] + camera[:, 1:]) + 1) * 128
    from bdmm.body.rotations import pose_bones

    posed = pose_bones(motion.rotations, smpl_like.joints(motion.shape))[:, :, :, 3]
    seen = project(posed, motion.scale, motion.translation)[:, knee, :2]
    torch.testing.assert_close(seen, wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cam": None}, "no SMPL camera"),
        ({"pose_theta": np.zeros((FRAMES, 69))}, "69 numbers"),
        ({"pose_theta": np.zeros((2, 72))}, "as many of each"),
        ({"shape_beta": np.full((FRAMES, 10), np.nan)}, "Frame 0"),
        ({"cam": np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0]])}, "Frame 1"),
        ({name: value[:0] for name, value in upright().items()}, "no frames"),
        ({"cam": np.array(["a", "b", "c"])}, "no table of numbers"),
        ({"cam": np.float32(1)}, "1 numbers"),
        ({"pose_theta": np.full((FRAMES, 72), 1e30)}, "Frame 0"),
    ],
)  # fmt: skip
def test_bad_tables_are_named(change: dict, complaint: str, body: AnnyBody, tmp_path: Path):
    table = {name: value for name, value in (upright() | change).items() if value is not None}
    for name in ("bad.npz", "bad.pkl"):
        with pytest.raises(InputError, match=complaint) as caught:
            read_smpl_motion(save(tmp_path / name, table), body)
        assert name in str(caught.value)


def test_bad_folders_are_named_by_their_frame(body: AnnyBody, tmp_path: Path):
    folder = save(tmp_path / "folder", upright())
    frame = folder / "frame_00001.json"
    huge = json.dumps({name: [10**400] * 72 for name in upright()})
    for content in ('{"cam": [1, 0, 0]}', "{", "[1]", '{"cam": {}}', '{"cam": [[1], [2, 3]]}',
                    "[" * 100_000, huge):  # fmt: skip
        frame.write_text(content)
        with pytest.raises(InputError, match="frame_00001"):
            read_smpl_motion(folder, body)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        read_smpl_motion(tmp_path / "empty", body)


def test_other_files_are_refused(body: AnnyBody, tmp_path: Path):
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1]))
    (tmp_path / "movie.mp4").write_text("hello")
    for name in ("text.npz", "list.pkl", "movie.mp4", "absent.npz", "absent.pkl"):
        with pytest.raises(InputError, match=name):
            read_smpl_motion(tmp_path / name, body)


def test_a_hostile_pickle_runs_nothing(body: AnnyBody, tmp_path: Path):
    class Runs:
        def __reduce__(self) -> tuple:
            return (open, (str(tmp_path / "made"), "w"))

    (tmp_path / "kps.pkl").write_bytes(pickle.dumps({"pose": Runs()}))
    with pytest.raises(InputError, match="kps"):
        read_smpl_motion(tmp_path / "kps.pkl", body)
    assert not (tmp_path / "made").exists()
