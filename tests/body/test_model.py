import math
from importlib.resources import files

import pytest
import torch

from bdmm.body.model import BODIES, PART_NAMES, SHAPE_SIZES, AnnyBody, load_body
from bdmm.body.rotations import axis_angle_to_matrix, chain, pose_bones, unchain
from bdmm.body.skinning import blend_vertices, point_features, skin
from bdmm.errors import InputError
from bdmm.records import BONE_NAMES, BONE_PARENTS, KEYPOINT_NAMES

BONES = len(BONE_NAMES)


@pytest.fixture(scope="module")
def body() -> AnnyBody:
    return load_body()


@pytest.fixture(scope="module")
def exact(body: AnnyBody) -> AnnyBody:
    return body.to("cpu", torch.float64)


def poses(count: int, size: float = 0.4) -> torch.Tensor:
    return axis_angle_to_matrix(size * torch.randn(count, BONES, 3, dtype=torch.float64))


def rest(body: AnnyBody) -> torch.Tensor:
    return torch.eye(3, dtype=body.template.dtype).expand(BONES, 3, 3)


def mirrored_names(names: tuple[str, ...]) -> list[int]:
    swap = {"left": "right", "right": "left"}
    return [
        names.index("_".join(swap.get(word, word) for word in name.split("_"))) for name in names
    ]


def test_the_asset_is_small():
    assert (files("bdmm.assets") / "body.safetensors").stat().st_size <= 5_000_000  # type: ignore[attr-defined]


def test_the_table_of_shape_sizes_is_that_of_the_assets():
    assert {name: load_body(name).shape_size for name in BODIES} == SHAPE_SIZES


def test_an_unknown_body_is_the_users_mistake():
    with pytest.raises(InputError, match="anny24"):
        load_body("somebody")


def test_the_mean_person_is_an_upright_adult_who_faces_the_camera(body: AnnyBody):
    vertices = body.vertices(torch.zeros(20), rest(body))
    height = vertices[:, 1].max() - vertices[:, 1].min()
    assert 1.6 < height < 1.8
    points = dict(zip(KEYPOINT_NAMES, body.keypoints(torch.zeros(20), rest(body)), strict=True))
    assert points["nose"][1] < points["mid_hip"][1] < points["left_ankle"][1]
    assert points["nose"][2] < points["left_ear"][2]
    assert points["left_big_toe"][2] < points["left_heel"][2]


def test_the_persons_left_is_image_right(body: AnnyBody):
    joints = body.joints(torch.zeros(20))
    points = body.keypoints(torch.zeros(20), rest(body))
    for names, places in ((BONE_NAMES, joints), (KEYPOINT_NAMES, points)):
        for name, place in zip(names, places, strict=True):
            assert not name.startswith("left_") or place[0] > 0.02, name
            assert not name.startswith("right_") or place[0] < -0.02, name


def test_the_mean_person_is_symmetric(body: AnnyBody):
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    for shape in (torch.zeros(20), torch.eye(20)[0], -2 * torch.eye(20)[3]):
        for names, places in (
            (BONE_NAMES, body.joints(shape)),
            (KEYPOINT_NAMES, body.keypoints(shape, rest(body))),
        ):
            swapped = places[mirrored_names(names)] * mirror
            torch.testing.assert_close(places, swapped, atol=1e-3, rtol=0)
        vertices = body.rest_vertices(shape)
        picked = vertices[::40] * mirror
        assert torch.cdist(picked, vertices).min(dim=1).values.max() < 2e-3


def test_identity_rotations_leave_the_rest_vertices(exact: AnnyBody):
    shape = torch.randn(20, dtype=torch.float64)
    posed = exact.vertices(shape, rest(exact))
    torch.testing.assert_close(posed, exact.rest_vertices(shape), atol=1e-7, rtol=0)
    assert exact.joints(shape)[0].abs().max() < 1e-6


def test_turning_the_root_turns_everything(exact: AnnyBody):
    shape, rotations = torch.randn(20, dtype=torch.float64), poses(1)[0]
    turn = axis_angle_to_matrix(torch.tensor([0.3, 2.0, -0.7], dtype=torch.float64))
    turned = torch.cat((turn @ rotations[:1], rotations[1:]))
    for points in (exact.vertices, exact.keypoints):
        before, after = points(shape, rotations), points(shape, turned)
        torch.testing.assert_close(after, before @ turn.T, atol=1e-8, rtol=0)


