import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from bdmm.body.rotations import axis_angle_to_matrix
from bdmm.body.smpl import SHAPE_SIZE, VERTEX_COUNT, SmplBody
from bdmm.errors import InputError
from bdmm.media.smpl_file import read_smpl
from bdmm.records import BONE_NAMES, BONE_PARENTS, KEYPOINT_NAMES

BONES = len(BONE_NAMES)


def model_arrays() -> dict[str, np.ndarray]:
    """Return an invented model of SMPL's layout; nothing of it is SMPL's."""
    random = np.random.default_rng(0)
    weights = random.random((VERTEX_COUNT, BONES)) ** 8
    regressor = random.random((BONES, VERTEX_COUNT)) ** 20
    parents = np.array([2**32 - 1, *BONE_PARENTS[1:]], dtype=np.int64)
    return {
        "v_template": random.normal(0, 0.4, (VERTEX_COUNT, 3)),
        "shapedirs": random.normal(0, 0.01, (VERTEX_COUNT, 3, SHAPE_SIZE + 2)),
        "posedirs": random.normal(0, 0.001, (VERTEX_COUNT, 3, 9 * (BONES - 1))).astype(np.float32),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.stack([parents, np.arange(BONES)]),
        "f": random.integers(0, VERTEX_COUNT, (100, 3)),
    }


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return model_arrays()


@pytest.fixture(scope="module")
def path(arrays: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("smpl") / "model.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def body(path: Path) -> SmplBody:
    return read_smpl(path)


def smpl_formula(arrays: dict[str, np.ndarray], betas: np.ndarray, pose: np.ndarray) -> tuple:
    """Return posed vertices and joints in SMPL's axes, written down plainly in float64."""
    rest = arrays["v_template"] + arrays["shapedirs"][..., :SHAPE_SIZE] @ betas
    joints = arrays["J_regressor"] @ rest
    turns = axis_angle_to_matrix(torch.from_numpy(pose)).numpy()
    rest = rest + arrays["posedirs"] @ (turns[1:] - np.eye(3)).ravel()
    frames = []
    for bone, parent in enumerate(BONE_PARENTS):
        local = np.eye(4)
        local[:3, :3] = turns[bone]
        local[:3, 3] = joints[bone] - (joints[parent] if parent >= 0 else 0)
        frames.append(frames[parent] @ local if parent >= 0 else local)
    posed = np.stack(frames)[:, :3, 3]
    vertices = np.zeros_like(rest)
    for bone, frame in enumerate(frames):
        moved = (rest - joints[bone]) @ frame[:3, :3].T + frame[:3, 3]
        vertices += arrays["weights"][:, bone, None] * moved
    return vertices, posed


def test_vertices_and_joints_follow_the_published_formula(
    arrays: dict[str, np.ndarray], body: SmplBody
):
    random = np.random.default_rng(1)
    betas, pose = random.normal(size=SHAPE_SIZE), random.normal(0, 0.5, (BONES, 3))
    vertices, joints = smpl_formula(arrays, betas, pose)
    signs = np.array([1.0, -1.0, -1.0])
    wanted = torch.from_numpy((vertices - joints[0]) * signs).float()
    # The same rotation seen in camera axes: its axis changes signs as the coordinates do.
    rotations = axis_angle_to_matrix(torch.from_numpy(pose * signs).float())
    shape = torch.from_numpy(betas).float()
    torch.testing.assert_close(body.vertices(shape, rotations), wanted, atol=2e-5, rtol=0)
    some = torch.tensor([3, 600, 6889])
    torch.testing.assert_close(
        body.vertices(shape, rotations, some), wanted[some], atol=2e-5, rtol=0
    )
    knee = body.keypoints(shape, rotations)[KEYPOINT_NAMES.index("left_knee")]
    expected = (joints[BONE_NAMES.index("left_knee")] - joints[0]) * signs
    torch.testing.assert_close(knee, torch.from_numpy(expected).float(), atol=2e-5, rtol=0)
    torch.testing.assert_close(
        body.pelvis(shape), torch.from_numpy(joints[0]).float(), atol=1e-5, rtol=0
    )


def test_landmarks_lie_on_their_vertices_and_midpoints_between(body: SmplBody):
    rest = torch.eye(3).expand(BONES, 3, 3)
    points = dict(zip(KEYPOINT_NAMES, body.keypoints(torch.zeros(SHAPE_SIZE), rest), strict=True))
    vertices = body.vertices(torch.zeros(SHAPE_SIZE), rest)
    torch.testing.assert_close(points["nose"], vertices[332], atol=1e-5, rtol=0)
    torch.testing.assert_close(points["left_heel"], vertices[3387], atol=1e-5, rtol=0)
    middle = (points["left_shoulder"] + points["right_shoulder"]) / 2
    torch.testing.assert_close(points["neck"], middle, atol=1e-5, rtol=0)


def test_batches_and_gradients_work(body: SmplBody):
    exact = body.to("cpu", torch.float64)
    some = torch.tensor([3, 600])
    shapes = torch.randn(2, SHAPE_SIZE, dtype=torch.float64, requires_grad=True)
    vectors = torch.randn(2, BONES, 3, dtype=torch.float64, requires_grad=True)

    def points(shapes: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        return exact.vertices(shapes, axis_angle_to_matrix(vectors), some)

    assert torch.autograd.gradcheck(points, (shapes, vectors), fast_mode=True)
    both = points(shapes, vectors)
    torch.testing.assert_close(both[1], points(shapes[1], vectors[1]))


def test_a_pickle_of_the_same_arrays_gives_the_same_body(
    arrays: dict[str, np.ndarray], body: SmplBody, tmp_path: Path
):
    file = tmp_path / "model.pkl"
    sparse = scipy.sparse.csc_matrix(arrays["J_regressor"])
    stored = {**arrays, "J_regressor": sparse, "bs_type": "lrotmin"}
    file.write_bytes(pickle.dumps(stored, protocol=2))
    other = read_smpl(file)
    for name, tensor in body._tensors.items():
        assert torch.equal(tensor, other._tensors[name]), name


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"weights": None}, "no 'weights'"),
        ({"v_template": np.zeros((100, 3))}, "v_template"),
        ({"shapedirs": np.zeros((VERTEX_COUNT, 3, 4))}, "shapedirs"),
        ({"f": np.full((5, 3), VERTEX_COUNT)}, "triangles"),
        ({"kintree_table": np.zeros((2, BONES))}, "another tree"),
        ({"v_template": np.full((VERTEX_COUNT, 3), np.nan)}, "finite"),
        ({"weights": np.array(["a"])}, "no table of numbers"),
    ],
)
def test_a_wrong_file_is_named_in_one_sentence(
    change: dict, complaint: str, arrays: dict[str, np.ndarray], tmp_path: Path
):
    file = tmp_path / "wrong.npz"
    changed = {name: value for name, value in (arrays | change).items() if value is not None}
    changed["posedirs"] = np.zeros((VERTEX_COUNT, 3, 9 * (BONES - 1)), np.int8)
    np.savez(file, **changed)
    with pytest.raises(InputError, match=complaint) as caught:
        read_smpl(file)
    assert "wrong.npz" in str(caught.value)


def test_files_that_are_no_models_are_refused(tmp_path: Path):
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "objects.npz", weights=np.array([{}], dtype=object))
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "body.obj").write_text("v 0 0 0")
    for name in ("text.npz", "objects.npz", "list.pkl", "body.obj", "absent.npz", "absent.pkl"):
        with pytest.raises(InputError, match=name):
            read_smpl(tmp_path / name)
