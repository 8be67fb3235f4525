import torch

from bdmm.body.model import AnnyBody
from bdmm.body.rotations import angle_between, axis_angle_to_matrix
from bdmm.perception.initial_pose import solve_rotations
from bdmm.records import KEYPOINT_NAMES

LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))


def test_the_rest_pose_is_the_identity(body: AnnyBody):
    shape = torch.zeros(body.shape_size)
    eye = torch.eye(3).expand(1, 24, 3, 3)
    points = body.keypoints(shape, eye)
    solved = solve_rotations(points, body, shape, torch.ones(1, 29))
    assert angle_between(solved, eye).max() < 0.02


def test_limbs_point_where_the_keypoints_do(body, make_motion):
    motion = make_motion(turn=0.7)
    points = body.keypoints(motion.shape, motion.rotations)
    solved = solve_rotations(points, body, motion.shape, torch.ones(len(motion), 29))
    found = body.keypoints(motion.shape, solved)
    for upper, lower in LIMBS:
        for side in ("left", "right"):
            near = KEYPOINT_NAMES.index(f"{side}_{upper}")
            far = KEYPOINT_NAMES.index(f"{side}_{lower}")
            cosine = torch.cosine_similarity(
                points[:, far] - points[:, near], found[:, far] - found[:, near], dim=-1
            )
            assert cosine.min() > 0.985, (side, upper)


def test_turning_the_person_turns_the_pelvis_only(body, make_motion):
    motion = make_motion()
    points = body.keypoints(motion.shape, motion.rotations)
    trust = torch.ones(len(motion), 29)
    turn = axis_angle_to_matrix(torch.tensor([0.2, 2.5, -0.3]))
    still = solve_rotations(points, body, motion.shape, trust)
    turned = solve_rotations(points @ turn.mT, body, motion.shape, trust)
    assert angle_between(turn @ still[:, 0], turned[:, 0]).max() < 1e-2
    assert angle_between(still[:, 1:], turned[:, 1:]).max() < 1e-2


def test_unseen_hands_follow_the_forearm(body, make_motion):
    motion = make_motion()
    points = body.keypoints(motion.shape, motion.rotations)
    points[:, 25:] = torch.randn(len(motion), 4, 3)
    trust = torch.ones(len(motion), 29)
    trust[:, 25:] = 0
    solved = solve_rotations(points, body, motion.shape, trust)
    assert angle_between(solved[:, 20:22], torch.eye(3)).max() < 1e-2