def test_a_raised_thigh_moves_the_knee_forward_and_up(body: AnnyBody):
    rotations = rest(body).clone()
    rotations[BONE_NAMES.index("left_hip")] = axis_angle_to_matrix(torch.tensor([-1.5, 0.0, 0.0]))
    knee = KEYPOINT_NAMES.index("left_knee")
    still = body.keypoints(torch.zeros(20), rest(body))
    lifted = body.keypoints(torch.zeros(20), rotations)
    assert lifted[knee, 2] < still[knee, 2] - 0.3
    assert lifted[knee, 1] < still[knee, 1] - 0.3
    others = [n for n, name in enumerate(KEYPOINT_NAMES) if name.startswith("right_")]
    torch.testing.assert_close(lifted[others], still[others], atol=1e-3, rtol=0)


def test_limbs_keep_their_length_whatever_the_pose(exact: AnnyBody):
    shape, rotations = torch.zeros(20, dtype=torch.float64), poses(50, 0.8)
    posed, still = exact.keypoints(shape, rotations), exact.keypoints(shape, rest(exact))
    # Keypoints lie beside the joints, so the distance of two may change by what they are off.
    joints = exact.joints(shape)
    for start, end in (("knee", "ankle"), ("elbow", "wrist"), ("shoulder", "elbow")):
        for side in ("left", "right"):
            names = [f"{side}_{start}", f"{side}_{end}"]
            pair = [KEYPOINT_NAMES.index(name) for name in names]
            off = sum(
                (still[place] - joints[BONE_NAMES.index(name)]).norm()
                for place, name in zip(pair, names, strict=True)
            )
            assert off < 0.07
            lengths = (posed[:, pair[0]] - posed[:, pair[1]]).norm(dim=1)
            length = (still[pair[0]] - still[pair[1]]).norm()
            assert (lengths - length).abs().max() < 2 * off


def test_vertices_of_one_bone_alone_move_rigidly(exact: AnnyBody):
    head = (exact.weights[:, BONE_NAMES.index("head")] > 0.999).nonzero()[::50, 0]
    assert len(head) > 20
    shape = torch.randn(20, dtype=torch.float64)
    posed, still = exact.vertices(shape, poses(3), head), exact.rest_vertices(shape, head)
    wanted = torch.cdist(still, still).expand(3, -1, -1)
    torch.testing.assert_close(torch.cdist(posed, posed), wanted, atol=1e-4, rtol=0)


def test_keypoints_lie_on_the_mesh_at_rest_and_ride_on_their_bones(exact: AnnyBody):
    shape, rotations = torch.randn(20, dtype=torch.float64), poses(5)
    tensors = exact._tensors
    at_rest = tensors["keypoint_weights"] @ exact.rest_vertices(shape)
    torch.testing.assert_close(exact.keypoints(shape, rest(exact)), at_rest, atol=1e-7, rtol=0)
    joints = exact.joints(shape)
    frames = pose_bones(rotations, joints)
    expected = torch.zeros(5, len(KEYPOINT_NAMES), 3, dtype=torch.float64)
    for row in range(len(KEYPOINT_NAMES)):
        for bone, share in enumerate(tensors["keypoint_bones"][row]):
            arm = at_rest[row] - joints[bone]
            expected[:, row] += share * (frames[:, bone, :, :3] @ arm + frames[:, bone, :, 3])
    for middle, joint in (("neck", "shoulder"), ("mid_hip", "hip")):
        pair = [KEYPOINT_NAMES.index(f"{side}_{joint}") for side in ("left", "right")]
        expected[:, KEYPOINT_NAMES.index(middle)] = expected[:, pair].mean(1)
    torch.testing.assert_close(exact.keypoints(shape, rotations), expected, atol=1e-7, rtol=0)


def test_keypoints_stay_near_the_skin_they_were_taken_from(exact: AnnyBody):
    shape, rotations = torch.zeros(20, dtype=torch.float64), poses(20)
    on_skin = exact._tensors["keypoint_weights"] @ exact.vertices(shape, rotations)
    off = (exact.keypoints(shape, rotations) - on_skin).norm(dim=-1)
    assert off.mean() < 0.01
    assert off.max() < 0.06


def test_both_ways_of_skinning_agree_with_a_loop(exact: AnnyBody):
    shape, rotations = torch.randn(20, dtype=torch.float64), poses(1)[0]
    joints, vertices, weights = (
        exact.joints(shape),
        exact.rest_vertices(shape)[::500],
        exact.weights[::500],
    )
    frames: list[tuple[torch.Tensor, torch.Tensor]] = []
    for bone, parent in enumerate(BONE_PARENTS):
        if parent < 0:
            frames.append((rotations[bone], joints[bone]))
            continue
        turn, place = frames[parent]
        frames.append((turn @ rotations[bone], place + turn @ (joints[bone] - joints[parent])))
    expected = torch.zeros_like(vertices)
    for vertex in range(len(vertices)):
        for bone, (turn, place) in enumerate(frames):
            moved = turn @ (vertices[vertex] - joints[bone]) + place
            expected[vertex] += weights[vertex, bone] * moved
    bones = torch.stack([torch.cat((turn, place[:, None]), 1) for turn, place in frames])
    blended = blend_vertices(vertices, weights, joints, bones)
    torch.testing.assert_close(blended, expected, atol=1e-7, rtol=0)
    features = point_features(vertices, weights, joints)
    torch.testing.assert_close(skin(features, bones), expected, atol=1e-7, rtol=0)


def test_batches_equal_single_bodies(exact: AnnyBody):
    shapes, rotations = torch.randn(13, 20, dtype=torch.float64), poses(13)
    some = torch.arange(0, 13348, 997)
    for points in (exact.vertices, exact.keypoints):
        more = (some,) if points == exact.vertices else ()
        own = points(shapes, rotations, *more)
        shared = points(shapes[4], rotations, *more)
        crowd = points(shapes[:, None], rotations[None, :3], *more)
        single = points(shapes[4], rotations[4], *more)
        torch.testing.assert_close(own[4], single)
        torch.testing.assert_close(shared[4], single)
        assert crowd.shape[:2] == (13, 3)
        torch.testing.assert_close(crowd[4, 2], shared[2])
    assert exact.joints(shapes).shape == (13, BONES, 3)
    torch.testing.assert_close(
        exact.vertices(shapes[0], rotations[0])[some], exact.vertices(shapes[0], rotations[0], some)
    )


def test_gradients_are_true(exact: AnnyBody):
    shape = torch.randn(20, dtype=torch.float64, requires_grad=True)
    vectors = (0.3 * torch.randn(2, BONES, 3, dtype=torch.float64)).requires_grad_()
    some = torch.tensor([5, 4000, 13000])

    def keypoints(shape: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        return exact.keypoints(shape, axis_angle_to_matrix(vectors))

    def vertices(shape: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        return exact.vertices(shape, axis_angle_to_matrix(vectors), some)

    for points in (keypoints, vertices):
        assert torch.autograd.gradcheck(points, (shape, vectors), fast_mode=True)


def test_shape_components_matter_less_and_less_and_stay_plausible(body: AnnyBody):
    change = body.shape_basis.norm(dim=2)
    assert (change.mean(dim=1)[1:6] < change.mean(dim=1)[0]).all()
    assert change.mean(dim=1)[-1] < 0.005
    people = body.rest_vertices(torch.randn(200, 20))
    heights = people[..., 1].amax(1) - people[..., 1].amin(1)
    assert 1.3 < heights.min() < heights.max() < 2.1
    assert 0.04 < heights.std() < 0.12


def test_the_mesh_is_closed_outward_and_fully_labelled(body: AnnyBody):
    corners = body.template[body.faces]
    volume = torch.linalg.det(corners.double()).sum() / 6
    assert 0.04 < volume < 0.1
    assert torch.equal(body.faces.unique(), torch.arange(len(body.template)))
    torch.testing.assert_close(body.weights.sum(1), torch.ones(len(body.weights)))
    assert body.vertex_bones.unique().tolist() == list(range(BONES))
    assert body.parts.unique().tolist() == list(range(len(PART_NAMES)))
    assert body.face_parts.shape == body.faces.shape[:1]
    assert body.face_uv.shape == body.faces.shape
    assert body.face_uv.max() < len(body.uv)
    assert (body.uv >= 0).all()
    assert (body.uv <= 1).all()


def test_the_t_pose_has_level_arms_and_vertical_shanks(body: AnnyBody):
    local = unchain(body.t_pose)
    torch.testing.assert_close(chain(local), body.t_pose, atol=1e-5, rtol=0)
    points = dict(zip(KEYPOINT_NAMES, body.keypoints(torch.zeros(20), local), strict=True))
    for side, outward in (("left", 1.0), ("right", -1.0)):
        arm = points[f"{side}_wrist"] - points[f"{side}_shoulder"]
        assert outward * arm[0] > 0.95 * arm.norm()
        # Palms face down: the knuckles of index and little finger are level, the index in front.
        across = points[f"{side}_index"] - points[f"{side}_pinky"]
        assert -across[2] > 0.8 * across.norm()
        shank = points[f"{side}_ankle"] - points[f"{side}_knee"]
        assert shank[1] > 0.99 * shank.norm()


def test_a_body_moves_between_types(body: AnnyBody):
    half = body.to("cpu", torch.float64).to("cpu", torch.float32)
    assert half.faces.dtype == torch.int64
    torch.testing.assert_close(
        half.keypoints(torch.zeros(20), rest(body)), body.keypoints(torch.zeros(20), rest(body))
    )
    assert math.isclose(half.template.sum(), body.template.sum(), rel_tol=1e-5)
